"""Of the broker's list of activities all that moved the account is taken in, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

import pytest

from coordinator.core.attribution import attribute
from coordinator.core.records import ActivityKind
from coordinator.core.values import Side
from coordinator.shell.broker import Broker
from coordinator.shell.rest import Api
from tests.coordinator.bench import OPEN, D
from tests.coordinator.test_attribution import books_of, trade

SINCE = date(2026, 3, 11)


class OnePage:
    """A REST port whose list of activities is this page."""

    def __init__(self, *page: Any) -> None:
        self._page = page
        self.asked: list[Mapping[str, Any]] = []

    def get(self, api: Api, path: str, query: Mapping[str, Any]) -> Any:
        self.asked.append(dict(query))
        return list(self._page)

    def post(self, api: Api, path: str, body: Mapping[str, Any]) -> Any:
        raise AssertionError("nothing is posted")

    def delete(self, api: Api, path: str) -> None:
        raise AssertionError("nothing is deleted")


def listed(name: str, kind: str, **more: str) -> dict[str, str]:
    """An activity of twelve dollars as Alpaca lists it."""
    return {"id": name, "activity_type": kind, "date": "2026-03-16", "net_amount": "12", **more}


def ids(*page: Any) -> list[str]:
    """What the broker's answer comes to."""
    return [one.activity_id for one in Broker(OnePage(*page), feed="iex").activities(SINCE)]


@pytest.mark.parametrize(
    ("status", "counts"),
    [("executed", True), ("correct", True), ("canceled", False), ("pending", False), ("?", True)],
)
def test_what_was_called_off_or_is_still_to_come_has_moved_nothing(
    status: str, counts: bool
) -> None:
    page = OnePage(listed("a", "DIV", symbol="SPY"), listed("b", "CSD", status=status))
    books = books_of({"A": "1"})
    found = [
        posting.activity_id
        for one in Broker(page, feed="iex").activities(SINCE)
        for posting in attribute(books, one, OPEN)
    ]
    assert found == (["a", "b"] if counts else ["a"])


DIVIDEND = listed("20260316000000000::d-1", "DIV", symbol="SPY")
CANCELED = {"status": "canceled"}
TAKEN_BACK: dict[str, tuple[list[dict[str, str]], str]] = {
    "it is listed as canceled": ([DIVIDEND | CANCELED], "0"),
    "another one is listed that cancels it": (
        [DIVIDEND, listed("20260317::d-2", "DIV", symbol="SPY", previous_id="d-1") | CANCELED],
        "0",
    ),
    "another one is listed that corrects it": (
        [
            DIVIDEND,
            listed("20260317::d-2", "DIV", symbol="SPY", previous_id="d-1", status="correct")
            | {"net_amount": "9"},
        ],
        "9",
    ),
    "another one corrected it, and that is called off": (
        [
            DIVIDEND,
            listed("20260317::d-2", "DIV", symbol="SPY", previous_id="d-1", status="correct")
            | {"net_amount": "9"},
            listed("20260317::d-2", "DIV", symbol="SPY", previous_id="d-1") | CANCELED,
        ],
        "0",
    ),
    "it is canceled, and another one has the right amount": (
        [DIVIDEND | CANCELED, listed("20260317::d-2", "DIV", symbol="SPY") | {"net_amount": "9"}],
        "9",
    ),
    "another one that was never booked is canceled": (
        [DIVIDEND, listed("20260317::d-2", "DIV", symbol="SPY") | CANCELED],
        "12",
    ),
}


@pytest.mark.parametrize("then", TAKEN_BACK)
def test_what_was_executed_and_is_taken_back_later_leaves_the_books_that_had_it_once(
    then: str,
) -> None:
    later, left = TAKEN_BACK[then]
    books = books_of({"A": "1", "B": "2"})
    cash = {name: account.cash for name, account in books.ledger.accounts.items()}
    for page in ([DIVIDEND], later, later, [*later, *later]):
        for one in Broker(OnePage(*page), feed="iex").activities(SINCE):
            books.apply_all(attribute(books, one, OPEN))
    gained = {name: books.ledger[name].cash - before for name, before in cash.items()}
    assert gained["A"] + gained["B"] == D(left) == books.ledger.net_cash() - sum(cash.values())
    assert gained["A"] == D(left) / 3
    assert books.ledger["A"].realized == gained["A"]


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("FEE", {"description": "TAF fee for proceed of 2 shares on 2026-03-16"}),
        ("INT", {}),
        ("CSW", {"net_amount": "-500"}),
        ("JNLS", {"symbol": "SPY", "qty": "7", "price": "100", "net_amount": "0"}),
    ],
)
def test_whatever_is_called_off_after_it_was_booked_is_taken_back_once(
    kind: str, more: dict[str, str]
) -> None:
    books = books_of({"A": "3"})
    before = books.ledger.net_cash(), books.ledger.net_positions()
    row = listed("20260316000000000::x", kind, **more)
    for page in ([row], [row | CANCELED], [row | CANCELED]):
        for one in Broker(OnePage(*page), feed="iex").activities(SINCE):
            books.apply_all(attribute(books, one, OPEN))
    assert (books.ledger.net_cash(), books.ledger.net_positions()) == before
    assert len(books.posted.activities) == 2, "the activity, and its reversal"


