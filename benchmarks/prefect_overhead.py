"""Prefect's cost in a coordinator's process, and in its own database, over a whole session.

`python -m benchmarks.prefect_overhead` starts its own server and a run that makes all requests of a
session (its own state every 10 s, a heartbeat every 30 s, progress each minute, the table every
five, its log lines), a thousand times as fast. It measures the process's CPU time over all threads;
idle time is measured separately and scaled to the session's length. A session without the flow does
none of this, so the figure is the difference, without imports. The database counts by what stays in
it: the server drops heartbeats after six hours.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import sqlite3
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from flows.server.children import Child
from flows.server.places import (
    HEARTBEATS_KEPT_S,
    Places,
    client_environment,
    free_port,
    server_environment,
)

MARKETS = {"stocks": 6.5 + 10 / 60, "crypto": 24 + 5 / 60}
"""Hours from a run's start to its end."""
STATE_POLL_S, HEARTBEAT_S, PROGRESS_S, TABLE_S = 10, 30, 60, 300
LINES_AN_HOUR = 60
"""Lines of the coordinator's log: an order and its fill each minute make a busy day."""
STRATEGIES = 10
HEARTBEATS = "heartbeats"
GOAL_CPU, GOAL_MB = 0.01, 5.0


@dataclass(frozen=True, slots=True)
class Cost:
    """The cost of one kind of work: repetitions, CPU seconds, bytes of the database."""

    what: str
    times: int
    cpu_s: float
    stored: int


def main() -> None:
    """Measures both markets' sessions and prints the figures, at the end as JSON."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.prefect_overhead")
    parser.add_argument("--market", choices=[*MARKETS, "both"], default="both")
    parser.add_argument("--idle", type=float, default=30.0, help="seconds to measure idling")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        places, port = Places.under(Path(folder)), free_port()
        environment = client_environment(places, port, os.environ)
        os.environ.update(environment | {"PREFECT_LOGGING_EXTRA_LOGGERS": "coordinator"})
        os.environ["PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW"] = "ignore"
        variables = server_environment(places, port, os.environ)
        server = Child("server", ["server", "start"], variables, places.folder)
        server.start()
        try:
            figures = _measured(places.folder / "prefect.db", options.idle, options.market)
        finally:
            server.stop()
    print(json.dumps(figures))


def _measured(database: Path, idle_s: float, wanted: str) -> dict[str, Any]:
    from prefect import flow

    from flows.server import runs

    if not runs.wait_until(runs.is_healthy, 120):
        raise SystemExit("the server did not answer")
    figures: dict[str, Any] = {}
    for market, hours in MARKETS.items():
        if wanted not in (market, "both"):
            continue

        @flow(name=f"overhead-{market}", persist_result=False)
        async def session(hours: float = hours) -> list[Cost]:
            return await _whole_session(hours * 3_600, database, idle_s)

        figures[market] = _report(market, hours, asyncio.run(session()))
    return figures


async def _whole_session(length_s: float, database: Path, idle_s: float) -> list[Cost]:
    """Makes all requests of a session of `length_s` to Prefect, kind after kind."""
    from flows.board import PrefectBoard
    from flows.showing import percent_gone, state_sentence, strategy_rows, stream_sentence
    from flows.stopping import read_own_state

    board, view = PrefectBoard("overhead"), _view()
    log = logging.getLogger("coordinator")
    log.setLevel(logging.INFO)

    async def progress() -> None:
        await board.show_progress(percent_gone(view), state_sentence(view))

    async def table() -> None:
        await board.show_table(strategy_rows(view), stream_sentence(view))

    async def line() -> None:
        log.info("[Strategy_1] BUY 12.3456 AAPL @ $123.45 (Order ID: 0e7c0c8e-1111-2222-3333)")
        await asyncio.sleep(0)

    kinds = [
        ("looks at its own state", STATE_POLL_S, read_own_state),
        (HEARTBEATS, HEARTBEAT_S, _heartbeat),
        ("progress", PROGRESS_S, progress),
        ("tables", TABLE_S, table),
        ("log lines", 3_600 / LINES_AN_HOUR, line),
    ]
    costs = [await _cost(what, round(length_s / s), do, database) for what, s, do in kinds]
    before_s = time.process_time()
    await asyncio.sleep(idle_s)
    idle_cpu_s = (time.process_time() - before_s) / idle_s * length_s
    return [*costs, Cost("threads that idle", 1, idle_cpu_s, 0)]


async def _cost(what: str, times: int, do: Any, database: Path) -> Cost:
    await do()  # the first one opens connections and starts threads
    await _drained()
    stored, before_s = _stored(database), time.process_time()
    for _ in range(times):
        await do()
    await _drained()
    return Cost(what, times, time.process_time() - before_s, _stored(database) - stored)


async def _heartbeat() -> None:
    """Emits a heartbeat like Prefect's engine."""
    from prefect.events import emit_event
    from prefect.runtime import flow_run

    run = f"prefect.flow-run.{flow_run.get_id()}"
    resource = {"prefect.resource.id": run, "prefect.resource.name": "coordinator stocks_only"}
    emit_event("prefect.flow-run.heartbeat", resource)
    await asyncio.sleep(0)


