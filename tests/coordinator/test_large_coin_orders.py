"""Alpaca takes no order of coins for more than $200,000: larger ones go out in pieces."""

from __future__ import annotations

from decimal import Decimal
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.core import messages as m
from coordinator.core.orders import Order, OrderStatus
from coordinator.core.risk import COIN_ORDER_DOLLARS, MOST_COIN_DOLLARS, Asset, pieces
from coordinator.core.values import Side, exactly
from coordinator.shell import wire
from simulator.assets import asset_of
from simulator.shapes import asset_json
from tests.coordinator.bench import Bench, D, spec

COIN = wire.parse_asset(asset_json(asset_of("BTC/USD")), "BTC/USD")
BUY_THEN_SELL = {("BTC/USD", 0): 1, ("BTC/USD", 1): -1}


def rich(**switches: Any) -> Bench:
    """A strategy of $700,000 that buys coins for all but what their price may rise."""
    one = spec("A", BUY_THEN_SELL, cash="700000", max_position_size="0.99", max_daily_trades=1)
    bench = Bench(one, cash="800000", assets={"BTC/USD": COIN}, **switches)
    bench.minute(0, {"BTC/USD": "50000"})
    return bench


def orders(bench: Bench, side: Side) -> list[Order]:
    return [order for order in bench.books.orders if order.side is side]


def test_an_entry_and_an_exit_of_many_coins_go_out_in_pieces_that_alpaca_takes() -> None:
    bench = rich()
    bought = orders(bench, Side.BUY)
    assert [order.qty for order in bought] == [D("3.465")] * 4, "13.86 coins for 693,000"
    assert bench.books.days["A"].entries == 1, "it is one decision"
    for order in bought:
        bench.fill(order, "50000")
    held = bench.position("A", "BTC/USD")
    assert held == D("13.86") * D("0.9975")
    bench.minute(1, {"BTC/USD": "60000"})
    sold = orders(bench, Side.SELL)
    assert len(sold) == 5
    assert sum(order.qty for order in sold) == held
    assert all(order.qty * 60000 < MOST_COIN_DOLLARS for order in sold)
    for order in sold:
        bench.fill(order, "60000")
    assert bench.position("A", "BTC/USD") == 0
    assert not bench.denials()


@pytest.mark.parametrize("turns", list(permutations(range(4)))[::5])
def test_pieces_of_an_entry_that_is_given_up_are_sold_whichever_of_them_ends_last(
    turns: tuple[int, ...],
) -> None:
    bench = rich()
    bought = orders(bench, Side.BUY)
    for order in bought:
        bench.fill(order, "50000", "0.5")
    bench.minute(1, {"BTC/USD": "50000"})  # it wants out while all four are open
    for turn in turns:
        assert not orders(bench, Side.SELL)
        bench.update(bought[turn], OrderStatus.CANCELED, "0.5", price="50000")
    assert [order.qty for order in orders(bench, Side.SELL)] == [D("1.995")]


@pytest.mark.parametrize("filled", range(4))
def test_an_entry_that_is_given_up_is_sold_though_one_of_its_pieces_had_filled_before(
    filled: int,
) -> None:
    bench = rich()
    bought = orders(bench, Side.BUY)
    bench.fill(bought[filled], "50000")
    bench.minute(1, {"BTC/USD": "50000"})  # it wants out once
    for order in bought:
        if order.is_open:
            bench.update(order, OrderStatus.CANCELED)
    held = D("3.465") * D("0.9975")
    assert [order.qty for order in orders(bench, Side.SELL)] == pieces(COIN, held, D(50000))


@pytest.mark.parametrize("filled", [(), (0,), (3,), (1, 2), (0, 1, 2, 3)])
@pytest.mark.parametrize("last_first", [False, True])
def test_an_entry_in_pieces_counts_as_one_if_any_of_them_has_filled(
    filled: tuple[int, ...], last_first: bool
) -> None:
    bench = rich()
    bought = list(enumerate(orders(bench, Side.BUY)))
    for number, order in reversed(bought) if last_first else bought:
        if number in filled:
            bench.fill(order, "50000")
        else:
            bench.update(order, OrderStatus.CANCELED)
    assert bench.books.days["A"].entries == bool(filled)


def test_of_pieces_that_are_refused_what_the_broker_has_available_is_sold_beside_the_others() -> (
    None
):
    bench = rich()
    for order in orders(bench, Side.BUY):
        bench.fill(order, "50000")
    bench.minute(1, {"BTC/USD": "60000"})
    sold = orders(bench, Side.SELL)
    why = "insufficient balance"  # a human's own order holds three coins
    held = bench.position("A", "BTC/USD")
    available = held - 3 - sum(order.qty for order in sold[:3])
    for order in sold[3:]:
        bench.handle(m.SubmitRefused(order.client_order_id, bench.now, why, available))
    more = orders(bench, Side.SELL)[5:]
    assert [order.qty for order in more] == [COIN.floor(available), COIN.floor(available)]
    bench.handle(m.SubmitRefused(more[1].client_order_id, bench.now, why, D(0)))
    for order in (*sold[:3], more[0]):
        bench.fill(order, "60000")
    assert bench.position("A", "BTC/USD") == 3
    assert not bench.books.orders.open_of("A")


def test_crossed_quantities_need_no_order_and_only_the_rest_is_sent_in_pieces() -> None:
    bench = rich(crossing=True)
    assert len(orders(bench, Side.BUY)) == 4


@given(
    qty=st.decimals("0.000016", "100000", places=9), close=st.decimals("0.01", "200000", places=2)
)
@exactly
def test_pieces_sum_to_the_order_and_each_of_them_is_taken(qty: Decimal, close: Decimal) -> None:
    found = pieces(COIN, qty, close)
    assert sum(found) == qty
    assert all(COIN.can_order(piece) for piece in found)
    assert all(piece * close < MOST_COIN_DOLLARS for piece in found)
    assert (len(found) == 1) == (qty * close <= COIN_ORDER_DOLLARS)


def test_of_stocks_any_order_is_one() -> None:
    assert pieces(Asset.stock("SPY", fractionable=True), D(9000), D(700)) == [D(9000)]
