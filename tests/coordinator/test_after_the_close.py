"""A start after the close trades nothing, but ends the day's session if its process died in it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from coordinator.core import records as r
from coordinator.core.setup import Setup
from coordinator.errors import SafetyRefusal
from coordinator.settings import simulator_settings
from coordinator.shell.journal import Journal
from coordinator.shell.pace import Budgets
from coordinator.shell.ports import Ports
from coordinator.shell.run import Run, RunResult
from coordinator.shell.session import trade_session
from simulator.server import Simulator, SimulatorOptions
from tests.coordinator.bench import STOCKS, Bench, spec

ACCOUNT, EVENING = "PA1", datetime(2026, 3, 17, 20, 30, tzinfo=UTC)
STRATEGY = spec("A", {("SPY", 0): 1}, cash="1000")


def dies_in_its_session(home: Path, cash: str = "100000") -> None:
    """The journal of a session in which the account had this cash, up to a death in it."""
    bench = Bench(STRATEGY, plan=STOCKS, cash=cash)
    journal = Journal(home / ACCOUNT / "journal.db", ACCOUNT, "bench")
    journal.append(bench.name.session_id, bench.records)
    journal.close()


def starts_in_the_evening(home: Path) -> RunResult | None:
    """A start against a broker whose account has $100,000, half an hour after the close."""
    return starts(home, EVENING)


def trades_the_next_day(
    home: Path, leaving: Callable[[Simulator], object] = lambda _: None
) -> RunResult | None:
    """A session of the next day that is stopped as soon as it trades."""
    return starts(home, datetime(2026, 3, 18, 15, tzinfo=UTC), leaving)


def starts(
    home: Path, now: datetime, leaving: Callable[[Simulator], object] = lambda _: None
) -> RunResult | None:
    """A start at this time of the broker's clock; a session that trades is stopped at once.

    `leaving` is called when it trades no more, and is not ended yet.
    """
    stop = asyncio.Event()
    options = SimulatorOptions(date=now.date(), start=now, account_number=ACCOUNT)
    with Simulator(options) as simulator:

        @asynccontextmanager
        async def stops(_: object) -> AsyncIterator[None]:
            stop.set()
            yield
            leaving(simulator)

        settings = simulator_settings(simulator.url, home)
        setup = Setup("bench", "paper", "iex", "hash", (STRATEGY,))
        ports = Ports.real(Budgets(settings, speed=600, folder=home / "leases"))
        run = Run(setup, settings, 600, lambda _: None, observers=(stops,))
        ports = replace(ports, sleep=lambda _: None)
        return asyncio.run(trade_session(run, stop, ports))


def ends(home: Path) -> list[r.SessionEnd]:
    """How the sessions in the journal have ended."""
    journal = Journal(home / ACCOUNT / "journal.db", ACCOUNT, "reader")
    found = [entry.record for entry in journal.replay()]
    journal.close()
    return [record.status for record in found if isinstance(record, r.SessionEnded)]


def test_a_session_that_died_is_ended_once(tmp_path: Path) -> None:
    dies_in_its_session(tmp_path)
    for _ in range(2):
        assert starts_in_the_evening(tmp_path) is None
        assert ends(tmp_path) == [r.SessionEnd.STOPPED_EARLY]


def test_a_session_that_died_is_ended_by_the_next_days(tmp_path: Path) -> None:
    dies_in_its_session(tmp_path)
    assert trades_the_next_day(tmp_path) is not None
    assert ends(tmp_path) == [r.SessionEnd.STOPPED_EARLY] * 2


def test_what_differs_from_the_account_at_the_very_end_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def loses_money(simulator: Simulator) -> None:
        simulator.exchange.venue.ledger.pay(Decimal(-25))

    result = trades_the_next_day(tmp_path, loses_money)
    assert result is not None
    assert result.discrepancies == 1
    assert [line for line in caplog.messages if line.startswith("⚠ discrepancy: ")]


def test_a_session_whose_books_differ_from_the_account_is_not_ended(tmp_path: Path) -> None:
    dies_in_its_session(tmp_path, cash="100500")
    with pytest.raises(SafetyRefusal, match="the books do not sum to the broker's account"):
        starts_in_the_evening(tmp_path)
    assert ends(tmp_path) == []


def test_an_account_that_was_never_traded_gets_no_journal(tmp_path: Path) -> None:
    assert starts_in_the_evening(tmp_path) is None
    assert not (tmp_path / ACCOUNT).exists()
