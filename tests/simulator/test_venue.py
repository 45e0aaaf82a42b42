"""What fills when, at which price, and what it does to the books: tables a trader can check."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from simulator.errors import Rejection
from simulator.money import plain
from simulator.values import MINUTE
from tests.simulator.bench import CLOSE, OPEN, Bench, bar


def test_a_market_order_is_answered_first_and_filled_at_the_last_close() -> None:
    bench = Bench(model="spread")
    bench.price("SPY", "100.25")
    order = bench.submit(qty=10)
    assert (order.status.value, order.filled_qty, bench.venue.take_updates()) == (
        "pending_new",
        0,
        [],
    )
    bench.venue.work(bench.market())
    updates = bench.venue.take_updates()
    assert [update.event for update in updates] == ["pending_new", "new", "fill"]
    assert [update.order.status.value for update in updates] == ["pending_new", "new", "filled"]
    fill = updates[2].execution
    assert fill is not None
    assert (fill.qty, plain(fill.price), fill.position_qty) == (10, "100.260025", 10)
    assert bench.venue.ledger.cash == Decimal("98997.39975")


@pytest.mark.parametrize(
    ("model", "side", "price"),
    [
        ("close", "buy", "33.3333"),
        ("close", "sell", "33.3333"),
        ("spread", "buy", "33.33663333"),
        ("spread", "sell", "33.32996667"),
        ("spread:2.5", "buy", "33.341633325"),
        ("slippage", "buy", "33.34996665"),
        ("slippage:10", "sell", "33.2999667"),
        ("participation:0.5", "buy", "33.33663333"),
    ],
)
def test_a_fill_model_moves_the_price_against_the_taker(model: str, side: str, price: str) -> None:
    bench = Bench(model=model)
    bench.price("SPY", "33.3333")
    order = bench.order(qty=4, side=side)
    assert plain(order.filled_cost / 4) == price


def test_prices_are_rounded_half_even_to_nine_decimals() -> None:
    bench = Bench(model="spread:5000")
    bench.price("DOGE/USD", "0.000000005")
    bench.price("SHIB/USD", "0.000000003")
    first = bench.order(symbol="DOGE/USD", qty="10000000000")
    second = bench.order(symbol="SHIB/USD", qty="10000000000")
    assert first.filled_cost / first.filled_qty == Decimal("0.000000008")  # 7.5 -> 8
    assert second.filled_cost / second.filled_qty == Decimal("0.000000004")  # 4.5 -> 4


RESTING = [
    # order, the bar's open high low close, the price it fills at (None: it rests)
    ({"type": "limit", "limit_price": "99"}, "100 101 99 100", None),
    ({"type": "limit", "limit_price": "99"}, "100 101 98.99 100", "99"),
    ({"type": "limit", "limit_price": "99"}, "97 98 96 97", "99"),
    ({"side": "sell", "type": "limit", "limit_price": "101"}, "100 101 99 100", None),
    ({"side": "sell", "type": "limit", "limit_price": "101"}, "100 101.01 99 100", "101"),
    ({"type": "stop", "stop_price": "102"}, "100 101.99 99 100", None),
    ({"type": "stop", "stop_price": "102"}, "100 102 99 100", "102"),
    ({"type": "stop", "stop_price": "102"}, "103 104 102 103", "103"),
    ({"side": "sell", "type": "stop", "stop_price": "98"}, "100 101 98 100", "98"),
    ({"side": "sell", "type": "stop", "stop_price": "98"}, "97 97.5 96 97", "97"),
    (
        {"type": "stop_limit", "stop_price": "102", "limit_price": "103"},
        "100 110 90 100",
        None,
    ),
]


@pytest.mark.parametrize(("order", "prices", "price"), RESTING)
def test_a_resting_order_meets_a_bar_pessimistically(
    order: dict[str, Any], prices: str, price: str | None
) -> None:
    bench = Bench()
    bench.price("SPY", "100")
    if order.get("side") == "sell":
        bench.order(qty=5)
    placed = bench.order(qty=5, **order)
    assert placed.status.value == "new"
    bench.minute(SPY=prices)
    after = bench.venue.orders.find(placed.id)
    if price is None:
        assert after.status.value == "new"
    else:
        assert after.status.value == "filled"
        assert after.filled_cost / 5 == Decimal(price)


def test_a_stop_limit_that_triggers_waits_for_the_next_bar() -> None:
    bench = Bench()
    bench.price("SPY", "100")
    placed = bench.order(qty=1, type="stop_limit", stop_price="102", limit_price="103")
    bench.minute(SPY="100 110 90 100")
    bench.minute(SPY="104 105 103 104")
    assert bench.venue.orders.find(placed.id).status.value == "new"
    bench.minute(SPY="104 105 102.99 104")
    after = bench.venue.orders.find(placed.id)
    assert (after.status.value, after.filled_cost) == ("filled", Decimal(103))


PASSED = [
    # the stop order that arrives with the last close at 100, the next bar, what it fills at
    ({"type": "stop", "stop_price": "100"}, None, "100.01"),
    ({"side": "sell", "type": "stop", "stop_price": "100"}, None, "99.99"),
    ({"type": "stop_limit", "stop_price": "99", "limit_price": "101"}, None, "100.01"),
    ({"type": "stop_limit", "stop_price": "99", "limit_price": "99"}, "98 98.5 98 98", "99"),
]


@pytest.mark.parametrize(("order", "then", "price"), PASSED)
def test_a_stop_that_the_price_has_passed_when_it_arrives_is_triggered_at_once(
    order: dict[str, Any], then: str | None, price: str
) -> None:
    bench = Bench(model="spread")
    bench.price("SPY", "100")
    if order.get("side") == "sell":
        bench.order(qty=1)
    placed = bench.order(qty=1, **order)
    if then is not None:
        assert placed.status.value == "new", "its limit is not reached"
        bench.minute(SPY=then)
        placed = bench.venue.orders.find(placed.id)
    assert (placed.status.value, placed.filled_cost) == ("filled", Decimal(price))


def test_a_stop_that_no_bar_touched_never_fills_and_a_touched_one_fills_bar_by_bar() -> None:
    bench = Bench(model="participation:0.001")  # one share of a bar's thousand
    bench.price("SPY", "100")
    placed = bench.order(qty=3, type="stop", stop_price="102")
    filled = []
    for high in ("101.99", "101", "102", "101", "101"):
        bench.minute(SPY=f"100 {high} 99 100")
        filled.append(bench.venue.orders.find(placed.id).filled_qty)
    assert filled == [0, 0, 1, 2, 3]
    cost = bench.venue.orders.find(placed.id).filled_cost
    assert cost == Decimal("102.0102") + 2 * Decimal("100.01")


def test_the_orders_of_a_bar_execute_no_more_of_it_together_than_its_share() -> None:
    bench = Bench(model="participation:0.003")  # three shares of a bar's thousand
    bench.price("SPY", "100")
    placed = [bench.order(qty=1) for _ in range(5)]
    assert [order.status.value for order in placed] == ["filled"] * 3 + ["new"] * 2
    bench.minute(SPY="100")
    after = [bench.venue.orders.find(order.id).status.value for order in placed]
    assert after == ["filled"] * 5


def test_of_a_whole_number_of_coins_a_fraction_executes_and_of_shares_none() -> None:
    bench = Bench(model="participation:0.01")
    bench.price("BTC/USD", "100", volume="50")
    bench.price("SPY", "100", volume="50")
    coins, shares = bench.order(symbol="BTC/USD", qty=1), bench.order(qty=1)
    assert (coins.filled_qty, shares.filled_qty) == (Decimal("0.5"), 0)


def test_a_marketable_limit_takes_the_quote_at_once() -> None:
    bench = Bench(model="spread")
    bench.price("SPY", "100")
    order = bench.order(qty=1, type="limit", limit_price="100.02")
    assert (order.status.value, order.filled_cost) == ("filled", Decimal("100.01"))


def test_immediate_or_cancel_never_rests() -> None:
    bench = Bench()
    bench.price("SPY", "100")
    order = bench.order(qty=1, type="limit", limit_price="99", time_in_force="ioc")
    assert order.status.value == "canceled"
    assert bench.events() == ["pending_new", "new", "canceled"]


def test_a_day_order_on_a_closed_market_waits_for_the_next_sessions_first_bar() -> None:
    bench = Bench(now=OPEN - timedelta(minutes=30))
    bench.price("SPY", "100")
    order = bench.order(qty=2)
    assert order.status.value == "accepted"
    assert bench.events() == ["pending_new", "accepted"]
    bench.minute(SPY="98")  # a pre-market bar is none of the session
    assert bench.venue.orders.find(order.id).status.value == "accepted"
    bench.now = OPEN
    bench.venue.turn(bench.market())
    assert bench.events() == ["new"]
    updates = bench.minute(SPY="101 102 100 101.5")
    assert [update.event for update in updates] == ["fill"]
    assert bench.venue.orders.find(order.id).filled_cost == Decimal(203)


def test_a_market_order_at_the_bell_waits_for_a_price_of_this_session() -> None:
    bench = Bench(now=OPEN)
    bench.price("SPY", "100")
    order = bench.order(qty=1)
    assert order.status.value == "new"
    bench.minute(SPY="105")
    assert bench.venue.orders.find(order.id).filled_cost == Decimal(105)


def test_day_orders_expire_at_the_close_and_the_others_stay() -> None:
    bench = Bench()
    bench.price("SPY", "100")
    bench.price("BTC/USD", "70000")
    day = bench.order(qty=1, type="limit", limit_price="90")
    gtc = bench.order(qty=1, type="limit", limit_price="91", time_in_force="gtc")
    coin = bench.order(symbol="BTC/USD", qty="0.1", type="limit", limit_price="60000")
    bench.now = CLOSE
    late = bench.order(qty=1, type="limit", limit_price="92")  # good for tomorrow
    bench.venue.turn(bench.market())
    states = [bench.venue.orders.find(order.id).status.value for order in (day, gtc, coin, late)]
    assert states == ["expired", "new", "new", "accepted"]


def test_participation_fills_a_part_of_each_bar_and_the_rest_later() -> None:
    bench = Bench(model="participation:0.1")
    bench.price("SPY", "100", volume="40")
    order = bench.order(qty=10)
    assert (order.status.value, order.filled_qty) == ("partially_filled", 4)
    rival = bench.order(qty=3)  # this bar's volume is used up
    assert rival.filled_qty == 0
    bench.minute_of(bar("SPY", bench.now, "101", "70"))
    assert bench.venue.orders.find(order.id).status.value == "filled"
    assert bench.venue.orders.find(rival.id).filled_qty == 1
    bench.minute_of(bar("SPY", bench.now, "102", "0"))
    assert bench.venue.orders.find(rival.id).filled_qty == 1
    bench.minute_of(bar("SPY", bench.now, "102", "1000"))
    assert bench.venue.orders.find(rival.id).status.value == "filled"
    cumulative = [
        (fill.order_id == order.id, fill.qty, fill.cum_qty, fill.leaves_qty)
        for fill in bench.venue.executions
    ]
    assert cumulative == [(True, 4, 4, 6), (True, 6, 10, 0), (False, 1, 1, 2), (False, 2, 3, 0)]


def test_participation_fills_whole_shares_of_a_whole_order_and_fractions_of_another() -> None:
    bench = Bench(model="participation:0.1")
    bench.price("SPY", "100", volume="45")
    assert bench.order(qty=10).filled_qty == 4
    bench.price("QQQ", "100", volume="45")
    assert bench.order(symbol="QQQ", qty="10.5").filled_qty == Decimal("4.5")


def test_a_crypto_buy_pays_its_fee_in_coin_and_a_sell_in_dollars() -> None:
    bench = Bench()
    bench.price("BTC/USD", "70000.123456789")
    bought = bench.order(symbol="BTC/USD", qty="0.1")
    assert bought.filled_qty == Decimal("0.1")  # reported gross
    assert bench.venue.ledger.qty("BTC/USD") == Decimal("0.09975")
    assert plain(bench.venue.ledger.cash) == "92999.9876543211"
    bench.order(symbol="BTC/USD", qty="0.09975", side="sell")
    assert bench.venue.ledger.positions == {}
    # 0.09975 x 70000.123456789 = 6982.51231481470275, fee 17.456280787 (half up)
    expected = (
        Decimal("92999.9876543211") + Decimal("6982.51231481470275") - Decimal("17.456280787")
    )
    assert bench.venue.ledger.cash == expected


def test_the_coin_fee_is_rounded_half_up_to_nine_decimals() -> None:
    bench = Bench()
    bench.price("DOGE/USD", "100")
    bench.order(symbol="DOGE/USD", qty="6.0000002")  # fee 0.0150000005 -> 0.015000001
    assert bench.venue.ledger.qty("DOGE/USD") == Decimal("5.985000199")


def test_a_notional_order_buys_what_the_dollars_buy_to_nine_decimals() -> None:
    bench = Bench()
    bench.price("SPY", "333.33")
    order = bench.order(notional="1000")
    assert (order.status.value, plain(order.filled_qty)) == ("filled", "3.00003")
    order = bench.order(notional="100")
    assert plain(order.filled_qty) == "0.300003"
    bench.price("QQQ", "7")
    assert plain(bench.order(symbol="QQQ", notional="100").filled_qty) == "14.285714285"


def test_a_sale_relieves_cost_in_proportion() -> None:
    bench = Bench()
    bench.price("SPY", "100")
    bench.order(qty=2)
    bench.price("SPY", "130")
    bench.order(qty=1)
    held = bench.venue.ledger.positions["SPY"]
    assert (held.qty, held.cost) == (3, 330)
    bench.price("SPY", "150")
    bench.order(qty=1, side="sell")
    held = bench.venue.ledger.positions["SPY"]
    assert (held.qty, held.cost) == (2, 220)


def test_cancel_ends_an_open_order_once() -> None:
    bench = Bench()
    bench.price("SPY", "100")
    order = bench.order(qty=1, type="limit", limit_price="90")
    bench.events()
    bench.venue.cancel(order.id, bench.now)
    assert bench.events() == ["canceled"]
    with pytest.raises(Rejection, match='already in "canceled" state') as refusal:
        bench.venue.cancel(order.id, bench.now)
    assert refusal.value.status == 422
    with pytest.raises(Rejection, match="order not found") as refusal:
        bench.venue.cancel("nothing", bench.now)
    assert refusal.value.status == 404


def test_an_order_cancelled_before_it_was_worked_never_fills() -> None:
    bench = Bench()
    bench.price("SPY", "100")
    order = bench.submit(qty=1)
    bench.venue.cancel(order.id, bench.now)
    bench.venue.work(bench.market())
    assert bench.events() == ["canceled"]
    assert bench.venue.executions == []


def test_a_quiet_symbols_order_fills_at_its_own_last_close_of_the_session() -> None:
    bench = Bench(now=OPEN + 5 * MINUTE)
    bench.price("DBB", "20")
    bench.now += 50 * MINUTE
    assert bench.order(symbol="DBB", qty=1).filled_cost == Decimal(20)


def test_a_resting_order_is_left_alone_in_a_minute_without_a_bar_of_its_symbol() -> None:
    bench = Bench()
    bench.price("BTC/USD", "70000")
    bench.price("SPY", "100")
    order = bench.order(symbol="BTC/USD", qty="0.1", type="limit", limit_price="60000")
    bench.venue.take_updates()
    assert bench.minute(SPY="90") == []
    assert bench.venue.orders.find(order.id) == order


def test_an_order_that_has_only_just_been_answered_meets_no_bar() -> None:
    bench = Bench()
    bench.price("SPY", "100")
    order = bench.submit(qty=1, type="limit", limit_price="99")
    assert bench.minute(SPY="90") == []
    assert bench.venue.orders.find(order.id).status.value == "pending_new"