async def _drained() -> None:
    """Waits until events and log lines are sent, and the server has written them."""
    from prefect.events.worker import EventsWorker
    from prefect.logging.handlers import APILogHandler

    await asyncio.to_thread(EventsWorker.instance().wait_until_empty)
    await APILogHandler.aflush()
    await asyncio.sleep(8)


def _stored(database: Path) -> int:
    """Bytes of the tables and indexes in use."""
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as reader:
        size, pages, free = (
            reader.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("page_size", "page_count", "freelist_count")
        )
    return int(size * (pages - free))


def _view() -> Any:
    from coordinator.core.live_view import LiveView, StrategyView

    cash = Decimal("12345.67")
    held = {symbol: Decimal("12.3456") for symbol in ("AAPL", "MSFT", "GOOGL", "AMZN")}
    strategies = tuple(
        StrategyView(
            name=f"Strategy_{n}",
            initial_cash=cash,
            cash=cash,
            equity=cash,
            pnl=cash,
            day_pnl=cash,
            daily_trades=7,
            positions=held,
            open_orders=2,
        )
        for n in range(STRATEGIES)
    )
    now = datetime(2026, 3, 17, 15, tzinfo=UTC)
    return LiveView(
        at=now,
        account="PA3SIM000001",
        session_id="2026-03-17.overhead.PA3SIM000001",
        coordinator="overhead",
        mode="paper",
        opens_at=now - timedelta(hours=1),
        closes_at=now + timedelta(hours=5),
        strategies=strategies,
        streams={"orders": "live", "stock bars": "live"},
        last_bar=now,
    )


def _report(market: str, hours: float, costs: list[Cost]) -> dict[str, Any]:
    cpu_s, stored = sum(cost.cpu_s for cost in costs), sum(cost.stored for cost in costs)
    share, megabytes = cpu_s / (hours * 3_600), stored / 1e6
    kept = sum(_kept(cost, hours) for cost in costs)
    print(f"coordinator/{market}, a session of {hours:.2f} h with {STRATEGIES} strategies:")
    for cost in costs:
        each = 1_000 * cost.cpu_s / cost.times
        print(
            f"  {cost.times:6,} {cost.what:24} {each:9.2f} ms each {cost.cpu_s:8.2f} s of"
            f" processor {cost.stored / 1e6:8.2f} MB"
        )
    print(f"  {share:.2%} of one core (goal: under {GOAL_CPU:.0%})")
    print(f"  {megabytes:.2f} MB of Prefect's database are written, {kept:.2f} MB stay at its end")
    print(f"  (goal: under {GOAL_MB:.0f} MB)", flush=True)
    return {"cpu_share": share, "cpu_s": cpu_s, "megabytes": megabytes, "kept_megabytes": kept}


def _kept(cost: Cost, hours: float) -> float:
    """Megabytes that are still stored when the session ends."""
    part = min(HEARTBEATS_KEPT_S / (hours * 3_600), 1.0) if cost.what == HEARTBEATS else 1.0
    return part * cost.stored / 1e6


if __name__ == "__main__":
    main()
