"""What moves a book from outside in mid-minute is known to what is decided later in that minute.

A minute's decisions use the cash and the positions from before it; a strategy's own orders may be
filled meanwhile. But nobody spends what a human, the broker or another coordinator has taken since,
or what an order holds that counted as ended, and nobody takes a transfer for a gain or a loss.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from coordinator.core import messages as m
from coordinator.core import records as r
from coordinator.core.orders import OrderStatus
from coordinator.core.values import UNASSIGNED, ZERO, Side
from tests.coordinator.bench import DAY, Bench, D, bust, report, spec
from tests.coordinator.test_reload import reload

TICKERS = ("SPY", "IWM", "QQQ")


def post(bench: Bench, kind: r.ActivityKind, symbol: str, qty: str, price: str, cash: str) -> None:
    """Another process, or another coordinator, posts something to A's book."""
    more = D(qty), D(price), D(cash), "test", DAY
    bench.books.apply_foreign(r.ActivityBooked(bench.now, "a1", "A", kind, symbol, *more))


def after_a_sale() -> Bench:
    """A has bought 99.0099 SPY for all its cash, and sold it again."""
    bench = Bench(spec("A", {("SPY", 0): 1, ("SPY", 1): -1, ("QQQ", 2): 1}, tickers=TICKERS))
    bench.minute(0, {"SPY": "100"})
    bench.fill(bench.order("A"))
    bench.minute(1, {"SPY": "100"})
    bench.fill(bench.order("A", 2), execution_id="sale")
    return bench


def with_an_order_on_half() -> Bench:
    """A buys 50 SPY, and the order is at the broker."""
    said = {("SPY", 0): 1, ("QQQ", 2): 1}
    bench = Bench(spec("A", said, tickers=TICKERS, max_position_size="0.5"))
    bench.minute(0, {"SPY": "100"})
    bench.update(bench.order("A"), OrderStatus.NEW)
    return bench


def with_an_order_that_ended() -> Bench:
    """A's order for all its cash was cancelled."""
    bench = Bench(spec("A", {("SPY", 0): 1, ("QQQ", 2): 1}, tickers=TICKERS))
    bench.minute(0, {"SPY": "100"})
    bench.update(bench.order("A"), OrderStatus.CANCELED)
    return bench


def with_an_order_that_was_given_up() -> Bench:
    """A's order for all its cash never reached the broker, as far as anybody knows."""
    bench = Bench(spec("A", {("SPY", 0): 1, ("QQQ", 2): 1}, tickers=TICKERS))
    bench.minute(0, {"SPY": "100"})
    order_id = bench.order("A").client_order_id
    bench.handle(
        m.SubmitUnclear(order_id, bench.now, "no answer"), m.OrderAbsent(order_id, bench.now)
    )
    return bench


def a_plan_takes_cash(bench: Bench) -> None:
    post(bench, r.ActivityKind.TRANSFER, "", "0", "0", "-5000")


def a_fee(bench: Bench) -> None:
    post(bench, r.ActivityKind.FEE, "", "0", "0", "-5000")


def a_reload_lowers_its_capital(bench: Bench) -> None:
    assert reload(bench, replace(bench.specs[0], initial_cash=D(5000))).done


def its_sale(bench: Bench) -> m.Execution:
    sale = bench.order("A", 2)
    return m.Execution("sale", sale.qty, D(100), sale.qty, bench.now)


def the_sale_is_busted(bench: Bench) -> None:
    bench.handle(bust(bench.order("A", 2), its_sale(bench), bench.now))


def the_sale_is_corrected(bench: Bench) -> None:
    right = replace(its_sale(bench), execution_id="right", price=D(50))
    bench.handle(bust(bench.order("A", 2), its_sale(bench), bench.now, instead=right))


def a_look_shows_that_the_sale_was_busted(bench: Bench) -> None:
    bench.look(updates=(bust(bench.order("A", 2), its_sale(bench), bench.now),))


