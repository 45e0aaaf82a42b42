"""What a session sees: its history, its warm-up, where it starts, and what it takes over."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pandas as pd
import pytest

from tests.oracle import exchange
from tests.oracle.bars import MINUTE, exact_price, series
from tests.oracle.market import DAY, MIDNIGHT, OPEN, bars, config, follower, market
from tests.oracle.predict import predict
from tests.oracle.recorded import one_source_a_day

D = Decimal
WALK = [100, 101, 100, 101, 100, 101, 100, 100]


def entries(result_minutes: list[dt.datetime]) -> list[int]:
    """Minutes as numbers from the open."""
    return [(minute - OPEN) // MINUTE for minute in result_minutes]


@pytest.mark.parametrize(
    ("history", "warmup", "first_order"),
    [
        (0, 0, 1),
        (0, 2, 1),
        (0, 3, 3),
        (3, 5, 1),
        (3, 6, 3),
        (40, 50, 9),
        (40, 51, 11),
        (50, 50, 1),
        (99, 50, 1),
        (2, 100, None),
    ],
)
def test_a_ticker_trades_once_it_has_its_warmup_bars(
    history: int, warmup: int, first_order: int | None
) -> None:
    # every odd minute rises; minute m is bar number history + m + 1
    day = bars("SPY", [100, 101] * 6 + [101], history=[100] * history)
    block = {**follower("SPY"), "min_warmup_bars": warmup}
    found = entries([order.minute for order in predict(config(block), day, DAY).orders])
    assert found[:1] == ([] if first_order is None else [first_order])


def test_a_quiet_ticker_does_not_hold_the_others_back() -> None:
    block = {**follower("AAA", "BBB"), "min_warmup_bars": 4}
    day = market(bars("AAA", [5, None, None, None, 6, 6]), bars("BBB", WALK))
    result = predict(config(block), day, DAY)
    assert {order.symbol for order in result.orders} == {"BBB"}


def test_the_caller_may_ask_for_another_warmup_than_the_configuration() -> None:
    block = {**follower("SPY"), "min_warmup_bars": 1000}
    day = bars("SPY", WALK)
    assert predict(config(block), day, DAY).orders == ()
    assert len(predict(config(block), day, DAY, min_warmup_bars=0).orders) == 6


def test_an_indicator_looks_back_ten_times_its_longest_window_and_no_further() -> None:
    block = {
        **follower("SPY"),
        "strategy_type": "rsi",
        "strategy_params": {"rsi_period": 2, "rsi_oversold": 1, "rsi_overbought": 99.9999},
    }
    # Only gains within the last twenty bars, so RSI is 100; one bar more would have a loss in it.
    rising = [float(50 + i) for i in range(20)]
    for history in (rising, [90.0, *rising], [1.0, 90.0, 80.0, *rising]):
        result = predict(config(block), bars("SPY", [70, 71, 71], history=history), DAY)
        assert [s.signal for s in result.signals] == [-1, -1, -1]


def test_a_loss_inside_the_history_is_remembered() -> None:
    block = {
        **follower("SPY"),
        "strategy_type": "rsi",
        "strategy_params": {"rsi_period": 2, "rsi_oversold": 1, "rsi_overbought": 99.9999},
    }
    history = [90.0, *[float(50 + i) for i in range(19)]]
    result = predict(config(block), bars("SPY", [69, 70], history=history), DAY)
    # the loss of 40 has been halved nineteen times and more, the gains are 1 a bar
    assert [s.signal for s in result.signals] == [0, 0]


def test_bars_outside_regular_hours_do_not_count() -> None:
    regular = bars("SPY", [100, 101, 100, 100], history=[99])
    early = bars("SPY", [7, 8, 7], begin=OPEN - 3 * MINUTE)
    late = bars("SPY", [7, 8, 7], begin=OPEN + dt.timedelta(hours=6, minutes=30))
    weekend = bars("SPY", [7, 8, 7], begin=OPEN - dt.timedelta(days=2))
    alone = predict(config(follower("SPY")), regular, DAY)
    assert predict(config(follower("SPY")), market(regular, early, late, weekend), DAY) == alone


def test_a_coordinator_that_starts_late_decides_only_on_bars_that_end_later() -> None:
    day = bars("SPY", WALK)
    start = OPEN + 3 * MINUTE
    result = predict(config(follower("SPY")), day, DAY, start=start)
    assert entries([s.minute for s in result.signals]) == [3, 4, 5, 6, 7]
    assert [s.signal for s in result.signals] == [1, -1, 1, -1, 0]
    whole = predict(config(follower("SPY")), day, DAY)
    assert result.signals == whole.signals[3:]


def test_a_disabled_strategy_has_no_part_in_the_day() -> None:
    off = {**follower("SPY", name="Off"), "enabled": False}
    result = predict(config(off, follower("SPY")), bars("SPY", WALK), DAY)
    assert set(result.cash) == {"Follow"}


def test_a_position_stays_overnight_and_the_next_day_starts_from_its_equity() -> None:
    tomorrow = DAY + dt.timedelta(days=1)
    block = follower("SPY", max_daily_loss=150.0, max_daily_trades=1)
    first = bars("SPY", [100, 101, 101])
    next_open = OPEN + dt.timedelta(days=1)
    second = bars("SPY", [102, 101, 102, 101, 101], begin=next_open)
    both = market(first, second)
    monday = predict(config(block), both, DAY, fill_model="close")
    assert monday.positions["Follow"] == {"SPY": D("98.0296")}
    assert monday.costs["Follow"] == {"SPY": D("98.0296") * 101}
    tuesday = predict(config(block), both, tomorrow, fill_model="close", previous=monday)
    # the counters began anew: one entry again, and the second rise after it is denied
    assert [(f.side, entries([f.minute - dt.timedelta(days=1)])[0]) for f in tuesday.fills] == [
        ("sell", 1),
        ("buy", 2),
        ("sell", 3),
    ]
    assert tuesday.pnl["Follow"] == tuesday.cash["Follow"] - 10000
    assert tuesday.positions["Follow"] == {}


@pytest.mark.parametrize(
    ("limit", "denied"),
    # 98.0296 shares bought at 101 end Monday at 102, and are worth 99 on Tuesday morning:
    # 294.0888 less than on Monday evening, 196.0592 less than at first
    [(196.06, 2), (294.0888, 2), (294.0889, 0)],
)
def test_an_overnight_gap_counts_against_the_days_loss(limit: float, denied: int) -> None:
    tomorrow = DAY + dt.timedelta(days=1)
    next_open = OPEN + dt.timedelta(days=1)
    both = market(bars("SPY", [100, 101, 102]), bars("SPY", [99, 100, 101, 101], begin=next_open))
    block = follower("SPY", max_daily_loss=limit)
    monday = predict(config(block), both, DAY, fill_model="close")
    tuesday = predict(config(block), both, tomorrow, fill_model="close", previous=monday)
    assert [x.cause for x in tuesday.denials] == ["max_daily_loss"] * denied


def test_stocks_and_crypto_share_one_book_and_crypto_trades_after_the_close() -> None:
    evening = OPEN + dt.timedelta(hours=8)
    day = market(
        bars("SPY", [100, 101, 100, 100]),
        bars("BTC/USD", [100, 101, 100, 100], begin=evening),
    )
    result = predict(config(follower("SPY", "BTC/USD")), day, DAY, fill_model="close")
    assert [(f.symbol, f.side) for f in result.fills] == [
        ("SPY", "buy"),
        ("SPY", "sell"),
        ("BTC/USD", "buy"),
        ("BTC/USD", "sell"),
    ]
    # SPY lost 98.0296: 9901.9704 / 1.01 / 101
    assert result.fills[2].qty == D("97.068624644")


def test_a_run_of_stocks_and_crypto_begins_ten_minutes_before_the_open() -> None:
    night = bars("BTC/USD", [100, 101, 100, 100])
    early = bars("BTC/USD", [100, 101, 100, 100], begin=OPEN - 11 * MINUTE)
    day = market(night, early, bars("SPY", [100]))
    result = predict(config(follower("SPY", "BTC/USD")), day, DAY)
    assert [f.minute for f in result.fills] == [OPEN - 10 * MINUTE, OPEN - 9 * MINUTE]
    alone = predict(config(follower("BTC/USD")), day, DAY)
    assert [f.minute for f in alone.fills[:2]] == [MIDNIGHT + MINUTE, MIDNIGHT + 2 * MINUTE]


def test_a_strategy_with_a_stock_begins_its_day_at_the_exchanges_open() -> None:
    closes = [100, 101, 100, 101, 100, 101, 100, 101, 100, 101, 100, 100]
    day = market(bars("BTC/USD", closes, begin=OPEN - 6 * MINUTE), bars("SPY", [100]))
    both = predict(config(follower("SPY", "BTC/USD", max_daily_trades=1)), day, DAY)
    # bars start 6 minutes before the open; the one that ends at the open is already of the day
    assert entries([f.minute for f in both.fills]) == [-5, -4, -1, 0]
    alone = predict(
        config(follower("BTC/USD", max_daily_trades=1)), day, DAY, start=OPEN - 10 * MINUTE
    )
    assert entries([f.minute for f in alone.fills]) == [-5, -4]


def test_without_a_session_stocks_do_nothing_and_crypto_goes_on() -> None:
    sunday = dt.date(2026, 3, 15)
    noon = dt.datetime(2026, 3, 15, 12, tzinfo=dt.UTC)
    day = market(bars("SPY", WALK, begin=noon), bars("BTC/USD", WALK, begin=noon))
    result = predict(config(follower("SPY"), follower("BTC/USD", name="Coin")), day, sunday)
    assert {s.strategy for s in result.signals} == {"Coin"}


@pytest.mark.parametrize(
    ("symbol", "price", "exact"),
    [
        ("SPY", 257.97505, "257.9750"),
        ("SPY", 257.97515, "257.9752"),
        ("SPY", 0.1 + 0.2, "0.3000"),
        ("BTC/USD", 0.2675018333935803, "0.267501833"),
        ("BTC/USD", 0.0000000005, "0E-9"),
        ("BTC/USD", 0.0000000015, "2E-9"),
    ],
)
def test_prices_are_rounded_half_even_as_they_are_written(
    symbol: str, price: float, exact: str
) -> None:
    assert str(exact_price(symbol, price)) == exact


def test_a_minute_with_two_bars_is_refused() -> None:
    with pytest.raises(ValueError, match="two bars"):
        series(market(bars("SPY", [1]), bars("SPY", [2])), "SPY", DAY)


def test_two_sources_of_one_day_are_refused() -> None:
    day = bars("SPY", WALK)
    mixed = market(day.iloc[::2].assign(source="here"), day.iloc[1::2].assign(source="there"))
    with pytest.raises(ValueError, match="two sources have bars of"):
        one_source_a_day(mixed)


def test_the_exchange_closes_early_on_christmas_eve_and_stays_closed_on_christmas_day() -> None:
    close = dt.datetime(2019, 12, 24, 18, tzinfo=dt.UTC)
    for found in (exchange.session, exchange.library_session):
        hours = found(close.date())
        assert hours is not None
        assert hours[1] == close
        assert found(dt.date(2019, 12, 25)) is None


def test_the_frame_may_be_in_any_order() -> None:
    day = bars("SPY", WALK, history=[99, 98])
    shuffled = pd.concat([day.iloc[::2], day.iloc[1::2]])
    assert predict(config(follower("SPY")), shuffled, DAY) == predict(
        config(follower("SPY")), day, DAY
    )
