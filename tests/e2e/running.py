"""A coordinator against a simulator over real sockets, as fast as the simulator's clock allows."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from coordinator.bootstrap import RunOptions, SessionOutcome, run_configured, session_sources
from coordinator.config import parse_config
from coordinator.core.statement import Rows
from simulator.server import Simulator, SimulatorOptions

DAY = date(2026, 3, 17)
CASH = Decimal(1_000_000)
SPEED = 100_000.0
ARMED = {"MULTI_TRADER_ALLOW_LIVE": SimulatorOptions.account_number}
KEYS = {"APCA_API_KEY_ID": "key", "APCA_API_SECRET_KEY": "secret"}


def simulator_options(**changes: Any) -> SimulatorOptions:
    """A simulator that is never slower than its clients."""
    given = {"date": DAY, "clock_speed": SPEED, "cash": CASH} | changes
    return SimulatorOptions(**given)


def environment(simulator: Simulator, home: Path) -> dict[str, str]:
    """What points a coordinator at this simulator, its leases included."""
    return {
        **KEYS,
        "APCA_API_BASE_URL": simulator.url,
        "APCA_API_DATA_URL": simulator.url,
        "APCA_API_STREAM_URL": simulator.stream_url,
        "MULTI_TRADER_HOME": str(home),
    }


def run_here(
    simulator: Simulator,
    config: Mapping[str, Any],
    home: Path,
    *,
    until: datetime | None = None,
    speed: float = SPEED,
) -> SessionOutcome:
    """Run a session in this process, stopped once the venue's clock has passed `until`.

    A configuration of mode live is armed: the simulator takes real money for any other.
    """
    return asyncio.run(_run(simulator, config, home, until, speed))


def run_command(
    simulator: Simulator, config: Path, home: Path, *more: str
) -> subprocess.Popen[str]:
    """`multi-trader run` as a process of its own; its log and summary go to one pipe."""
    return subprocess.Popen(
        [
            sys.executable,
            "-m",
            "cli.main",
            "run",
            "--config",
            str(config),
            "--clock-speed",
            str(SPEED),
            *more,
        ],
        env={**os.environ, **environment(simulator, home), "HOME": str(home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def session_rows(home: Path) -> Rows:
    """The rows of the newest session under `home`."""
    return session_sources(home)[-1].rows()


async def _run(
    simulator: Simulator,
    config: Mapping[str, Any],
    home: Path,
    until: datetime | None,
    speed: float,
) -> SessionOutcome:
    stop, live = asyncio.Event(), config.get("mode") == "live"
    watcher = asyncio.create_task(_stop_after(simulator, until, stop)) if until else None
    try:
        return await run_configured(
            parse_config(config, "test"),
            RunOptions(clock_speed=speed, live=live),
            environment(simulator, home) | (ARMED if live else {}),
            stop=stop,
            leases_folder=home / "leases",
        )
    finally:
        stop.set()
        if watcher is not None:
            await watcher


async def _stop_after(simulator: Simulator, until: datetime, stop: asyncio.Event) -> None:
    await asyncio.to_thread(wait_until, simulator, until, stop.is_set)
    stop.set()


def wait_until(venue: Simulator, moment: datetime, given_up: Callable[[], bool]) -> None:
    """Wait for the venue's clock, or until nobody waits any more."""
    while not given_up() and venue.snapshot().at < moment:
        time.sleep(0.005)
