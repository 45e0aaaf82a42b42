"""Alpaca takes no order of coins for more than $200,000: no entry is larger, and an exit of more is
sold in one order after the other."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.core import messages as m
from coordinator.core.orders import Order, OrderStatus
from coordinator.core.records import Origin
from coordinator.core.reload import Removal
from coordinator.core.risk import COIN_ORDER_DOLLARS, MOST_COIN_DOLLARS, Asset
from coordinator.core.values import Side, exactly
from coordinator.shell import wire
from coordinator.shell.agreement import settle_orders
from simulator.assets import asset_of
from simulator.shapes import asset_json
from tests.coordinator.bench import Bench, D, bar, bust, report, spec
from tests.coordinator.test_reload import reload

COIN = wire.parse_asset(asset_json(asset_of("BTC/USD")), "BTC/USD")
BOUGHT = D("3.8")
"""For $190,000, at the first bar's close."""


def rich(**switches: Any) -> Bench:
    """A strategy of $700,000 that buys coins, wants out a minute later, and in again after that."""
    one = spec("A", {("BTC/USD", 0): 1, ("BTC/USD", 1): -1, ("BTC/USD", 2): 1}, cash="700000")
    bench = Bench(one, cash="800000", assets={"BTC/USD": COIN}, **switches)
    bench.minute(0, {"BTC/USD": "50000"})
    return bench


def sales(bench: Bench) -> list[Order]:
    return [order for order in bench.books.orders if order.side is Side.SELL]


def wants_out(price: str = "150000", **switches: Any) -> Bench:
    bench = rich(**switches)
    bench.fill(bench.order("A"), "50000")
    bench.minute(1, {"BTC/USD": price})
    return bench


@pytest.mark.parametrize("crossing", [False, True])
def test_an_entry_is_for_no_more_than_alpaca_takes_in_one_order(*, crossing: bool) -> None:
    bench = rich(crossing=crossing)
    assert [order.qty for order in bench.books.orders] == [BOUGHT]
    assert not bench.denials()


def test_an_explanation_says_that_an_entry_is_for_no_more() -> None:
    bench = rich()
    (told,) = bench.engine.explain("A", bench.now)
    why = "Alpaca takes no larger order of coins"
    assert told.limits["max_position_size"] == f"100 % of equity, $190,000.00 at most: {why}"


@pytest.mark.parametrize("crossing", [False, True])
def test_what_has_grown_beyond_one_order_is_sold_in_one_after_the_other(*, crossing: bool) -> None:
    bench = wants_out(crossing=crossing)
    held = bench.position("A", "BTC/USD")
    for number in range(1, 4):
        assert len(sales(bench)) == number
        last = sales(bench)[-1]
        assert last.qty * 150_000 < MOST_COIN_DOLLARS
        bench.fill(last, "150000")
    assert sum(order.qty for order in sales(bench)) == held
    assert bench.position("A", "BTC/USD") == 0
    assert not bench.books.orders.open_of("A")


def test_each_order_is_as_large_as_the_newest_price_allows() -> None:
    bench = wants_out()
    bench.minute(2, {"BTC/USD": "190000"})
    bench.fill(sales(bench)[0], "190000")
    assert [order.qty for order in sales(bench)][1:] == [D(1)]


def test_the_next_one_waits_for_every_execution_of_the_last_one() -> None:
    bench = wants_out()
    sale = sales(bench)[0]
    for part in (sale.qty - 1, sale.qty):  # as REST tells of it: filled, and one by one
        assert sales(bench) == [sale]
        qty = part - sale.booked_qty
        execution = m.Execution(f"x{part}", qty, D(150_000), part, bench.now)
        bench.handle(report(sale, OrderStatus.FILLED, part, bench.now, "150000", execution))
    assert len(sales(bench)) == 2


