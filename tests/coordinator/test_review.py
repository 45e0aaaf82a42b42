"""A look at the account is judged on a copy: what it proves and what it leaves open."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from coordinator.core import messages as m
from coordinator.core.fees import CRYPTO_FEE_RATE
from coordinator.core.orders import OrderStatus
from coordinator.core.review import Review, review
from coordinator.core.values import UNASSIGNED, Side, exactly
from tests.coordinator.bench import Bench, D, report, spec, stranger


def long_a() -> Bench:
    """A holds 20 SPY, bought at 100, and wants out in minute 5, in which B wants in."""
    bench = Bench(
        spec("A", {("SPY", 0): 1, ("SPY", 5): -1}, max_position_size="0.2"),
        spec("B", {("SPY", 5): 1}, max_position_size="0.2"),
    )
    bench.minute(0, {"SPY": "100"})
    bench.fill(bench.order("A"))
    return bench


@exactly
def judged(bench: Bench, cash: str = "98000", spy: str = "20", **more: Any) -> Review:
    """The review of an account that holds so much; the books stay as they are."""
    before = deepcopy(bench.books)
    version = bench.books.posted.version
    seen = m.AccountSeen(bench.now, version, D(cash), {"SPY": D(spy)}, **more)
    found = review(bench.books, seen, CRYPTO_FEE_RATE)
    assert bench.books.ledger.accounts == before.ledger.accounts
    assert bench.books.posted == before.posted
    assert bench.books.frozen == before.frozen
    assert list(bench.books.orders) == list(before.orders)
    return found


def test_an_account_that_agrees_leaves_nothing_to_say() -> None:
    assert judged(long_a()) == Review((), frozenset(), ())


@pytest.mark.parametrize(
    ("cash", "spy", "names"),
    [
        ("98000", "22", ["position.SPY"]),
        ("97000", "20", ["cash"]),
        ("97000", "0", ["position.SPY", "cash"]),
    ],
)
def test_what_nothing_proves_differs(cash: str, spy: str, names: list[str]) -> None:
    found = judged(long_a(), cash, spy)
    assert [f.discrepancy_id for f in found.differences] == names
    assert (found.excused, found.bookings) == (frozenset(), ())
    assert found.find(names[0]) is found.differences[0]
    assert found.find("position.QQQ") is None


def test_a_trade_by_hand_that_the_look_proves_is_a_booking_and_no_difference() -> None:
    bench = long_a()
    by_hand = stranger("by-hand", "SPY", Side.BUY, "3", "100", bench.now)
    found = judged(bench, "97700", "23", updates=(by_hand,))
    assert (found.differences, len(found.bookings)) == ((), 1)
    assert (found.bookings[0].strategy, found.bookings[0].qty) == (UNASSIGNED, D(3))
    beside = judged(bench, "97700", "25", updates=(by_hand,))
    assert [(f.ours, f.brokers) for f in beside.differences] == [(D(23), D(25))]


def test_a_cent_an_execution_is_the_brokers_rounding() -> None:
    found = judged(long_a(), "98000.01")
    assert found.differences == ()
    assert [(b.strategy, b.amount) for b in found.bookings] == [(UNASSIGNED, D("0.01"))]  # type: ignore[union-attr]
    assert judged(long_a(), "98000.02").differences != ()


def test_an_order_in_flight_can_be_the_reason() -> None:
    bench = long_a()
    bench.minute(5, {"SPY": "100"})
    found = judged(bench, "98500", "15")
    assert found.excused == {"position.SPY", "cash"}
    assert judged(bench, "98500", "25").excused == frozenset()
    assert judged(bench, "98500", "20").excused == frozenset()


def test_the_books_that_moved_since_the_question_can_be_the_reason() -> None:
    bench = long_a()
    seen = m.AccountSeen(bench.now, bench.books.posted.version, D(98_000), {"SPY": D(20)})
    bench.handle(stranger("by-hand", "SPY", Side.BUY, "3", "100", bench.now))
    found = review(bench.books, seen, CRYPTO_FEE_RATE)
    assert found.excused == {"position.SPY", "cash"}


def test_an_order_that_the_look_ends_sends_nothing_that_waits_behind_it() -> None:
    bench = long_a()
    bench.minute(5, {"SPY": "100"})
    assert bench.order("B").status is OrderStatus.WAITING
    sale = bench.order("A", 2)
    execution = m.Execution("s1", D(20), D(100), D(20), bench.now)
    update = report(sale, OrderStatus.FILLED, "20", bench.now, "100", execution)
    found = judged(bench, "100000", "0", updates=(update,))
    assert [f.discrepancy_id for f in found.differences] == []
    assert [b.strategy for b in found.bookings] == ["A"]
