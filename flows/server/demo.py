"""`make demo`: one whole session through Prefect, without keys, and its rows in the warehouse.

It has its own server, on a free port, with its own folder; whatever happens, everything that it
started is stopped. If a run does not complete, the demonstration fails with a message.
"""

from __future__ import annotations

import logging
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from prefect import State

from coordinator.config import load_config
from coordinator.core.values import is_crypto
from flows.server import runs
from flows.server.children import Child
from flows.server.places import ROOT, Places
from flows.server.stack import Stack
from flows.server.supervisor import sole
from tasks.report import SUMMARY_KEY, SUMMARY_LOG

DATE = "2026-03-17"
RUN_S = 1_800.0
SPEED = {"stocks": 600, "crypto": 2_400}
"""Broker seconds per local second: a UTC day has 3.7 times the minutes of a stock session."""
_INTERRUPTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_PNL = """SELECT strategy, fills, realized_pnl::DECIMAL(18, 2) AS realized_pnl,
  unrealized_change::DECIMAL(18, 2) AS unrealized_change, fees::DECIMAL(18, 2) AS fees,
  net_pnl::DECIMAL(18, 2) AS net_pnl
FROM pnl_daily WHERE session_id = (
  SELECT max_by(session_id, loaded_at) FROM loads JOIN sessions USING (session_id)
  WHERE mode <> 'shadow')
ORDER BY strategy = 'UNASSIGNED', strategy"""
_FILLS = """SELECT filled_at, strategy, side, qty, symbol, price
FROM fills WHERE session_id = (
  SELECT max_by(session_id, loaded_at) FROM loads JOIN sessions USING (session_id)
  WHERE mode <> 'shadow')
ORDER BY filled_at DESC LIMIT 5"""


class DemoFailed(Exception):
    """A step of the demonstration failed; the message says which."""


@dataclass(frozen=True, slots=True)
class Ask:
    """What to demonstrate: a configuration, and the bars to run it on (None: seeded ones)."""

    config: Path
    bars: Path | None
    source: str | None
    date: str

    def parameters(self, market: str) -> dict[str, Any]:
        """The parameters of the warm-up's and the coordinator's run."""
        return {
            "config": str(self.config),
            "simulate": True,
            "bars": str(self.bars) if self.bars else None,
            "source": self.source,
            "session_date": self.date,
            "clock_speed": SPEED[market],
        }


GO_ON = "source .venv/bin/activate, then multi-trader status; or docs/quick-start.md"


def demo(home: Path, ask: Ask, environment: Mapping[str, str], port: int) -> int:
    """Runs the three deployments of the configuration's market; returns the exit code.

    Raises:
        ConfigError: the configuration is wrong; nothing was started.
        DemoFailed: a step failed.
    """
    market = market_of(ask.config)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    for number in _INTERRUPTS:
        signal.signal(number, signal.default_int_handler)
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    with sole(home / "demo.lock") as alone:
        if not alone:
            raise DemoFailed(f"Another demonstration runs in {home}; wait for its end.")
        places = Places.under(home, "prefect-demo")
        _forget(places)
        stack = Stack(places, port, environment)
        try:
            stack.start(simulate=True, unattended=False, say=say)
            session = _three_runs(ask, market)
        finally:
            for number in _INTERRUPTS:  # a second Ctrl-C would leave processes behind
                signal.signal(number, signal.SIG_IGN)
            stack.stop()
            say("Stopped the worker and the server")
    _show(home, session)
    return 0


def _forget(places: Places) -> None:
    """Deletes all but the password of an earlier demonstration, whose runs would start again."""
    for name in ("worker", "server"):
        left = Child(name, [], {}, places.folder)
        if left.adopt():
            left.stop()
    for file in places.folder.iterdir():
        if file.is_dir():
            shutil.rmtree(file)
        elif file.name != "auth":
            file.unlink()


def say(line: str) -> None:
    """Prints one line of progress behind the time in UTC."""
    print(f"[{datetime.now(UTC):%H:%M:%S}] {line}", flush=True)


def market_of(config: Path) -> str:
    """The market whose deployments suit a configuration: crypto if it trades nothing else."""
    tickers = [ticker for one in load_config(config).strategies for ticker in one.tickers]
    return "crypto" if all(is_crypto(ticker) for ticker in tickers) else "stocks"


def _three_runs(ask: Ask, market: str) -> str:
    _run(f"warmup/{market}", ask.parameters(market))
    run_id = _run(f"coordinator/{market}", ask.parameters(market))
    summary = runs.artifact_of(run_id, SUMMARY_KEY)
    if summary is None or not summary[0]:
        raise DemoFailed("The session ended without a summary.")
    session, text = summary[0], summary[1].strip("`\n")
    print(f"\n{text}\n", flush=True)
    _run(f"end-of-day/{market}", {"session": session})
    return session


def _run(deployment: str, parameters: Mapping[str, Any]) -> UUID:
    run = runs.start_run(deployment, parameters)
    log = runs.LogReader(run.id, but=SUMMARY_LOG)

    def on_state(state: State[Any]) -> None:
        say(f"{deployment}: {state.name}{f'. {state.message}' if state.message else ''}")

    def on_tick() -> None:
        for line in log.new_lines():
            print(f"    {line}", flush=True)

    end = runs.wait_for_end(run.id, deadline_s=RUN_S, on_state=on_state, on_tick=on_tick)
    if end.name != "Completed":
        raise DemoFailed(f"{deployment} ended as {end.name}: {end.message}")
    return run.id


def _show(home: Path, session: str) -> None:
    print("\nRead back from DuckDB:")
    for sql in (_FILLS, _PNL):
        _query(sql)
    report = home / "reports" / f"{session}.html"
    if not report.exists():
        raise DemoFailed(f"The end of day left no report at {report}.")
    print(f"\nWarehouse: {home / 'warehouse.duckdb'}\nReport:    {report}")
    print(f"Go on:     {GO_ON}", flush=True)


def _query(sql: str) -> None:
    print(f'\n$ multi-trader sql "{sql}"', flush=True)
    command: Sequence[str] = [sys.executable, "-m", "cli", "sql", sql]
    done = subprocess.run(command, cwd=ROOT, check=False)  # noqa: S603  our own words
    if done.returncode:
        raise DemoFailed("The warehouse could not be read back.")