def test_a_fill_in_a_list_of_other_activities_is_no_other_activity() -> None:
    broker = Broker(OnePage(listed("a", "FILL"), listed("b", "DIV"), 7), feed="iex")
    assert [one.activity_id for one in broker.activities(SINCE)] == ["b"]
    assert broker.malformed == 1, "a fill is no garbage, a number is"


def test_all_types_are_asked_for_whatever_they_are_called() -> None:
    page = OnePage(listed("a", "CGD"), listed("b", "CIL"), listed("c", "NEW"))
    found = Broker(page, feed="iex").activities(SINCE)
    assert [one.kind for one in found] == ["CGD", "CIL", "NEW"]
    (query,) = page.asked
    assert query["category"] == "non_trade_activity"
    assert "activity_types" not in query, "Alpaca takes one of the two"


def test_a_fund_that_distributes_its_gains_pays_those_who_hold_it() -> None:
    (gains,) = Broker(OnePage(listed("a", "CGD", symbol="SPY")), feed="iex").activities(SINCE)
    books = books_of({"A": "1", "B": "2"})
    paid = {one.strategy: one.amount for one in attribute(books, gains, OPEN)}
    assert paid == {"A": D(4), "B": D(8)}
    assert {one.kind for one in attribute(books, gains, OPEN)} == {ActivityKind.DIVIDEND}


@pytest.mark.parametrize(
    ("kind", "note", "day"),
    [
        ("FEE", "TAF fee for proceed of 1572 shares (89 trades) on 2026-03-13", "2026-03-13"),
        ("FEE", "TAF fee for proceed of 2 shares (1 trades) on 2026-03-13 by 87022", "2026-03-13"),
        ("FEE", "TAF fee for proceed of 2 shares (1 trades)", "2026-03-16"),
        ("FEE", "REG fee for proceed of $5.00 on 2026-03-17", "2026-03-16"),  # a day to come
        ("FEE", "REG fee for proceed of $5.00 on 2025-03-16", "2026-03-16"),  # of long ago
        ("FEE", "REG fee for proceed of $5.00 on 2026-03-99", "2026-03-16"),
        ("DIV", "Cash DIV @ 0.51, held on 2026-03-13", "2026-03-16"),
    ],
)
def test_a_fee_is_of_the_date_of_the_sales_that_its_description_names(
    kind: str, note: str, day: str
) -> None:
    fee = listed("a", kind, description=note, net_amount="-0.31")
    (told,) = Broker(OnePage(fee), feed="iex").activities(SINCE)
    assert told.day.isoformat() == day


def test_a_fee_that_is_listed_days_later_is_paid_by_who_sold_then() -> None:
    friday, monday = OPEN - timedelta(days=4), OPEN - timedelta(days=1)
    books = books_of({}, begun_at=friday - timedelta(days=1))
    trade(books, "A", Side.SELL, "SPY", "10", "100", at=friday)
    trade(books, "B", Side.SELL, "SPY", "10", "100", at=monday)
    fee = listed("a", "FEE", description=f"TAF fee for proceed of 10 shares on {friday.date()}")
    (told,) = Broker(OnePage(fee | {"net_amount": "-0.02"}), feed="iex").activities(SINCE)
    assert {one.strategy: one.amount for one in attribute(books, told, OPEN)} == {"A": D("-0.02")}


def test_a_dividend_in_shares_is_known_by_its_sub_type() -> None:
    shares = listed("a", "DIV", symbol="SPY", activity_sub_type="SDIV", qty="3") | {
        "net_amount": "0"
    }
    (told,) = Broker(OnePage(shares), feed="iex").activities(SINCE)
    books = books_of({"A": "1", "B": "2"})
    postings = attribute(books, told, OPEN)
    assert {one.strategy: one.qty for one in postings} == {"A": D(1), "B": D(2)}
    assert {one.kind for one in postings} == {ActivityKind.SPLIT}


def test_a_depositarys_fee_is_of_those_who_hold_the_shares_and_not_of_who_sold_that_day() -> None:
    fee = listed("a", "FEE", symbol="SPY", activity_sub_type="ADR") | {"net_amount": "-0.06"}
    (told,) = Broker(OnePage(fee), feed="iex").activities(SINCE)
    paid = {p.strategy: p for p in attribute(books_of({"A": "1", "B": "2"}), told, OPEN)}
    assert {name: one.amount for name, one in paid.items()} == {"A": D("-0.02"), "B": D("-0.04")}
    assert {one.kind for one in paid.values()} == {ActivityKind.FEE}
