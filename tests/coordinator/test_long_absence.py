"""What moved an account while nobody traded it is found and booked, however long that was."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest

from coordinator.core import messages as m
from coordinator.core.values import UNASSIGNED
from coordinator.readers import session_sources
from tests.coordinator.bench import DAY, OPEN, STOCKS, D
from tests.proof.seat import Rest, Seat, minute_bars, spec
from tests.proof.truth import BY_HAND, NANO, Truth, told

A_DAY = timedelta(days=1)


class Dated(Rest):
    """REST that lists activities since a date, as Alpaca's does."""

    def activities(self, since: date) -> list[m.Activity]:
        return [one for one in self._truth.activities if one.day >= since]


class Office:
    """An account on which A holds 180 SPY of 190, and the coordinators that may trade it."""

    def __init__(self, folder: Path) -> None:
        self.now = OPEN
        self.truth = Truth(100_000 * NANO * NANO)
        self.truth.held["SPY"] = 10 * NANO
        self.rest = Dated(self.truth, lambda: self.now, cents=False)
        self.path = folder / "PA1" / "journal.db"
        self.path.parent.mkdir()
        self.seat = self.coordinator("X", "A")
        self._buy()

    def coordinator(self, name: str, strategy: str) -> Seat:
        """A coordinator of one strategy, that buys SPY at each bar."""
        specs = [spec(strategy, ("SPY",), {(strategy, "SPY"): 1}, "20000")]
        return Seat(name, specs, self.path, self.rest, STOCKS, crossing=False)

    def _buy(self) -> None:
        assert self.seat.start(self.now, lambda _: None)
        self.now += timedelta(seconds=61)
        self.seat.take(minute_bars(OPEN, {"SPY": 100 * NANO}, ["SPY"]))
        (order,) = (c for c in self.seat.wire if isinstance(c, m.SubmitOrder))
        ticket = self.truth.accept(order.client_order_id, "A", "SPY", 1, 180 * NANO, self.now)
        deal = self.truth.execute(ticket, ticket.left, 100 * NANO, self.now)
        self.seat.take(told(ticket, self.now, deal.told("stream")))


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    made = Office(tmp_path)
    yield made
    made.seat.stop()


@pytest.mark.parametrize("weeks", [1, 2, 9])
def test_a_dividend_and_a_split_of_an_absence_of_weeks_reach_who_held_the_stock(
    office: Office, weeks: int
) -> None:
    office.seat.stop()
    office.truth.post("DIV", DAY + A_DAY, "SPY", cash=190 * NANO * NANO)
    office.truth.post("SPLIT", DAY + 2 * A_DAY, "SPY", units=190 * NANO)
    office.truth.post("CSD", DAY + 3 * A_DAY, cash=5 * NANO * NANO)
    office.now += weeks * 7 * A_DAY
    assert office.seat.start(office.now, lambda _: None), office.seat.refused
    ledger = office.seat.books.ledger
    assert (ledger["A"].cash, ledger["A"].positions["SPY"].qty) == (D(2180), D(360))
    assert ledger[UNASSIGNED].positions["SPY"].qty == D(20)
    assert ledger.net_cash() == D(82_195)


def test_a_coordinator_that_comes_weeks_after_another_one_left_finds_the_same(
    office: Office,
) -> None:
    office.seat.stop()
    office.truth.post("DIV", DAY + A_DAY, "SPY", cash=190 * NANO * NANO)
    office.now += 30 * A_DAY
    other = office.coordinator("Y", "B")
    assert other.start(office.now, lambda _: None), other.refused
    assert other.books.ledger["A"].cash == D(2180)
    other.stop()


@pytest.mark.parametrize("days", [-1, 1], ids=["before the session", "after it"])
def test_shares_with_a_date_of_months_ago_are_found_if_they_were_listed_since(
    office: Office, days: int
) -> None:
    """Alpaca's example of a dividend in shares is of August 26, and was listed on November 22."""
    office.seat.stop()
    shares = office.truth.post("SDIV", DAY - 88 * A_DAY, "SPY", units=19 * NANO)
    office.truth.activities[:] = [replace(shares, at=OPEN + days * A_DAY)]
    office.now += 2 * A_DAY
    starts = office.seat.start(office.now, lambda _: None)
    assert starts is (days > 0), office.seat.refused
    if starts:
        ledger = office.seat.books.ledger
        held = [ledger[name].positions["SPY"].qty for name in ("A", UNASSIGNED)]
        assert held == [D(198), D(11)]


def test_what_moved_an_account_before_it_was_first_seen_is_not_booked_later(tmp_path: Path) -> None:
    truth = Truth(100_000 * NANO * NANO)
    truth.post("CSD", DAY - 3 * A_DAY, cash=5 * NANO * NANO)
    truth.post("CSD", DAY - 9 * A_DAY, cash=5 * NANO * NANO)
    now = OPEN
    rest = Dated(truth, lambda: now, cents=False)
    seat = Seat(
        "X", [spec("A", ("SPY",), {}, "20000")], tmp_path / "journal.db", rest, STOCKS,
        crossing=False,
    )  # fmt: skip
    for later in range(0, 20, 5):
        now = OPEN + later * A_DAY
        assert seat.start(now, lambda _: None), seat.refused
        assert seat.books.ledger.net_cash() == D(100_010)
        seat.stop()


def test_what_a_coordinator_finds_at_its_first_start_stands_in_the_session_before_it(
    office: Office, tmp_path: Path
) -> None:
    office.seat.stop()
    by_hand = office.truth.accept("app-1", BY_HAND, "QQQ", 1, 3 * NANO, office.now)
    office.truth.execute(by_hand, by_hand.left, 50 * NANO, office.now)
    office.truth.post("CSD", DAY, cash=5000 * NANO * NANO)
    office.now += A_DAY
    other = office.coordinator("Y", "B")
    assert other.start(office.now, lambda _: None), other.refused
    other.stop()
    first, _ = (source.rows() for source in session_sources(tmp_path))
    assert [fill["symbol"] for fill in first["fills"]] == ["SPY", "QQQ"]
    (left,) = (day for day in first["pnl_daily"] if day["strategy"] == UNASSIGNED)
    assert (left["fills"], left["transfers"]) == (1, D(-15_000))


@pytest.mark.parametrize("cents", [-19, -3358])
def test_what_moved_cash_and_is_listed_only_after_the_start_first_looked_is_booked_as_what_it_is(
    office: Office, monkeypatch: pytest.MonkeyPatch, cents: int
) -> None:
    office.seat.stop()
    office.truth.post("CSW", DAY + A_DAY, cash=cents * NANO * NANO // 100)
    office.now += A_DAY
    listed, asked = office.rest.activities, list[date]()

    def late(since: date) -> list[m.Activity]:
        asked.append(since)
        return listed(since) if len(asked) > 1 else []

    monkeypatch.setattr(office.rest, "activities", late)
    assert office.seat.start(office.now, lambda _: None), office.seat.refused
    rows = session_sources(office.path.parents[1])[-1].rows()
    moved = [(a["kind"], a["amount"]) for a in rows["activities"] if a["strategy"] == UNASSIGNED]
    assert moved[1:] == [("transfer", D(cents) / 100)], "the first is A's capital"
