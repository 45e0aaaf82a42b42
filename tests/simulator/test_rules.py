"""Part C of the Alpaca reference: which orders are refused, with which status and body."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from simulator.errors import Rejection
from tests.simulator.bench import CLOSE, OPEN, Bench

LIMIT = {"type": "limit", "limit_price": "99.5"}


@pytest.fixture
def bench() -> Bench:
    made = Bench()
    made.price("SPY", "100")
    made.price("PENNY", "0.5")
    made.price("BTC/USD", "70000")
    return made


@pytest.mark.parametrize(
    ("order", "status", "code", "message"),
    [
        ({"symbol": ""}, 422, 40010001, "symbol is required"),
        ({"symbol": "spy", "qty": 1}, 422, 42210000, 'asset "spy" not found'),
        ({"symbol": "NODATA", "qty": 1}, 422, 42210000, "no market data is known"),
        ({"qty": 1, "side": None}, 422, 40010001, "side is required"),
        ({"qty": 1, "side": "hold"}, 422, 42210000, "invalid side"),
        ({"qty": 1, "type": "magic"}, 422, 42210000, "invalid type"),
        ({"qty": 1, "time_in_force": "soon"}, 422, 42210000, "invalid time_in_force"),
        ({}, 422, 40010001, "exactly one of qty or notional"),
        ({"qty": 1, "notional": 5}, 422, 40010001, "exactly one of qty or notional"),
        ({"qty": 0}, 422, 40010001, "qty must be > 0"),
        ({"qty": "-1"}, 422, 40010001, "qty must be > 0"),
        ({"qty": "NaN"}, 422, 40010001, "is not a number"),
        ({"qty": "1_0"}, 422, 40010001, "is not a number"),
        ({"qty": Decimal("1e999999")}, 422, 40010001, "is not a number"),
        ({"qty": "1.0000000001"}, 422, 42210000, "limited to 9 decimal places"),
        ({"notional": "10.001"}, 422, 42210000, "limited to 2 decimal places"),
        ({"qty": 1, "client_order_id": "x" * 129}, 422, 40010001, "no more than 128"),
        # C9: fractions and amounts of stocks
        ({"qty": "0.5", "time_in_force": "gtc"}, 422, 42210000, "fractional orders must be DAY"),
        ({"notional": 50, "time_in_force": "ioc"}, 422, 42210000, "fractional orders must be DAY"),
        ({"qty": "0.0099"}, 422, 42210000, "cost basis must be >= minimal amount of order 1"),
        ({"qty": "0.5", "side": "sell"}, 422, 42210000, "fractional orders cannot be sold short"),
        # C10: prices
        ({"qty": 1, "type": "limit"}, 422, 40010001, "limit orders require limit_price"),
        ({"qty": 1, "limit_price": 9}, 422, 40010001, "market orders must not have limit_price"),
        ({"qty": 1, "type": "stop"}, 422, 40010001, "stop orders require stop_price"),
        ({"qty": 1, "type": "limit", "limit_price": "290.123"}, 422, 42210000, "sub-penny"),
        (
            {"symbol": "PENNY", "qty": 9, "type": "limit", "limit_price": "0.50001"},
            422,
            42210000,
            "sub-penny",
        ),
        # C12: extended hours
        ({"qty": 1, "extended_hours": True}, 422, 42210000, "must be DAY or GTC limit orders"),
        # C13: crypto
        ({"symbol": "BTC/USD", "qty": 1, "time_in_force": "day"}, 422, 42210000, "time_in_force"),
        (
            {"symbol": "BTC/USD", "qty": 1, "type": "stop", "stop_price": 1},
            422,
            42210000,
            "invalid order type for crypto",
        ),
        ({"symbol": "BTC/USD", "qty": "0.000015"}, 422, 42210000, "min_order_size 0.000016"),
        (
            {"symbol": "BTC/USD", "qty": "0.0001428"},
            403,
            40310000,
            "cost basis must be >= minimal amount of order 10",
        ),
        ({"symbol": "BTC/USD", "qty": 1, "side": "sell"}, 403, 40310000, "insufficient balance"),
        (
            {"symbol": "BTC/USD", "qty": 1, "type": "limit", "limit_price": "1.001"},
            422,
            42210000,
            "multiple of 0.01",
        ),
        # C7: buying power, twice the equity for stocks, the dollars themselves for crypto
        ({"qty": 2001}, 403, 40310000, "insufficient buying power"),
        ({"symbol": "BTC/USD", "qty": "1.43"}, 403, 40310000, "insufficient balance"),
        # docs.alpaca.markets/docs/crypto-trading: at most $200,000 an order
        ({"symbol": "BTC/USD", "qty": "2.8572"}, 403, 40310000, "maximal amount of order 200000"),
        (
            {"symbol": "BTC/USD", "qty": 3, "type": "limit", "limit_price": "66666.67"},
            403,
            40310000,
            "maximal amount of order 200000",
        ),
    ],
)
def test_an_order_that_breaks_a_rule_is_refused_as_alpaca_refuses_it(
    bench: Bench, order: dict[str, Any], status: int, code: int, message: str
) -> None:
    with pytest.raises(Rejection) as refusal:
        bench.order(**order)
    assert (refusal.value.status, refusal.value.code) == (status, code)
    assert message in refusal.value.message
    assert len(bench.venue.orders) == 0


@pytest.mark.parametrize(
    "order",
    [
        {"qty": 2000},
        {"qty": "0.01"},
        {"notional": "1"},
        {"qty": "0.123456789"},
        {"symbol": "BTC/USD", "qty": "1.42"},
        {"symbol": "BTC/USD", "qty": "0.0001429"},
        {"symbol": "BTC/USD", "notional": 10, "time_in_force": "ioc"},
        {"qty": 1, "type": "limit", "limit_price": "290.12"},
        {"symbol": "PENNY", "qty": 9, "type": "limit", "limit_price": "0.5001"},
        {"qty": 1, "client_order_id": "x" * 128},
        {"qty": 3, "side": "sell"},
    ],
)
def test_an_order_on_the_right_side_of_each_rule_fills(bench: Bench, order: dict[str, Any]) -> None:
    assert bench.order(**order).status.value == "filled"


@pytest.mark.parametrize(
    ("order", "what"),
    [
        ({"order_class": "bracket", "take_profit": {"limit_price": 120}}, "order_class bracket"),
        ({"order_class": "mleg", "legs": [{"symbol": "SPY"}]}, "order_class mleg"),
        ({"take_profit": {"limit_price": 120}}, "take_profit"),
        ({"stop_loss": {"stop_price": 90}}, "stop_loss"),
        ({"trail_percent": 1}, "trail_percent"),
        ({"type": "trailing_stop", "trail_price": 1}, "type trailing_stop"),
        *(({"time_in_force": word}, f"time_in_force {word}") for word in ("opg", "cls", "fok")),
    ],
)
def test_an_order_of_a_kind_that_is_not_served_is_refused_and_told_so(
    bench: Bench, order: dict[str, Any], what: str
) -> None:
    with pytest.raises(Rejection, match=f"^422 42210000: {what} is not served by this simulator"):
        bench.order(qty=1, **order)
    assert len(bench.venue.orders) == 0


def test_an_order_does_to_the_position_what_its_client_says_or_is_refused(bench: Bench) -> None:
    with pytest.raises(Rejection, match="inferred: sell_to_open, specified: sell_to_close"):
        bench.order(qty=3, side="sell", position_intent="sell_to_close")
    assert bench.order(qty=3, position_intent="buy_to_open").status.value == "filled"
    with pytest.raises(Rejection, match="inferred: sell_to_close, specified: sell_to_open"):
        bench.order(qty=3, side="sell", position_intent="sell_to_open")
    bench.order(qty=3, side="sell", position_intent="sell_to_close")
    assert bench.venue.ledger.positions == {}


@pytest.mark.parametrize(("old", "pair"), [("BTCUSD", "BTC/USD"), ("USDTUSD", "USDT/USD")])
def test_a_pair_may_be_written_without_its_slash(bench: Bench, old: str, pair: str) -> None:
    bench.price(pair, "70000")
    assert bench.order(symbol=old, qty=1, time_in_force="gtc").symbol == pair


def test_a_client_order_id_is_unique_for_ever_even_after_a_cancel(bench: Bench) -> None:
    first = bench.order(qty=1, client_order_id="s1.0001", **LIMIT)
    bench.venue.cancel(first.id, bench.now)
    with pytest.raises(Rejection) as refusal:
        bench.order(qty=1, client_order_id="s1.0001")
    assert refusal.value.body() == {
        "code": 40010001,
        "message": "client_order_id must be unique",
    }


WASH = [
    # resting buy, new sell, refused?      (C5, with the resting order's price below or above)
    ({"type": "market"}, {"type": "market"}, True),
    ({"type": "market"}, {"type": "limit", "limit_price": "120"}, True),
    ({"type": "limit", "limit_price": "90"}, {"type": "market"}, True),
    ({"type": "limit", "limit_price": "90"}, {"type": "limit", "limit_price": "91"}, False),
    ({"type": "limit", "limit_price": "90"}, {"type": "limit", "limit_price": "90"}, True),
    ({"type": "limit", "limit_price": "90"}, {"type": "stop", "stop_price": "80"}, True),
    (
        {"type": "limit", "limit_price": "90"},
        {"type": "stop_limit", "stop_price": "80", "limit_price": "91"},
        False,
    ),
    (
        {"type": "limit", "limit_price": "90"},
        {"type": "stop_limit", "stop_price": "80", "limit_price": "79"},
        True,
    ),
    ({"type": "stop", "stop_price": "110"}, {"type": "market"}, True),
    ({"type": "stop", "stop_price": "110"}, {"type": "limit", "limit_price": "120"}, True),
    ({"type": "stop", "stop_price": "110"}, {"type": "stop", "stop_price": "80"}, True),
    (
        {"type": "stop_limit", "stop_price": "110", "limit_price": "111"},
        {"type": "limit", "limit_price": "112"},
        False,
    ),
    (
        {"type": "stop_limit", "stop_price": "110", "limit_price": "111"},
        {"type": "limit", "limit_price": "105"},
        True,
    ),
    (
        {"type": "stop_limit", "stop_price": "110", "limit_price": "111"},
        {"type": "market"},
        True,
    ),
]


@pytest.mark.parametrize(("resting", "new", "refused"), WASH)
def test_orders_that_could_trade_with_each_other_are_refused_by_the_wash_table(
    resting: dict[str, Any], new: dict[str, Any], refused: bool
) -> None:
    bench = Bench(now=OPEN + timedelta(hours=1))
    bench.price("SPY", "100")
    bench.order(qty=10)
    bench.now = CLOSE + timedelta(hours=1)  # closed, so that a market order can rest
    first = bench.order(qty=1, side="buy", **resting)
    assert first.status.value == "accepted"
    if not refused:
        assert bench.order(qty=1, side="sell", **new).status.value == "accepted"
        return
    with pytest.raises(Rejection) as refusal:
        bench.order(qty=1, side="sell", **new)
    body = refusal.value.body()
    assert refusal.value.status == 403
    assert body["message"] == "potential wash trade detected. use complex orders"
    assert body["existing_order_id"] == first.id


def test_the_wash_table_looks_at_one_symbol_and_opposite_sides_only(bench: Bench) -> None:
    bench.order(qty=1, type="stop", stop_price="110")
    bench.price("QQQ", "50")
    bench.order(symbol="QQQ", qty=2)
    assert bench.order(symbol="QQQ", qty=1, side="sell").status.value == "filled"
    assert bench.order(qty=1).status.value == "filled"


def test_shares_promised_to_one_sell_cannot_be_sold_by_another(bench: Bench) -> None:
    bench.order(qty=10)
    stop = bench.order(qty=6, side="sell", type="stop", stop_price="90")
    assert bench.venue.account.available("SPY") == 4
    with pytest.raises(Rejection) as refusal:
        bench.order(qty=5, side="sell", type="limit", limit_price="120")
    assert refusal.value.body() == {
        "code": 40310000,
        "message": "insufficient qty available for order (requested: 5, available: 4)",
        "available": "4",
        "existing_qty": "10",
        "held_for_orders": "6",
        "related_orders": [stop.id],
        "symbol": "SPY",
    }
    bench.venue.cancel(stop.id, bench.now)
    assert bench.order(qty=10, side="sell").status.value == "filled"


def test_open_buys_reserve_buying_power_until_they_end(bench: Bench) -> None:
    resting = bench.order(qty=1500, **LIMIT)
    assert bench.venue.account.funds(bench.market()).buying_power == Decimal("50750")
    with pytest.raises(Rejection) as refusal:
        bench.order(qty=508)
    assert refusal.value.body()["buying_power"] == "50750"
    assert refusal.value.body()["cost_basis"] == "50800"
    bench.venue.cancel(resting.id, bench.now)
    assert bench.venue.account.funds(bench.market()).buying_power == Decimal(200000)


def test_crypto_is_paid_from_dollars_and_never_from_margin(bench: Bench) -> None:
    bench.order(qty=500)
    money = bench.venue.account.funds(bench.market())
    assert (money.buying_power, money.non_marginable) == (Decimal(150000), Decimal(50000))
    with pytest.raises(Rejection) as refusal:
        bench.order(symbol="BTC/USD", qty="0.72")
    assert refusal.value.body() == {
        "code": 40310000,
        "message": "insufficient balance for USD (requested: 50400, available: 50000)",
        "available": "50000",
        "balance": "50000",
        "symbol": "USD",
    }
    assert bench.order(symbol="BTC/USD", qty="0.71").status.value == "filled"


def test_coins_of_more_than_an_order_may_be_for_are_sold_in_pieces() -> None:
    bench = Bench(cash="500000", fee_rate="0")
    bench.price("BTC/USD", "70000")
    for _ in range(2):
        bench.order(symbol="BTC/USD", qty=2)
    with pytest.raises(Rejection, match="maximal amount of order 200000"):
        bench.order(symbol="BTC/USD", qty=4, side="sell")
    for _ in range(2):
        assert bench.order(symbol="BTC/USD", qty=2, side="sell").status.value == "filled"
    bench.price("SPY", "100")
    assert bench.order(qty=3000).status.value == "filled", "of stocks there is no such limit"


def test_a_sale_of_more_coin_than_is_left_is_refused_with_the_balance(bench: Bench) -> None:
    bench.order(symbol="BTC/USD", qty=1)
    bench.order(symbol="BTC/USD", qty="0.5", side="sell", type="limit", limit_price="80000")
    with pytest.raises(Rejection) as refusal:
        bench.order(symbol="BTC/USD", qty="0.5", side="sell")
    assert (refusal.value.status, refusal.value.body()) == (
        403,
        {
            "code": 40310000,
            "message": "insufficient balance for BTC (requested: 0.5, available: 0.4975)",
            "available": "0.4975",
            "balance": "0.9975",
            "symbol": "USD",
        },
    )


def test_a_whole_share_short_needs_room_and_closes_only_as_far_as_it_goes(bench: Bench) -> None:
    bench.order(qty=10, side="sell")
    assert bench.venue.ledger.qty("SPY") == -10
    with pytest.raises(Rejection, match="insufficient qty available"):
        bench.order(qty=11, side="buy")
    bench.order(qty=10, side="buy")
    assert bench.venue.ledger.positions == {}
    assert bench.venue.ledger.cash == Decimal(100000)


def test_a_poor_account_may_not_sell_short() -> None:
    bench = Bench(cash="1999")
    bench.price("SPY", "100")
    with pytest.raises(Rejection, match="not allowed to short"):
        bench.order(qty=1, side="sell")
    richer = Bench(cash="2000")
    richer.price("SPY", "100")
    assert richer.order(qty=1, side="sell").status.value == "filled"


def test_a_short_positions_loss_counts_against_the_account(bench: Bench) -> None:
    bench.order(qty=10, side="sell")
    bench.price("SPY", "110")
    money = bench.venue.account.funds(bench.market())
    assert (money.short_value, money.long_value, money.equity) == (-1100, 0, 99_900)
    assert (money.initial_margin, money.buying_power) == (550, 2 * (99_900 - 550))


def test_the_smallest_order_of_a_pair_is_taken_and_nothing_below_it(bench: Bench) -> None:
    bench.order(symbol="BTC/USD", qty=1)
    sale = bench.order(symbol="BTC/USD", qty="0.000016", side="sell")
    assert sale.status.value == "filled"
    with pytest.raises(Rejection, match="qty must be >= min_order_size"):
        bench.order(symbol="BTC/USD", qty="0.000015999", side="sell")
