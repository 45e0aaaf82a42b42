"""A start after the close trades nothing, but ends the day's session if its process died in it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, date, datetime
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
    options = SimulatorOptions(date=date(2026, 3, 17), start=EVENING, account_number=ACCOUNT)
    with Simulator(options) as simulator:
        settings = simulator_settings(simulator.url, home)
        setup = Setup("bench", "paper", "iex", "hash", (STRATEGY,))
        ports = Ports.real(Budgets(settings, speed=600, folder=home / "leases"))
        run = Run(setup=setup, settings=settings, speed=600, check_account=lambda _: None)
        ports = replace(ports, sleep=lambda _: None)
        return asyncio.run(trade_session(run, asyncio.Event(), ports))


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


def test_a_session_whose_books_differ_from_the_account_is_not_ended(tmp_path: Path) -> None:
    dies_in_its_session(tmp_path, cash="100500")
    with pytest.raises(SafetyRefusal, match="the books do not sum to the broker's account"):
        starts_in_the_evening(tmp_path)
    assert ends(tmp_path) == []


def test_an_account_that_was_never_traded_gets_no_journal(tmp_path: Path) -> None:
    assert starts_in_the_evening(tmp_path) is None
    assert not (tmp_path / ACCOUNT).exists()
