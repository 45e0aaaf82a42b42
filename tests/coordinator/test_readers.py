"""Reading journals beside their coordinators: for the end of day, and for `status`."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from coordinator.core import records as r
from coordinator.core.values import MINUTE, UNASSIGNED
from coordinator.readers import running_sessions, session_sources
from coordinator.shell import late
from coordinator.shell.journal import Journal
from coordinator.shell.journal_file import Reader
from coordinator.shell.lease import Leases
from coordinator.status import read_status
from tests.coordinator.bench import STOCKS, Bench, D, spec
from tests.coordinator.test_statement import (
    a_day,
    the_next_day,
    the_next_day_without_the_strategy_that_holds,
)


def keep(home: Path, records: list[r.Record], account: str = "PA1", name: str = "bench") -> None:
    """Write records as their coordinator would have, each session under its id."""
    journal = Journal(home / account / "journal.db", account, name)
    journal.skip_to_end()
    session, begins = "", list[r.Record]()
    for record in records:
        if isinstance(record, r.SessionOpened | r.SessionResumed):
            session = record.session_id
            journal.append(session, begins)
            begins = []
        if session:
            journal.append(session, [record])
        else:
            begins.append(record)  # the account's adoption and first funding are its session's
    journal.append("", begins)
    journal.close()


def paper(records: Sequence[r.Record]) -> Iterator[r.Record]:
    """The same records of a paper account, whose journal matters when nobody runs."""
    for record in records:
        yield replace(record, mode="paper") if isinstance(record, r.SessionOpened) else record


def holding() -> Bench:
    bench = Bench(
        spec("A", {("SPY", 0): 1}, max_position_size="0.5"),
        spec("B", {("SPY", 1): 1}),
        plan=STOCKS,
    )
    bench.minute(0, {"SPY": "100"})
    bench.fill(bench.order("A"))
    bench.minute(1, {"SPY": "110"})
    return bench


def test_status_tells_each_strategys_book_of_a_session_that_never_ended(tmp_path: Path) -> None:
    keep(tmp_path, holding().records)
    (view,) = read_status(tmp_path)
    assert (view.account, view.coordinator, view.mode, view.state) == (
        "PA1",
        "bench",
        "simulated",
        "not running",
    )
    assert [one.name for one in view.strategies] == ["A", "B"]
    one, two = view.strategies
    assert (one.cash, one.equity, one.pnl, one.day_pnl) == (D(5000), D(10_500), D(500), D(500))
    assert (dict(one.positions), one.daily_trades, one.open_orders) == ({"SPY": D(50)}, 1, 0)
    assert (two.equity, two.daily_trades, two.open_orders) == (D(10_000), 1, 1)


def test_status_reads_no_strategy_of_the_sessions_before_however_many_they_are(
    tmp_path: Path,
) -> None:
    opened = next(record for record in holding().records if isinstance(record, r.SessionOpened))
    keep(tmp_path, [replace(opened, session_id="yesterday")])
    with sqlite3.connect(tmp_path / "PA1" / "journal.db") as journal:
        journal.execute("UPDATE records SET body = '{}'")  # reading it would be refused
    keep(tmp_path, holding().records)
    (view,) = read_status(tmp_path)
    assert (view.session_id, len(view.strategies)) == (opened.session_id, 2)


A_MOVED_TWICE = (("first", "AB"), ("second", "AB"), ("third", "A"), ("crypto", ""))
A_MOVED_AND_IS_RUN_NO_MORE = (("first", "AB"), ("second", "A"), ("second", ""))


@pytest.mark.parametrize(
    ("sessions", "shows"),
    [
        (A_MOVED_TWICE, {"second": ["B"], "third": ["A"], "crypto": []}),
        (A_MOVED_AND_IS_RUN_NO_MORE, {"first": ["B"], "second": []}),
    ],
)
def test_status_has_a_strategy_once_where_it_ran_last_though_its_file_has_another_name(
    tmp_path: Path, sessions: Sequence[tuple[str, str]], shows: dict[str, list[str]]
) -> None:
    def day(number: int, name: str, *strategies: str) -> list[r.Record]:
        (opened,) = (one for one in holding().records if isinstance(one, r.SessionOpened))
        openings = tuple(o for o in opened.openings if o.strategy in {*strategies, UNASSIGNED})
        return [replace(opened, session_id=f"{number}.{name}", coordinator=name, openings=openings)]

    for number, (name, strategies) in enumerate(sessions):
        keep(tmp_path, day(number, name, *strategies), name=name)
    shown = {v.coordinator: [s.name for s in v.strategies] for v in read_status(tmp_path)}
    assert shown == shows


@pytest.mark.parametrize("story", [the_next_day, the_next_day_without_the_strategy_that_holds])
def test_status_and_rows_of_a_session_that_began_with_orders_of_the_one_before(
    tmp_path: Path, story: object
) -> None:
    keep(tmp_path, story())  # type: ignore[operator]
    (view,) = read_status(tmp_path)
    assert view.session_id == "2026-03-18.bench.PA1"
    assert view.state == "Completed"
    sources = session_sources(tmp_path)
    assert [source.session_id for source in sources] == ["2026-03-18.bench.PA1"]
    assert sources[0].rows()["fills"]


def test_sessions_are_listed_over_all_accounts_or_one_by_its_id(tmp_path: Path) -> None:
    keep(tmp_path, a_day(), "PA1")
    keep(tmp_path, holding().records, "SIM0001")
    listed = [(s.journal.parent.name, s.session_id) for s in session_sources(tmp_path)]
    assert listed == [("PA1", "2026-03-17.bench.PA1"), ("SIM0001", "2026-03-17.bench.PA1")]
    assert len(read_status(tmp_path)) == 2
    assert session_sources(tmp_path, "no such session") == []
    assert session_sources(tmp_path / "nowhere") == []


@pytest.mark.parametrize("question", [late._SUSPECTS, late._MOVES, late._INTENTS])
def test_what_was_booked_late_is_sought_without_reading_every_record(
    tmp_path: Path, question: str
) -> None:
    keep(tmp_path, a_day())
    given = ("[]",) if "?" in question else ()
    with Reader(tmp_path / "PA1" / "journal.db") as connection:
        steps = connection.execute("EXPLAIN QUERY PLAN " + question, given).fetchall()
    searches = [step for *_, step in steps if "records" in step or " r " in f" {step} "]
    assert searches
    assert all(step.startswith("SEARCH") for step in searches), searches


def test_a_sources_mark_changes_with_its_records(tmp_path: Path) -> None:
    bench = holding()
    keep(tmp_path, bench.records)
    (before,) = session_sources(tmp_path)
    journal = Journal(tmp_path / "PA1" / "journal.db", "PA1", "bench")
    journal.skip_to_end()
    end = r.SessionEnded(bench.now + MINUTE, before.session_id, r.SessionEnd.COMPLETED, None, {})
    journal.append(bench.name.session_id, [end])
    journal.close()
    (after,) = session_sources(tmp_path)
    assert (before.session_id, before.mark != after.mark) == (after.session_id, True)
    assert read_status(tmp_path)[0].state == "Completed"


def test_nobodys_book_is_no_strategy(tmp_path: Path) -> None:
    keep(tmp_path, holding().records)
    assert [one.name for one in read_status(tmp_path)[0].strategies] == ["A", "B"]


def found(name: str, kind: str) -> r.DiscrepancyFound:
    note = f"{name} differs"
    return r.DiscrepancyFound(STOCKS.end, kind, "SPY", UNASSIGNED, D(1), D(2), note, name)


def test_status_tells_whether_the_account_is_killed_whoever_wrote_that(tmp_path: Path) -> None:
    keep(tmp_path, holding().records)
    for record, killed in [
        (r.Killed(STOCKS.end, "me"), True),
        (r.Killed(STOCKS.end, "me"), True),
        (r.Revived(STOCKS.end, "me"), False),
    ]:
        keep(tmp_path, [record], name="operator")
        assert [view.killed for view in read_status(tmp_path)] == [killed]
    keep(tmp_path, holding().records, "PA2")
    keep(tmp_path, [r.Killed(STOCKS.end, "me")], "PA2", name="operator")
    assert [view.killed for view in read_status(tmp_path)] == [False, True]


def test_status_tells_what_is_frozen_until_it_is_resolved(tmp_path: Path) -> None:
    bench = holding()
    keep(tmp_path, [*bench.records, found("position.SPY", "position"), found("cash", "cash")])
    (view,) = read_status(tmp_path)
    assert view.frozen == {"position.SPY": "position.SPY differs", "cash": "cash differs"}
    keep(tmp_path, [r.DiscrepancyResolved(STOCKS.end, "cash", "accepted by me")], name="operator")
    assert list(read_status(tmp_path)[0].frozen) == ["position.SPY"]


def test_a_leap_of_a_price_freezes_the_session_that_saw_it_and_no_later_one(tmp_path: Path) -> None:
    leap = found("price.SPY", "price")
    journal = Journal(tmp_path / "PA1" / "journal.db", "PA1", "bench")
    journal.append("an earlier session", [leap])
    journal.close()
    keep(tmp_path, holding().records)
    keep(tmp_path, [*holding().records, leap], "PA2")
    assert [list(view.frozen) for view in read_status(tmp_path)] == [[], ["price.SPY"]]


@pytest.mark.parametrize(
    ("holds", "is_over", "running"),
    [
        pytest.param("bench", False, True, id="it trades"),
        pytest.param("bench", True, False, id="its next session holds the lease already"),
        pytest.param("other", False, False, id="its writer is gone, another trades"),
        pytest.param(None, False, False, id="its writer is gone"),
    ],
)
def test_a_session_runs_while_it_has_no_end_and_its_coordinator_holds_the_lease(
    tmp_path: Path, holds: str | None, is_over: bool, running: bool
) -> None:
    bench = holding()
    assert bench.books.session is not None
    session = bench.books.session.session_id
    records: list[r.Record] = list(bench.records)
    if is_over:
        records.append(r.SessionEnded(bench.now, session, r.SessionEnd.COMPLETED, None, {}))
    keep(tmp_path, records)
    with Leases(tmp_path / "leases") as leases:
        if holds:
            leases.take_for_coordinator("PA1", holds, host="127.0.0.1:1")
        found = running_sessions(tmp_path, tmp_path / "leases")
    assert found == ({session: "bench"} if running else {})


def test_a_session_that_was_resumed_after_its_end_runs_again(tmp_path: Path) -> None:
    bench = holding()
    assert bench.books.session is not None
    session = bench.books.session.session_id
    ended = r.SessionEnded(bench.now, session, r.SessionEnd.STOPPED_EARLY, None, {})
    keep(tmp_path, [*bench.records, ended, r.SessionResumed(bench.now, session)])
    with Leases(tmp_path / "leases") as leases:
        leases.take_for_coordinator("PA1", "bench")
        assert running_sessions(tmp_path, tmp_path / "leases") == {session: "bench"}
