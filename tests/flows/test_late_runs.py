"""Runs that were missed while a worker was down all start at once: one trades, or none, no harm."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from prefect import State

from coordinator.bootstrap import RunOptions, SessionOutcome, loadable, session_sources
from flows.coordinator import session_state
from flows.stopping import Stop
from simulator.server import Simulator, SimulatorOptions
from tests.flows.sessions import session_on
from tests.flows.shells import wait_until

SPEED = 2_000.0


async def started_at_once(
    venue: Simulator, config: Path, home: Path, count: int, trading: int
) -> Sequence[Any]:
    """So many runs of one configuration; those that trade are stopped once the others have ended.

    One that is stopped while it starts has opened no session, and has not seen whether it may.
    """

    run = session_on(venue, home)

    async def state(stop: Stop) -> State[Any]:
        return await session_state(
            RunOptions(config=config, clock_speed=SPEED),
            stop,
            run=run,
            read_state=_nobody,
            publish=_nothing,
            send=lambda *_: None,
        )

    stops = [Stop() for _ in range(count)]
    runs = [asyncio.create_task(state(stop)) for stop in stops]
    ended = asyncio.as_completed(runs)
    for one in itertools.islice(ended, count - trading):
        await one
    await asyncio.to_thread(wait_until, lambda: len(loadable(home).sources) >= trading)
    for stop in stops:
        stop.fire("enough seen")
    return await asyncio.gather(*runs)


async def _nobody() -> None:
    return None


async def _nothing(outcome: SessionOutcome) -> None:
    pass


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("utc", "names", "sessions"),
    [
        pytest.param("15:00", ["AlreadyRunning", "AlreadyRunning", "StoppedEarly"], 1, id="midday"),
        pytest.param("20:30", ["MarketClosed"] * 3, 0, id="after the close"),
    ],
)
def test_runs_that_were_missed_and_start_at_once_do_no_harm(
    tmp_path: Path, utc: str, names: list[str], sessions: int
) -> None:
    config = tmp_path / "late.json"
    strategy = {"name": "A", "strategy_type": "momentum", "tickers": ["SPY"], "min_warmup_bars": 5}
    config.write_text(json.dumps({"strategies": [strategy]}))
    start = datetime.fromisoformat(f"2026-03-17T{utc}").replace(tzinfo=UTC)
    options = SimulatorOptions(date=date(2026, 3, 17), start=start, clock_speed=SPEED)
    with Simulator(options) as venue:
        states = asyncio.run(started_at_once(venue, config, tmp_path, 3, sessions))
    ended = sorted(str(state.name) for state in states)
    # Those that ask while another only looks at the calendar are told of its lease.
    assert set(ended) <= {*names, "AlreadyRunning"}
    assert ended.count("StoppedEarly") == names.count("StoppedEarly")
    assert all(state.is_completed() for state in states)
    assert len(session_sources(tmp_path)) == sessions