def another_coordinator_books_the_bust(bench: Bench) -> None:
    sale, one = bench.order("A", 2), its_sale(bench)
    of = sale.client_order_id, "A", "SPY", Side.SELL
    bench.books.apply_foreign(
        r.FillBooked(bench.now, "b1", *of, -one.qty, one.price, ZERO, ZERO, ZERO, "sale")
    )


def it_was_filled_before(bench: Bench) -> None:
    bench.fill(bench.order("A"))


def the_broker_has_it(bench: Bench) -> None:
    bench.update(bench.order("A"), OrderStatus.NEW)


def a_human_doubles_it(bench: Bench) -> None:
    order = bench.order("A")
    old = report(order, OrderStatus.REPLACED, "0", bench.now)
    new = replace(report(order, OrderStatus.NEW, "0", bench.now), client_order_id="by-hand")
    new = replace(new, broker_order_id="b2", qty=order.qty * 2, replaces=old.broker_order_id)
    bench.handle(replace(old, replaced_by="b2"), new)


@pytest.mark.parametrize(
    ("begun", "moved"),
    [
        (after_a_sale, a_plan_takes_cash),
        (after_a_sale, a_fee),
        (after_a_sale, a_reload_lowers_its_capital),
        (after_a_sale, the_sale_is_busted),
        (after_a_sale, the_sale_is_corrected),
        (after_a_sale, a_look_shows_that_the_sale_was_busted),
        (after_a_sale, another_coordinator_books_the_bust),
        (with_an_order_that_ended, it_was_filled_before),
        (with_an_order_that_was_given_up, the_broker_has_it),
        (with_an_order_on_half, a_human_doubles_it),
    ],
)
def test_what_is_taken_in_mid_minute_is_not_spent_later_in_it(
    begun: Callable[[], Bench], moved: Callable[[Bench], None]
) -> None:
    bench = begun()
    bench.minute(2, {"IWM": "50"})  # A's minute begins
    moved(bench)
    bench.minute(2, {"QQQ": "10"})
    held = sum((order.hold for order in bench.books.orders.open_of("A")), ZERO)
    assert held <= max(bench.books.ledger["A"].cash, ZERO)


def a_plan_gives_cash(bench: Bench) -> None:
    post(bench, r.ActivityKind.TRANSFER, "", "0", "0", "5000")


def a_plan_gives_shares(bench: Bench) -> None:
    post(bench, r.ActivityKind.TRANSFER, "IWM", "50", "50", "0")


def a_reload_raises_its_capital(bench: Bench) -> None:
    assert reload(bench, replace(bench.specs[0], initial_cash=D(15000))).done


def another_coordinator_raises_it(bench: Bench) -> None:
    bench.books.apply_foreign(r.Transferred(bench.now, UNASSIGNED, "A", D(5000), "initial_cash"))


def its_shares_are_split(bench: Bench) -> None:
    post(bench, r.ActivityKind.SPLIT, "SPY", "50", "50", "0")


@pytest.mark.parametrize(
    "moved",
    [
        a_plan_gives_cash,
        a_plan_gives_shares,
        a_plan_takes_cash,
        a_reload_raises_its_capital,
        another_coordinator_raises_it,
        its_shares_are_split,
    ],
)
@pytest.mark.parametrize("lost", [0, 600])
def test_what_is_moved_in_mid_minute_is_neither_gain_nor_loss(
    lost: int, moved: Callable[[Bench], None]
) -> None:
    """The limit of $500 a day stops A if it has lost 600, and not if it has lost nothing."""
    said = {("SPY", 0): 1, ("QQQ", 2): 1}
    limits = {"max_position_size": "0.5", "max_daily_loss": "500"}
    bench = Bench(spec("A", said, tickers=TICKERS, **limits))
    bench.minute(0, {"SPY": "100"})
    bench.fill(bench.order("A"), str(100 + D(lost) / 50))
    bench.minute(2, {"IWM": "50"})  # A's minute begins
    moved(bench)
    bench.minute(2, {"QQQ": "10"})
    assert bool(bench.of(r.EntriesStopped)) == bool(lost)
