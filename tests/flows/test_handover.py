"""Crypto's handover at midnight UTC: two real sessions, one venue, and every bar in one of them."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from coordinator.bootstrap import RunOptions, SessionOutcome, session_sources
from coordinator.core import records as r
from coordinator.core.values import MINUTE
from coordinator.shell.journal_reading import read_session
from flows.handover import run_when_free
from flows.stopping import Stop
from simulator.server import Simulator, SimulatorOptions
from tests.e2e.running import wait_until
from tests.flows.sessions import session_on

SPEED = 120.0
MIDNIGHT = datetime(2026, 3, 18, tzinfo=UTC)
TICKERS = ("BTC/USD", "ETH/USD")


@pytest.fixture
def venue() -> Iterator[Simulator]:
    options = SimulatorOptions(
        date=date(2026, 3, 17),
        start=MIDNIGHT - 18 * MINUTE,
        clock_speed=SPEED,
        quiet=frozenset(),
    )
    with Simulator(options) as simulator:
        yield simulator


def configuration(folder: Path) -> Path:
    """A strategy a ticker."""
    strategies = [
        {"name": f"S{n}", "strategy_type": "momentum", "tickers": [ticker], "min_warmup_bars": 5}
        for n, ticker in enumerate(TICKERS)
    ]
    path = folder / "crypto.json"
    path.write_text(json.dumps({"strategies": strategies}))
    return path


def bars_of(home: Path, session_id: str) -> list[tuple[str, datetime]]:
    """Ticker and start of every bar that a session's journal holds, as it stands there."""
    [journal] = home.glob("*/journal.db")
    return [
        (bar.symbol, bar.start)
        for entry in read_session(journal, session_id)
        if isinstance(entry.record, r.BarsSeen | r.HistorySeen)
        for bar in entry.record.bars
    ]


async def two_sessions(venue: Simulator, config: Path, home: Path) -> list[SessionOutcome]:
    """One trades until midnight; the next is started at 23:55, and stopped at 00:10."""

    run = session_on(venue, home)

    async def clock_shows(moment: datetime) -> None:
        await asyncio.to_thread(wait_until, venue, moment, lambda: False)

    options, stop = RunOptions(config=config, clock_speed=SPEED), Stop()
    first = asyncio.create_task(run(options, stop=asyncio.Event()))
    await clock_shows(MIDNIGHT - 5 * MINUTE)
    second = asyncio.create_task(run_when_free(options, stop, run, lambda: venue.snapshot().at))
    await clock_shows(MIDNIGHT + 10 * MINUTE)
    stop.fire("enough seen")
    return [await first, await second]


async def one_session(venue: Simulator, config: Path, home: Path) -> SessionOutcome:
    """The next one is started before midnight with nobody to follow, and stopped at 00:04."""
    stop = asyncio.Event()
    options = RunOptions(config=config, clock_speed=SPEED)
    running = asyncio.create_task(session_on(venue, home)(options, stop=stop))
    await asyncio.to_thread(wait_until, venue, MIDNIGHT + 4 * MINUTE, running.done)
    stop.set()
    return await running


@pytest.mark.thorough
def test_the_bars_until_midnight_are_history_to_a_session_that_is_started_before_it(
    tmp_path: Path,
) -> None:
    options = SimulatorOptions(
        date=date(2026, 3, 17),
        start=MIDNIGHT - 5 * MINUTE,
        clock_speed=SPEED,
        quiet=frozenset(),
    )
    with Simulator(options) as venue:
        outcome = asyncio.run(one_session(venue, configuration(tmp_path), tmp_path))
    assert outcome.status == "StoppedEarly"
    found = Counter(bars_of(tmp_path, outcome.session_id or ""))
    expected = {(t, MIDNIGHT + n * MINUTE) for t in TICKERS for n in range(-60, 3)}
    assert expected <= set(found)
    assert set(found.values()) == {1}


@pytest.mark.slow
def test_no_bar_is_lost_or_doubled_when_the_next_session_takes_over_at_midnight(
    venue: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flows.handover.POLL_S", 0.02)
    ended, next_one = asyncio.run(two_sessions(venue, configuration(tmp_path), tmp_path))
    assert (ended.status, next_one.status) == ("Completed", "StoppedEarly")
    sessions = [source.session_id for source in session_sources(tmp_path)]
    assert sessions == [ended.session_id, next_one.session_id]

    before, after = (bars_of(tmp_path, one) for one in sessions)
    assert max(start for _, start in before) == MIDNIGHT - MINUTE
    assert {(t, MIDNIGHT) for t in TICKERS} <= set(after)
    assert min(start for _, start in after) == MIDNIGHT
    times = Counter(before + after)
    assert set(times.values()) == {1}
    last = max(start for _, start in after)
    assert last >= MIDNIGHT + 8 * MINUTE
    expected = {
        (ticker, MIDNIGHT + n * MINUTE)
        for ticker in TICKERS
        for n in range(-18, (last - MIDNIGHT) // timedelta(minutes=1))
    }
    assert expected <= set(times)
