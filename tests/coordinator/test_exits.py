"""Exits: stop, target and signal; the own open buy first; never more than there is."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from coordinator.core import messages as m
from coordinator.core import records as r
from coordinator.core.ledger import Position
from coordinator.core.orders import OrderStatus
from coordinator.core.records import Holding
from coordinator.core.risk import Limits, exit_reason
from coordinator.core.values import ZERO, Reason, Side
from tests.coordinator.bench import Bench, D, bust, order_id, spec, stranger

# stop, target, average price, close, signal -> why it is sold
REASONS = [
    (None, None, "100", "50", 0, None),
    (None, None, "100", "50", 1, None),
    (None, None, "100", "150", -1, Reason.SIGNAL),
    ("0.02", None, "100", "98", 0, Reason.STOP),  # the limit itself counts
    ("0.02", None, "100", "98.0001", 0, None),
    ("0.02", None, "100", "98.0001", -1, Reason.SIGNAL),
    ("0.02", None, "100", "97", -1, Reason.STOP),  # the stop is looked at first
    (None, "0.05", "100", "105", 0, Reason.TARGET),
    (None, "0.05", "100", "104.9999", 0, None),
    (None, "0.05", "100", "106", -1, Reason.TARGET),  # and the target before the signal
    ("0.02", "0.05", "100", "105", 1, Reason.TARGET),
    ("0.02", "0.05", "100", "98", 1, Reason.STOP),
]


@pytest.mark.parametrize(("stop", "target", "average", "close", "signal", "why"), REASONS)
def test_a_long_position_is_sold_for_stop_target_or_signal_in_that_order(
    stop: str | None,
    target: str | None,
    average: str,
    close: str,
    signal: int,
    why: Reason | None,
) -> None:
    limits = Limits(
        stop_loss_pct=D(stop) if stop else None, take_profit_pct=D(target) if target else None
    )
    position = Position(D(7), D(7) * D(average))
    assert exit_reason(limits, position, D(close), signal) is why


def test_a_stop_is_exact_even_where_the_average_price_is_no_decimal() -> None:
    limits = Limits(stop_loss_pct=D("0.1"))
    thirds = Position(D(3), D(10))  # 3.333...; nine tenths of it are exactly 3
    assert exit_reason(limits, thirds, D(3), 0) is Reason.STOP
    assert exit_reason(limits, thirds, D("3.000000000000000001"), 0) is None


def held(said: dict[tuple[str, int], int], *, crossing: bool = False, **limits: str) -> Bench:
    """A strategy that bought 50 SPY at 100 in the first minute."""
    one = spec("A", {("SPY", 0): 1, **said}, max_position_size="0.5", **limits)
    bench = Bench(one, crossing=crossing)
    bench.minute(0, {"SPY": "100"})
    bench.fill(bench.order("A"))
    return bench


def test_the_whole_position_is_sold_on_a_signal() -> None:
    bench = held({("SPY", 1): -1})
    bench.minute(1, {"SPY": "101"})
    assert bench.sent()[1:] == [("A", "SPY", Side.SELL, D(50))]
    assert bench.order("A", 2).decision_price == D(101)


def test_a_position_is_sold_once_however_often_the_wish_comes() -> None:
    bench = held({("SPY", 1): -1, ("SPY", 2): -1})
    bench.minute(1, {"SPY": "101"})
    bench.minute(2, {"SPY": "101"})
    assert len(bench.sent()) == 2


def test_no_strategy_sells_what_it_does_not_hold() -> None:
    others = held({("SPY", 1): -1}).specs[0]
    bench = Bench(others, spec("B", {("SPY", 1): -1}))
    bench.minute(0, {"SPY": "100"})
    bench.fill(bench.order("A"))
    bench.minute(1, {"SPY": "100"})
    assert [sent[0] for sent in bench.sent()] == ["A", "A"]


def test_an_exit_ends_the_own_open_buy_first_and_sells_what_filled() -> None:
    bench = Bench(spec("A", {("SPY", 0): 1, ("SPY", 1): -1}, max_position_size="0.5"))
    bench.minute(0, {"SPY": "100"})
    buy = bench.order("A")
    bench.fill(buy, "100", "20")
    outcome = bench.minute(1, {"SPY": "99"})
    assert outcome.commands == [m.CancelOrder(order_id("A"), f"broker-{order_id('A')}")]
    bench.fill(buy, "100", "5")  # on the way
    assert len(bench.sent()) == 1
    bench.update(buy, OrderStatus.CANCELED, "25")
    assert bench.sent()[1:] == [("A", "SPY", Side.SELL, D(25))]
    assert bench.order("A", 2).reason is Reason.SIGNAL


def test_an_exit_whose_buy_fills_after_all_sells_the_whole() -> None:
    bench = Bench(spec("A", {("SPY", 0): 1, ("SPY", 1): -1}, max_position_size="0.5"))
    bench.minute(0, {"SPY": "100"})
    bench.minute(1, {"SPY": "99"})
    bench.fill(bench.order("A"))
    assert bench.sent()[1:] == [("A", "SPY", Side.SELL, D(50))]


def test_an_exit_sells_even_a_fill_that_comes_after_the_cancellation() -> None:
    bench = Bench(spec("A", {("SPY", 0): 1, ("SPY", 1): -1}, max_position_size="0.5"))
    bench.minute(0, {"SPY": "100"})
    bench.minute(1, {"SPY": "99"})
    buy = bench.order("A")
    bench.update(buy, OrderStatus.CANCELED)
    assert len(bench.sent()) == 1
    bench.fill(buy, "100", "3")
    assert bench.position("A", "SPY") == D(3)
    assert bench.sent()[1:] == [("A", "SPY", Side.SELL, D(3))]


def a_late_fill(bench: Bench) -> None:
    bench.fill(bench.order("A"), "100", "5")


def a_bust(bench: Bench) -> None:
    first = m.Execution(f"x.{order_id('A')}.20", D(20), D(100), D(20), bench.now)
    bench.handle(bust(bench.order("A"), first, bench.now))


@pytest.mark.parametrize(
    ("late", "again", "sold"),
    [(a_late_fill, 1, []), (a_bust, 1, []), (a_late_fill, 0, [5]), (a_bust, 0, [])],
)
def test_a_late_word_of_a_purchase_that_was_withdrawn_sells_none_that_was_bought_since(
    late: Callable[[Bench], None], again: int, sold: list[int]
) -> None:
    said = {("SPY", 0): 1, ("SPY", 1): -1, ("SPY", 2): again}
    bench = Bench(spec("A", said, max_position_size="0.5"))
    bench.minute(0, {"SPY": "90"})
    bench.fill(bench.order("A"), "100", "20")
    bench.minute(1, {"SPY": "90"})
    bench.update(bench.order("A"), OrderStatus.CANCELED, "20")
    bench.fill(bench.order("A", 2))
    bench.minute(2, {"SPY": "100"})
    for number in (3,) * again:
        bench.fill(bench.order("A", number))
    sent = len(bench.sent())
    late(bench)
    assert bench.sent()[sent:] == [("A", "SPY", Side.SELL, D(qty)) for qty in sold]


@pytest.mark.parametrize("again", [-1, 0, 1])
def test_a_cancellation_is_asked_for_again_on_each_bar_until_the_buy_has_ended(again: int) -> None:
    said = {("SPY", 0): 1, ("SPY", 1): -1, ("SPY", 2): again, ("SPY", 3): -1}
    bench = Bench(spec("A", said))
    bench.minute(0, {"SPY": "100"})
    for minute in (1, 2):
        assert [type(c) for c in bench.minute(minute, {"SPY": "99"}).commands] == [m.CancelOrder]
    bench.update(bench.order("A"), OrderStatus.CANCELED)
    assert bench.minute(3, {"SPY": "99"}).commands == []
    assert len(bench.of(r.CancelRequested)) == 1


def test_an_exit_sells_no_more_than_the_account_holds() -> None:
    bench = held({("SPY", 1): -1})
    bench.handle(stranger("by-hand", "SPY", Side.SELL, "12", "100", bench.now))
    assert bench.position("UNASSIGNED", "SPY") == D(-12)
    bench.minute(1, {"SPY": "100"})
    assert bench.sent()[1:] == [("A", "SPY", Side.SELL, D(38))]


def test_two_exits_together_sell_no_more_than_the_account_holds() -> None:
    said = {("SPY", 0): 1, ("SPY", 1): -1}
    bench = Bench(
        spec("A", said, max_position_size="0.5"), spec("B", said, max_position_size="0.5")
    )
    bench.minute(0, {"SPY": "100"})
    for name in "AB":
        bench.fill(bench.order(name))
    bench.handle(stranger("by-hand", "SPY", Side.SELL, "30", "100", bench.now))
    bench.minute(1, {"SPY": "100"})
    assert [(s[0], s[3]) for s in bench.sent()[2:]] == [("A", D(50)), ("B", D(20))]


def test_what_another_coordinator_is_selling_is_not_sold_twice() -> None:
    """Both strategies hold 50, and the account has 50 left: a human has sold the others."""
    bench = held({("SPY", 1): -1, ("SPY", 2): -1})
    bench.handle(stranger("by-hand", "SPY", Side.SELL, "50", "100", bench.now))
    funded = r.Transferred(bench.now, "UNASSIGNED", "N", D(10_000), "funding")
    bought = r.FillBooked(
        bench.now, "n1", "N.1", "N", "SPY", Side.BUY, D(50), D(100), ZERO, ZERO, D(50)
    )
    sells = r.OrderIntended(
        bench.now, order_id("N", 2), "N", "SPY", Side.SELL, D(50), D(100), Reason.SIGNAL, True
    )
    for record in (funded, bought, sells):
        bench.books.apply_foreign(record)
    bench.minute(1, {"SPY": "100"})
    assert bench.sent()[1:] == []
    bench.books.apply_foreign(r.OrderMoved(bench.now, order_id("N", 2), OrderStatus.CANCELED))
    bench.minute(2, {"SPY": "100"})
    assert bench.sent()[1:] == [("A", "SPY", Side.SELL, D(50))]


def test_what_nobody_owns_is_never_sold() -> None:
    bench = Bench(spec("A", {("SPY", 0): -1}), holdings=[Holding("SPY", D(100), D(9000))])
    bench.minute(0, {"SPY": "100"})
    assert bench.sent() == []
    assert bench.position("UNASSIGNED", "SPY") == D(100)


@pytest.mark.parametrize(
    ("available", "sold"),
    [("38", ["38"]), ("37.99999", ["37.9999"]), ("0", []), ("-1", []), ("50", []), ("60", [])],
)
@pytest.mark.parametrize("crossing", [False, True])
def test_of_a_sale_that_is_refused_what_the_broker_has_available_is_sold(
    available: str, sold: list[str], crossing: bool
) -> None:
    """A human's own order holds the rest of the account's shares."""
    bench = held({("SPY", 1): -1}, crossing=crossing)
    bench.minute(1, {"SPY": "101"})
    why = "insufficient qty available for order"
    bench.handle(m.SubmitRefused(order_id("A", 2), bench.now, why, D(available)))
    assert bench.order("A", 2).status is OrderStatus.REJECTED
    assert bench.sent()[2:] == [("A", "SPY", Side.SELL, D(qty)) for qty in sold]
    if sold:
        again = bench.order("A", 3)
        assert (again.reason, again.decision_price) == (Reason.SIGNAL, D(101))
        bench.handle(m.SubmitRefused(again.client_order_id, bench.now, why, D(available)))
        assert len(bench.sent()) == 3


def test_a_rejected_exit_is_tried_again_on_the_next_bar() -> None:
    bench = held({("SPY", 1): -1, ("SPY", 2): -1})
    bench.minute(1, {"SPY": "100"})
    bench.handle(m.SubmitRefused(order_id("A", 2), bench.now, "halted"))
    bench.minute(2, {"SPY": "100"})
    assert [s[2] for s in bench.sent()] == [Side.BUY, Side.SELL, Side.SELL]
    bench.fill(bench.order("A", 3))
    assert bench.position("A", "SPY") == ZERO


def test_what_is_available_is_sold_before_another_strategys_buy_that_waited_for_the_exit() -> None:
    bench = Bench(
        spec("A", {("SPY", 0): 1, ("SPY", 1): -1}, max_position_size="0.5"),
        spec("B", {("SPY", 1): 1}, max_position_size="0.5"),
    )
    bench.minute(0, {"SPY": "100"})
    bench.fill(bench.order("A"))
    bench.minute(1, {"SPY": "100"})
    bench.handle(m.SubmitRefused(order_id("A", 2), bench.now, "insufficient", D(45)))
    assert [(s[0], s[2], s[3]) for s in bench.sent()[2:]] == [("A", Side.SELL, D(45))]
    bench.fill(bench.order("A", 3))
    assert [(s[0], s[2]) for s in bench.sent()[3:]] == [("B", Side.BUY)]
