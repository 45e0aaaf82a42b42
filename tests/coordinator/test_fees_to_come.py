"""Fees that Alpaca has counted and not posted yet are in no book, and may be missing in its cash.

Its page on regulatory fees says: the trading system "keeps track of the accrued FEE amounts
intraday and deducts the pending amounts from account balances", and "at EOD" the day's fees are
charged, rounded up to the cent.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from coordinator.core import messages as m
from coordinator.core import records as r
from coordinator.core.books import Books
from coordinator.core.codec import decode, encode
from coordinator.core.reconcile import ROUNDING_LOOKS
from coordinator.core.review import review
from coordinator.core.values import MINUTE, UNASSIGNED, exactly
from coordinator.shell.agreement import differences, first_sight
from coordinator.shell.broker import Broker
from coordinator.shell.look import Looks
from coordinator.shell.watchdog import Depth
from tests.coordinator.bench import DAY, OPEN, Bench, D, spec
from tests.coordinator.test_listed_activities import OnePage
from tests.coordinator.test_look import Lists
from tests.coordinator.test_reconciler import found

REG, TAF = D("0.823900"), D("0.0390")
"""What is owed to the SEC and to FINRA, before it is rounded."""


def sold() -> Bench:
    """A has bought SPY and sold it again; B wants in at minute 9."""
    bench = Bench(
        spec("A", {("SPY", 0): 1, ("SPY", 5): -1}, cash="40000"),
        spec("B", {("SPY", 9): 1}, max_position_size="0.2"),
    )
    for number, minute in ((1, 0), (2, 5)):
        bench.minute(minute, {"SPY": "200"})
        bench.fill(bench.order("A", number))
    return bench


def looks(bench: Bench, cash: Decimal, *set_aside: Decimal, **more: Any) -> None:
    """As many looks as any guess would need, at this cash and with these fees to come."""
    for _ in range(ROUNDING_LOOKS + 1):
        bench.now += timedelta(seconds=4)
        bench.look(cash, set_aside=set_aside, **more)
        more = {}


def buys_in_minute_9(bench: Bench) -> bool:
    bench.minute(9, {"SPY": "200"})
    return "B" in [order[0] for order in bench.sent()]


def fee(name: str, dollars: str) -> m.Activity:
    """A fee of the day as Alpaca posts it, some hours after the close."""
    return m.Activity(name, "FEE", DAY, "", D(0), None, D(dollars), "on 2026-03-17")


@pytest.mark.parametrize(
    "lacks", [D(0), REG, TAF, REG + TAF], ids=["nothing", "the one", "the other", "both"]
)
@pytest.mark.parametrize("in_cents", [False, True], ids=["exact", "in cents"])
def test_cash_that_lacks_the_fees_to_come_is_no_difference_and_books_nothing(
    lacks: Decimal, in_cents: bool
) -> None:
    bench = sold()
    before = bench.books.ledger.net_cash()
    cash = before - lacks
    looks(bench, cash.quantize(D("0.01")) if in_cents else cash, REG, TAF)
    assert found(bench) == []
    assert bench.of(r.ActivityBooked) == [], "a fee is booked when it is posted"
    assert bench.books.ledger.net_cash() == before
    assert buys_in_minute_9(bench)


def test_fees_that_are_posted_at_last_are_those_of_who_sold_and_cash_agrees_all_along() -> None:
    bench = sold()
    whole = bench.books.ledger.net_cash()
    looks(bench, whole - REG - TAF, REG, TAF)
    charged = whole - D("0.83") - D("0.04")
    looks(bench, charged, activities=(fee("f1", "-0.83"), fee("f2", "-0.04")))
    assert found(bench) == []
    assert bench.books.ledger.net_cash() == charged
    assert bench.books.ledger["A"].fees == D("0.87")
    assert bench.books.ledger[UNASSIGNED].fees == 0


def test_what_is_missing_beyond_the_fees_to_come_is_a_difference_of_so_much() -> None:
    bench = sold()
    whole = bench.books.ledger.net_cash()
    looks(bench, whole - REG - TAF - 5, REG, TAF)
    (told,) = bench.of(r.DiscrepancyFound)
    assert isinstance(told, r.DiscrepancyFound)
    assert (told.kind, told.ours, told.brokers) == ("cash", whole, whole - 5)
    assert not buys_in_minute_9(bench)


def test_fees_to_come_explain_no_more_cash_than_they_are_of() -> None:
    bench = sold()
    looks(bench, bench.books.ledger.net_cash() + REG, REG)
    assert found(bench) == ["cash"]


@exactly
def test_a_start_and_the_reconcile_command_judge_alike() -> None:
    bench = sold()
    books, cash = bench.books, bench.books.ledger.net_cash() - REG
    seen = m.AccountSeen(bench.now, books.posted.version, cash, {}, set_aside=(REG, TAF))
    assert differences(books, seen) == []
    assert review(books, seen, D("0.0025")).differences == ()


def first_seen(lacking: Decimal, *, sells: bool) -> Bench:
    """An account that lacks so much of the fees to come of what a human has sold before; A may sell
    on the same day."""
    start = OPEN - 10 * MINUTE
    books = Books()
    cash = D(50_000) - lacking
    books.apply_all([r.AccountAdopted(start, "PA1", cash, (), set_aside=(REG, TAF))])
    bench = Bench(spec("A", {("SPY", 0): 1, ("SPY", 5): -1}, cash="40000"), books=books)
    if sells:
        for number, minute in ((1, 0), (2, 5)):
            bench.minute(minute, {"SPY": "200"})
            bench.fill(bench.order("A", number))
    return bench


@pytest.mark.parametrize("sells", [False, True])
@pytest.mark.parametrize(
    "lacking",
    [D(0), REG, TAF, REG + TAF, D("0.82"), D("0.87")],
    ids=["none", "one", "other", "both", "c", "C"],
)
def test_fees_that_the_first_cash_lacked_already_are_not_paid_again_when_they_are_posted(
    lacking: Decimal, sells: bool
) -> None:
    bench = first_seen(lacking, sells=sells)
    before = bench.books.ledger.net_cash()
    whole = before + lacking
    looks(bench, before, REG, TAF)
    looks(bench, whole - D("0.88"), activities=(fee("f1", "-0.84"), fee("f2", "-0.04")))
    assert found(bench) == []
    assert abs(bench.books.ledger.net_cash() - (whole - D("0.88"))) < D("0.01")
    payer, other = ("A", UNASSIGNED) if sells else (UNASSIGNED, "A")
    paid = bench.books.ledger[payer].fees
    assert abs(paid - (D("0.88") - lacking)) < D("0.01")
    assert bench.books.ledger[other].fees == 0


@pytest.mark.parametrize(("days", "explained"), [(1, True), (39, True), (41, False)])
def test_cash_that_comes_months_later_is_no_fee_that_was_set_aside_at_first(
    days: int, *, explained: bool
) -> None:
    bench = first_seen(REG, sells=False)
    bench.now += timedelta(days=days)
    looks(bench, bench.books.ledger.net_cash() + REG)
    assert found(bench) == ([] if explained else ["cash"])


def test_what_is_given_back_once_is_not_given_back_again() -> None:
    bench = first_seen(REG, sells=False)
    whole = bench.books.ledger.net_cash() + REG
    looks(bench, whole - D("0.83"), activities=(fee("f1", "-0.83"),))
    looks(bench, whole - D("0.83") + REG)
    (told,) = bench.of(r.DiscrepancyFound)
    assert isinstance(told, r.DiscrepancyFound)
    assert told.off == REG


def test_cash_of_another_sum_than_the_first_cash_lacked_is_a_difference() -> None:
    bench = first_seen(REG, sells=False)
    looks(bench, bench.books.ledger.net_cash() + D("0.50"))
    assert found(bench) == ["cash"]


def test_an_account_is_adopted_with_what_it_has_set_aside() -> None:
    class Fees(Lists):
        def get(self, api: Any, path: str, query: Any) -> Any:
            if path == "/positions":
                return []
            answer = super().get(api, path, query)
            return answer | {"accrued_fees": "0.8239"} if path == "/account" else answer

    adopted = first_sight(Broker(Fees(OPEN.isoformat(), [], None), feed="iex"))
    assert adopted.set_aside == (REG,)
    assert decode(*encode(adopted)) == adopted


ACCOUNT = {"account_number": "PA1", "cash": "-15.26"}


@pytest.mark.parametrize(
    ("fields", "set_aside"),
    [
        ({}, ()),
        ({"accrued_fees": "0", "pending_reg_taf_fees": "0"}, ()),
        ({"accrued_fees": "0.113961944444418396"}, (D("0.113961944444418396"),)),
        ({"accrued_fees": "0.2", "pending_reg_taf_fees": "-0.01"}, (D("0.2"), D("0.01"))),
        ({"accrued_fees": None, "pending_reg_taf_fees": "soon"}, ()),
    ],
)
def test_an_account_says_what_it_has_set_aside(
    fields: dict[str, Any], set_aside: tuple[Decimal, ...]
) -> None:
    class Account(OnePage):
        def get(self, *_: Any) -> Any:
            return ACCOUNT | fields

    assert Broker(Account(), feed="iex").account().set_aside == set_aside


def test_a_look_brings_what_is_set_aside() -> None:
    class Fees(Lists):
        def get(self, api: Any, path: str, query: Any) -> Any:
            more = {"pending_reg_taf_fees": "0.01"} if path == "/account" else None
            answer = super().get(api, path, query)
            return answer | more if more else answer

    bench = sold()
    broker = Broker(Fees(bench.now.isoformat(), [], None), feed="iex")
    seen = Looks(broker, bench.books, bench.now).take(0, Depth.ACCOUNT)
    assert seen.set_aside == (D("0.01"),)