def test_a_restart_that_finds_a_part_sold_sells_the_next_one_at_the_next_bar() -> None:
    bench = wants_out()
    sale = sales(bench)[0]
    execution = m.Execution("x", sale.qty, D(150_000), sale.qty, bench.now)
    filled = report(sale, OrderStatus.FILLED, sale.qty, bench.now, "150000", execution)
    known = {sale.client_order_id: [filled]}
    assert settle_orders(bench.books, {"BTC/USD": COIN}, known, bench.now)[1] == []
    assert sales(bench) == [sale], "an order is of a session"
    again = Bench(*bench.specs, books=bench.books, assets={"BTC/USD": COIN})
    assert again.engine.resume((), bench.now).commands == []
    again.minute(2, {"BTC/USD": "150000"})
    assert [(side, qty) for _, _, side, qty in again.sent()] == [(Side.SELL, sale.qty)]


def test_of_a_repaired_gap_the_next_one_is_as_large_as_the_newest_price_allows() -> None:
    bench = wants_out("100000")
    (sale,) = sales(bench)
    sold = m.Execution("x", sale.qty, D(100_000), sale.qty, bench.now)
    told = report(sale, OrderStatus.FILLED, sale.qty, bench.now, "100000", sold)
    settle_orders(bench.books, {"BTC/USD": COIN}, {sale.client_order_id: [told]}, bench.now)
    again = Bench(*bench.specs, books=bench.books, assets={"BTC/USD": COIN})
    again.engine.resume((), bench.now)
    gap = {2: "100000", 3: "115000", 62: "130000"}
    again.bars(*(bar("BTC/USD", *one) for one in gap.items()), origin=Origin.BACKFILL)
    (rest,) = sales(again)[1:]
    assert rest.decision_price == 130_000
    assert rest.qty * 130_000 <= COIN_ORDER_DOLLARS


def test_what_an_edited_file_keeps_is_not_sold_on_though_a_part_of_it_was_on_its_way() -> None:
    bench = wants_out()
    (sale,) = sales(bench)
    held = bench.position("A", "BTC/USD")
    other = spec("B", {("ETH/USD", 50): 1}, cash="1000")
    assert reload(bench, other, removal=Removal.DORMANT).done
    bench.fill(sale, "150000")  # before its cancellation is carried out
    assert sales(bench) == [sale]
    assert bench.position("A", "BTC/USD") == held - sale.qty


def test_a_sale_that_is_ended_before_it_is_filled_waits_for_the_next_signal() -> None:
    bench = wants_out()
    bench.update(sales(bench)[0], OrderStatus.CANCELED)
    assert len(sales(bench)) == 1


def test_what_is_executed_in_place_of_such_a_sale_sells_nothing_that_was_bought_since() -> None:
    bench = wants_out("70000")
    while open_now := list(bench.books.orders.open_of("A")):
        bench.fill(open_now[0], "70000", execution_id=open_now[0].client_order_id)
    bench.minute(2, {"BTC/USD": "70000"})
    bench.fill(*bench.books.orders.open_of("A"), "70000")
    sold = sales(bench)
    was = m.Execution(sold[0].client_order_id, sold[0].qty, D(70_000), sold[0].qty, bench.now)
    bench.handle(bust(sold[0], was, bench.now))
    bench.minute(3, {"BTC/USD": "70000"})
    bench.fill(sold[0], "69999", execution_id="instead")
    assert "instead" in bench.books.posted.executions
    assert sales(bench) == sold


@given(
    qty=st.decimals("0.000016", "100000", places=9), close=st.decimals("0.01", "180000", places=2)
)
@exactly
def test_a_part_of_any_sale_is_one_that_alpaca_takes(qty: Decimal, close: Decimal) -> None:
    part = COIN.at_once(qty, close)
    assert COIN.can_order(part)
    assert part <= qty
    assert part * close <= COIN_ORDER_DOLLARS
    assert part == qty or COIN.is_most(part, close)


def test_of_stocks_any_order_is_one() -> None:
    stock = Asset.stock("SPY", fractionable=True)
    assert stock.at_once(D(9000), D(700)) == 9000
    assert not stock.is_most(D(9000), D(700))
