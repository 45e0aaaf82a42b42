"""Orders, fills and books of small days that a trader can follow with a pencil."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest

from tests.oracle.bars import MINUTE
from tests.oracle.book import Book
from tests.oracle.market import DAY, MIDNIGHT, OPEN, bars, config, follower, market
from tests.oracle.predict import predict
from tests.oracle.spec import AssetRules

D = Decimal


def test_a_rise_is_bought_and_a_fall_sold_at_the_close_and_half_the_spread() -> None:
    day = bars("SPY", [100, 101, 102, 101.5, 101.5])
    result = predict(config(follower("SPY")), day, DAY)
    buy, sell = result.fills
    # 10000 / 1.01 / 101 = 98.02960..., rounded down to 4 decimals; 101 x 1.0001
    assert (buy.side, buy.qty, buy.price) == ("buy", D("98.0296"), D("101.0101"))
    assert (sell.side, sell.qty, sell.price) == ("sell", D("98.0296"), D("101.48985"))
    assert (buy.minute, sell.minute) == (OPEN + MINUTE, OPEN + 3 * MINUTE)
    gain = D("98.0296") * (D("101.48985") - D("101.0101"))
    assert result.cash["Follow"] == result.equity["Follow"] == 10000 + gain
    assert result.pnl["Follow"] == result.realized["Follow"] == gain
    assert result.positions["Follow"] == {}
    assert result.fees["Follow"] == 0


def test_the_close_fill_model_has_no_spread() -> None:
    day = bars("SPY", [100, 101, 100, 100])
    result = predict(config(follower("SPY")), day, DAY, fill_model="close")
    assert [fill.price for fill in result.fills] == [D(101), D(100)]


def test_every_bar_of_the_session_has_a_signal() -> None:
    day = bars("SPY", [100, 101, None, 101, 100], history=[99])
    result = predict(config(follower("SPY")), day, DAY)
    minutes = [(s.minute - OPEN) // MINUTE for s in result.signals]
    assert minutes == [0, 1, 3, 4]
    assert [s.signal for s in result.signals] == [1, 1, 0, -1]


@pytest.mark.parametrize(
    ("share", "qty"),
    [(0.5, "49.5049"), (0.995, "98.0296"), (0.99, "98.0198"), (1.0, "98.0296")],
    # 5000 / 101; beyond 1 / 1.01 the cash is the limit; 9900 / 101
)
def test_a_position_is_a_share_of_the_equity_but_never_all_the_cash(share: float, qty: str) -> None:
    block = follower("SPY", max_position_size=share)
    result = predict(config(block), bars("SPY", [100, 101, 101]), DAY)
    assert [fill.qty for fill in result.fills] == [D(qty)]


def test_two_tickers_of_one_minute_share_the_cash_in_the_order_of_the_tickers() -> None:
    day = market(bars("AAA", [50, 60, 60]), bars("BBB", [10, 11, 11]))
    block = follower("BBB", "AAA", cash=1010.0, max_position_size=0.6)
    first, second = predict(config(block), day, DAY).fills
    # BBB: 606 / 11 = 55.0909; it holds 55.0909 x 11 = 605.9999 of the 1010, whatever it costs
    assert (first.symbol, first.qty) == ("BBB", D("55.0909"))
    # AAA: (1010 - 605.9999) / 1.01 / 60 = 6.66666...
    assert (second.symbol, second.qty) == ("AAA", D("6.6666"))


def test_entries_of_one_minute_may_overdraw_a_book_by_the_spread() -> None:
    day = market(bars("AAA", [9, 10, 10]), bars("BBB", [9, 10, 11, 11]))
    result = predict(config(follower("AAA", "BBB", cash=1010.0)), day, DAY)
    # 100 shares and then 10 / 1.01 / 10 = 0.9900, at 10.001 each: 1000.1 + 9.90099
    assert [fill.qty for fill in result.fills] == [D(100), D("0.99")]
    assert result.cash["Follow"] == D("-0.00099")


def test_a_sale_pays_for_nothing_in_its_own_minute() -> None:
    day = market(bars("AAA", [10, 11, 10, 10, 10]), bars("BBB", [10, 9, 10, 11, 11]))
    result = predict(config(follower("AAA", "BBB", cash=1000.0)), day, DAY, fill_model="close")
    # Minute 2: AAA (90.0090 at 11) is sold while only 1000 - 990.099 = 9.901 is free.
    assert [(f.side, f.symbol, f.qty) for f in result.fills] == [
        ("buy", "AAA", D("90.0090")),
        ("sell", "AAA", D("90.0090")),
        ("buy", "BBB", D("0.9802")),
    ]


def test_equity_is_marked_with_this_minutes_closes_before_any_decision() -> None:
    day = market(bars("AAA", [10, 11, 22, 22]), bars("BBB", [10, 10, 11, 11]))
    block = follower("BBB", "AAA", cash=1000.0, max_position_size=0.25)
    result = predict(config(block), day, DAY, fill_model="close")
    bought = [f for f in result.fills if f.symbol == "BBB"]
    # AAA: 250 / 11 = 22.7272 shares, now worth 22 each: equity 1000 + 22.7272 x 11 = 1249.9992
    assert [f.qty for f in bought] == [D("28.4090")]


def test_opposite_orders_of_two_strategies_both_fill_at_the_same_close() -> None:
    day = bars("SPY", [100, 101, 100, 100])
    contrary = {
        **follower("SPY", name="Contrary"),
        "strategy_type": "rsi",
        "strategy_params": {"rsi_period": 2, "rsi_oversold": 60, "rsi_overbought": 61},
    }
    result = predict(config(follower("SPY"), contrary), day, DAY, fill_model="close")
    last = [(f.strategy, f.side, f.price) for f in result.fills if f.minute == OPEN + 2 * MINUTE]
    assert last == [("Follow", "sell", D(100)), ("Contrary", "buy", D(100))]


@pytest.mark.parametrize(
    ("closes", "risk", "expected"),
    [
        # the fall is also a sell signal: the stop is asked first
        ([100, 101, 99.99, 99.99], {"stop_loss_pct": 0.01}, ["1 buy", "2 stop"]),
        ([100, 101, 99.9901, 99.9901], {"stop_loss_pct": 0.01}, ["1 buy", "2 signal"]),
        # the rise says buy, which means nothing while long
        ([100, 100, 101, 102.01, 102.01], {"take_profit_pct": 0.01}, ["2 buy", "3 target"]),
        ([100, 101, 102.0099, 102.0099], {"take_profit_pct": 0.01}, ["1 buy"]),
        ([100, 101, 90, 90], {"stop_loss_pct": 0.01, "take_profit_pct": 0.01}, ["1 buy", "2 stop"]),
        # a target sells into a rise, and the next rise buys again
        (
            [100, 101, 103, 104, 104],
            {"take_profit_pct": 0.01},
            ["1 buy", "2 target", "3 buy"],
        ),
    ],
)
def test_stop_then_target_then_signal(
    closes: list[float], risk: dict[str, float], expected: list[str]
) -> None:
    block = {**follower("SPY"), "risk_config": risk}
    result = predict(config(block), bars("SPY", closes), DAY, fill_model="close")
    told = [
        f"{(o.minute - OPEN) // MINUTE} {'buy' if o.side == 'buy' else o.reason}"
        for o in result.orders
    ]
    assert told == expected


def test_the_stop_counts_from_what_was_paid_not_from_the_close() -> None:
    # bought at 101.0101: 1 % below is 99.999999, so a close of 99.9999 stops and 100 does not
    block = follower("SPY", stop_loss_pct=0.01)
    block["strategy_params"] = {"lookback_period": 1, "momentum_threshold": 0.009999}
    for close, reasons in ((99.9999, ["signal", "stop"]), (100, ["signal"])):
        day = bars("SPY", [100, 101, 100.5, close, close])
        result = predict(config(block), day, DAY)
        assert [order.reason for order in result.orders] == reasons


def test_max_daily_trades_counts_entries_and_never_blocks_an_exit() -> None:
    day = bars("SPY", [100, 101, 100, 101, 100, 101, 101])
    result = predict(config(follower("SPY", max_daily_trades=2)), day, DAY)
    assert [fill.side for fill in result.fills] == ["buy", "sell", "buy", "sell"]
    assert [(x.cause, x.minute) for x in result.denials] == [
        ("max_daily_trades", OPEN + 5 * MINUTE)
    ]


def test_max_daily_trades_of_zero_allows_no_entry() -> None:
    result = predict(config(follower("SPY", max_daily_trades=0)), bars("SPY", [1, 2, 2]), DAY)
    assert (result.fills, len(result.denials)) == ((), 1)


def test_max_daily_loss_stops_entries_until_the_day_ends_and_lets_exits_go() -> None:
    # 98.0296 shares at 101: 100 loses 98.0296, and a later gain on paper does not reopen the day
    day = market(bars("AAA", [100, 101, 100, 101, 102, 102]), bars("BBB", [1, 1, 1, 2, 3, 3]))
    for limit, entries in ((98.0296, 1), (98.0297, 3)):
        block = follower("AAA", "BBB", max_daily_loss=limit)
        result = predict(config(block), day, DAY, fill_model="close")
        assert sum(f.side == "buy" for f in result.fills) == entries, limit
        assert sum(f.side == "sell" for f in result.fills) == 1, limit


def test_the_bar_that_ends_at_the_close_decides_nothing() -> None:
    late = OPEN + dt.timedelta(hours=6, minutes=27)
    day = bars("SPY", [100, 101, 100], begin=late)
    result = predict(config(follower("SPY")), day, DAY, fill_model="close")
    assert [fill.side for fill in result.fills] == ["buy"]
    assert [s.signal for s in result.signals] == [0, 1, -1]
    # it is the last mark all the same
    assert result.equity["Follow"] == 10000 - D("98.0296")


def test_an_early_close_ends_the_day_and_a_bar_stamped_at_the_close_is_not_of_it() -> None:
    eve = dt.date(2019, 12, 24)
    begin = dt.datetime(2019, 12, 24, 17, 57, tzinfo=dt.UTC)
    day = bars("SPY", [100, 101, 100, 90], begin=begin)
    result = predict(config(follower("SPY")), day, eve, fill_model="close")
    assert [fill.minute for fill in result.fills] == [begin + MINUTE]
    assert len(result.signals) == 3
    assert result.equity["Follow"] == 10000 - D("98.0296")


def test_the_last_crypto_minute_of_the_utc_day_decides_nothing() -> None:
    begin = MIDNIGHT + dt.timedelta(hours=23, minutes=57)
    day = bars("BTC/USD", [100, 101, 100, 90], begin=begin)
    result = predict(config(follower("BTC/USD")), day, DAY)
    assert [fill.minute for fill in result.fills] == [begin + MINUTE]
    assert len(result.signals) == 3


def test_crypto_fees_come_out_of_the_coin_on_a_buy_and_out_of_the_dollars_on_a_sale() -> None:
    day = bars("ETH/USD", [1999, 2000, 1990, 1990])
    block = follower("ETH/USD", cash=1010.0, max_position_size=0.4)
    result = predict(config(block), day, DAY, fill_model="close")
    buy, sell = result.fills
    # 404 / 2000 = 0.202; 0.25 % of it is 0.000505 coins, 1.01 dollars
    assert (buy.qty, buy.fee) == (D("0.202"), D("1.01"))
    # 0.201495 x 1990 = 400.97505; 0.25 % = 1.002437625
    assert (sell.qty, sell.fee) == (D("0.201495"), D("1.002437625"))
    assert result.fees["Follow"] == D("2.012437625")
    assert result.cash["Follow"] == 1010 - 404 + D("400.97505") - D("1.002437625")
    assert result.realized["Follow"] == D("0.201495") * -10


@pytest.mark.parametrize(
    ("qty_text", "price", "coin_fee"),
    # 0.25 % of 0.0000002 coins is half of 1e-9: rounded up
    [("0.0000002", 1, "0.000000001"), ("0.000000199", 1, "0"), ("0.0000006", 1, "0.000000002")],
)
def test_half_of_a_billionth_coin_of_fee_rounds_up(
    qty_text: str, price: int, coin_fee: str
) -> None:
    book = Book(D(10))
    assert book.buy("BTC/USD", D(qty_text), D(price)) == D(coin_fee)
    assert book.held("BTC/USD") == D(qty_text) - D(coin_fee)


def test_dust_that_cannot_be_ordered_stays_and_joins_the_next_exit() -> None:
    lots = AssetRules(D("0.1"), D("0.1"), D(10))
    day = bars("SOL/USD", [99, 100, 99, 100, 99, 99])
    block = follower("SOL/USD", cash=10000.0, max_position_size=0.5)
    result = predict(config(block), day, DAY, fill_model="close", assets={"SOL/USD": lots})
    # 50 bought, 49.875 received, 49.8 sold, 0.075 left: flat. Cash 5000 + 4930.2 x 0.9975 and
    # 0.075 x 100 make 9925.3745: 49.6 bought, 49.476 received, 49.551 held, 49.5 sold.
    assert [(f.side, f.qty) for f in result.fills] == [
        ("buy", D("50.0")),
        ("sell", D("49.8")),
        ("buy", D("49.6")),
        ("sell", D("49.5")),
    ]
    assert result.positions["Follow"] == {"SOL/USD": D("0.051")}


@pytest.mark.parametrize(
    ("symbol", "cash", "bought"),
    [
        ("SPY", 1.0, False),  # 0.0099 x 101 = 0.9999: less than a dollar
        ("SPY", 1.03, True),  # 0.0100 x 101 = 1.01
        ("BTC/USD", 10.09, False),  # 10.09 / 1.01 = 9.99
        ("BTC/USD", 10.2, True),
    ],
)
def test_an_entry_below_the_brokers_minimum_is_not_sent(
    symbol: str, cash: float, bought: bool
) -> None:
    result = predict(config(follower(symbol, cash=cash)), bars(symbol, [100, 101, 101]), DAY)
    assert bool(result.fills) is bought
    assert [x.cause for x in result.denials] == ([] if bought else ["minimum"])


def test_a_stock_that_is_not_fractionable_trades_in_whole_shares() -> None:
    whole = {"SPY": AssetRules(D(1), D(1), D(1))}
    day = bars("SPY", [100, 101, 100, 100])
    result = predict(config(follower("SPY")), day, DAY, assets=whole)
    assert [fill.qty for fill in result.fills] == [D(98), D(98)]
