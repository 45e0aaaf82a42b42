"""A session over real sockets is paused, flattened and resumed in its midst, from outside."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from coordinator.core import records as r
from coordinator.shell.control_client import ask
from coordinator.shell.control_protocol import Address, Reply, Request, addresses
from coordinator.shell.journal_reading import read_kinds
from simulator.server import Simulator
from tests.e2e.running import run_here, session_rows, simulator_options, wait_until
from tests.oracle import configs

OPEN = datetime(2026, 3, 17, 13, 30, tzinfo=UTC)
ACCOUNT = "PA3SIM000001"
NAME = "momentum_00"
Play = Callable[[Callable[["Outside"], None], int], Path]


class Outside:
    """Somebody beside the session, who asks it at moments of the venue's clock."""

    def __init__(self, venue: Simulator, home: Path) -> None:
        self._venue, self._account = venue, home / ACCOUNT

    def at(self, minute: int) -> None:
        """Wait for a minute after the open."""
        wait_until(self._venue, OPEN + timedelta(minutes=minute), lambda: False)

    def asks(self, do: str, strategy: str = "") -> Reply:
        """One request to the coordinator that runs."""
        [address] = list[Address](addresses(self._account))
        reply = ask(
            address, Request.model_validate({"do": do, "by": "daniel", "strategy": strategy})
        )
        assert reply is not None
        return reply


@pytest.fixture
def play(short_path: Path) -> Play:
    """Plays a story beside a session of so many minutes; the state folder of that session."""

    def run(story: Callable[[Outside], None], minutes: int) -> Path:
        with Simulator(simulator_options()) as venue:
            outside = threading.Thread(target=story, args=(Outside(venue, short_path),))
            outside.start()
            until = OPEN + timedelta(minutes=minutes)
            outcome = run_here(venue, configs.single("momentum"), short_path, until=until)
            outside.join()
            assert outcome.discrepancies == 0
        return short_path

    return run


@pytest.mark.slow
def test_a_strategy_is_flattened_and_buys_nothing_until_it_is_resumed(
    play: Play,
) -> None:
    said: list[Reply] = []

    def story(outside: Outside) -> None:
        outside.at(4)
        said.append(outside.asks("flatten", NAME))
        outside.at(12)
        said.append(outside.asks("status"))
        said.append(outside.asks("resume", NAME))

    home = play(story, 35)
    assert [reply.done for reply in said] == [True, True, True]
    view = said[1].status
    assert view is not None
    assert view.streams == {"orders": "live", "stock bars": "live"}
    assert [(s.halted, s.positions) for s in view.strategies] == [("flattened", {})]

    journal = home / ACCOUNT / "journal.db"
    flattened, resumed = read_kinds(journal, r.FlattenRequested, r.Resumed)
    orders = session_rows(home)["orders"]
    bought = [o["decided_at"] for o in orders if o["side"] == "buy" and o["status"] != "denied"]
    halted = [at for at in bought if flattened.record.at < at < resumed.record.at]
    assert halted == []
    assert min(bought) < flattened.record.at
    assert max(bought) > resumed.record.at
    assert "flatten" in {o["reason"] for o in orders}
    assert "paused" in {o["reason"] for o in orders}


@pytest.mark.thorough
def test_a_session_that_runs_tells_how_it_stands_and_a_pause_is_durable_when_it_is_answered(
    play: Play,
) -> None:
    kept: list[str] = []

    def story(outside: Outside) -> None:
        outside.at(2)
        assert outside.asks("pause", NAME).said.startswith(f"{NAME} is paused")
        journal = outside._account / "journal.db"
        kept.extend(type(e.record).__name__ for e in read_kinds(journal, r.Paused))
        view = outside.asks("status").status
        assert view is not None
        assert view.last_bar is not None

    home = play(story, 6)
    assert kept == ["Paused"]
    assert list((home / ACCOUNT / "control").iterdir()) == []
