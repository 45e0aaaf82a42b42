"""The six further strategies against TA-Lib and plain loops over fractions."""

from __future__ import annotations

import random
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
import talib
from hypothesis import given, settings
from hypothesis import strategies as st

from coordinator.core.lane import explain_of
from coordinator.core.values import MINUTE, Bar
from coordinator.strategies import (
    BollingerStrategy,
    BuyAndHoldStrategy,
    DonchianStrategy,
    MacdStrategy,
    MovingAverageCrossoverStrategy,
    Strategy,
    VwapReversionStrategy,
)
from coordinator.testing import bars_of
from coordinator.testing import walk as wandering
from tests.coordinator.reading import OPEN, decimals, mean, sign, signals
from tests.coordinator.test_strategies_exact import walk

D = Decimal


def candles(seed: int, length: int) -> list[Bar]:
    """A random walk with wicks, and minutes without volume among the others."""
    dice = random.Random(seed)  # noqa: S311
    cents, bars = 10_000, []
    for index in range(length):
        opened, cents = cents, max(200, cents + dice.randint(-30, 30))
        high = max(opened, cents) + dice.randint(0, 9)
        low = min(opened, cents) - dice.randint(0, 9)
        prices = (D(value).scaleb(-2) for value in (opened, high, low, cents))
        volume = D(100 * dice.choice((0, 0, 1, 5)))
        bars.append(Bar("SPY", OPEN + index * MINUTE, *prices, volume))
    return bars


def answers(strategy: Strategy, bars: list[Bar]) -> list[int]:
    step = strategy.start()
    return [step(bar) for bar in bars]


@pytest.mark.parametrize(("short", "long"), [(1, 2), (2, 5), (10, 30)])
def test_a_crossover_is_the_sign_of_the_averages_difference(short: int, long: int) -> None:
    closes, _ = walk(short, 1_500, largest_cents=1)
    prices = [Fraction(close) for close in closes]
    expected = [
        sign(mean(prices[t + 1 - short : t + 1]) - mean(prices[t + 1 - long : t + 1]))
        if t + 1 >= long
        else 0
        for t in range(len(prices))
    ]
    strategy = MovingAverageCrossoverStrategy(short_window=short, long_window=long)
    assert signals(strategy, closes) == expected
    assert 0 in expected[long:], "the walk should have ties"


@pytest.mark.parametrize(("period", "width"), [(20, "2"), (5, "1.5"), (3, "0.5")])
def test_bollinger_bands_are_talibs(period: int, width: str) -> None:
    closes, _ = walk(period, 20_000, largest_cents=9)
    prices = np.array([float(close) for close in closes])
    upper, _, lower = talib.BBANDS(prices, period, float(width), float(width))
    found = signals(BollingerStrategy(lookback_period=period, band_width=D(width)), closes)
    near = np.minimum(abs(prices - upper), abs(prices - lower)) < 1e-6
    sure = [t for t in range(period - 1, len(prices)) if not near[t]]
    assert len(sure) > 18_000
    assert {found[t] for t in sure} == {1, 0, -1}
    for t in sure:
        assert found[t] == (prices[t] < lower[t]) * 1 - (prices[t] > upper[t]) * 1


def test_a_close_on_its_bollinger_band_is_not_beyond_it() -> None:
    """Of two closes each lies exactly one deviation from their mean."""
    strategy = BollingerStrategy(lookback_period=2, band_width=D(1))
    assert signals(strategy, decimals([8, 12, 8, 8])) == [0, 0, 0, 0]
    narrower = BollingerStrategy(lookback_period=2, band_width=D("0.999999"))
    assert signals(narrower, decimals([8, 12, 8, 8])) == [0, -1, 1, 0]


@pytest.mark.parametrize(("fast", "slow", "signal"), [(12, 26, 9), (3, 7, 4), (2, 3, 1)])
def test_macd_and_its_signal_line_are_talibs(fast: int, slow: int, signal: int) -> None:
    closes, _ = walk(slow, 5_000, largest_cents=9)
    prices = np.array([float(close) for close in closes])
    macd, line, _ = talib.MACD(prices, fast, slow, signal)
    strategy = MacdStrategy(fast_window=fast, slow_window=slow, signal_window=signal)
    found = signals(strategy, closes)
    first = strategy.longest_window - 1
    assert found[:first] == [0] * first
    assert np.isnan(macd[first - 1])
    sure = [t for t in range(first, len(prices)) if abs(macd[t] - line[t]) > 1e-9]
    assert [found[t] for t in sure] == [int(np.sign(macd[t] - line[t])) for t in sure]
    assert len(sure) > 4_000 or signal == 1


@pytest.mark.parametrize("price", ["352.12", "97.07638", "0.0071", "0.000000046"])
@pytest.mark.parametrize(
    ("fast", "slow", "signal"), [(3, 9, 12), (3, 31, 3), (3, 10, 18), (3, 17, 12)]
)
def test_a_price_that_does_not_move_has_no_macd(
    price: str, fast: int, slow: int, signal: int
) -> None:
    strategy = MacdStrategy(fast_window=fast, slow_window=slow, signal_window=signal)
    assert signals(strategy, [D(price)] * 100) == [0] * 100


def test_a_signal_line_of_one_bar_is_the_macd_itself() -> None:
    bars = wandering(5_000)
    strategy = MacdStrategy(fast_window=12, slow_window=26, signal_window=1)
    assert answers(strategy, bars) == [0] * len(bars)


def test_macd_is_explained_in_dollars() -> None:
    step = MacdStrategy(fast_window=2, slow_window=3, signal_window=1).start()
    for bar in bars_of([10, 10, 13]):
        step(bar)
    explain = explain_of(step)
    assert explain is not None
    known = {"fast EMA": 11.5, "slow EMA": 11.0, "MACD": 0.5, "signal line": 0.5}
    assert explain() == known


@pytest.mark.parametrize(("entry", "leave"), [(20, 10), (3, 5), (1, 1)])
def test_a_donchian_channel_is_of_the_bars_before(entry: int, leave: int) -> None:
    bars = candles(entry, 3_000)
    highs = talib.MAX(np.array([float(bar.high) for bar in bars]), max(entry, 2))
    expected = []
    for t, bar in enumerate(bars):
        if t < max(entry, leave):
            expected.append(0)
            continue
        highest = max(before.high for before in bars[t - entry : t])
        lowest = min(before.low for before in bars[t - leave : t])
        assert entry == 1 or float(highest) == highs[t - 1]
        expected.append((bar.close > highest) - (bar.close < lowest))
    assert answers(DonchianStrategy(entry_window=entry, exit_window=leave), bars) == expected
    assert set(expected) == {1, 0, -1}


@pytest.mark.parametrize(("window", "entry", "leave"), [(30, "0.002", "0"), (3, "0", "0.001")])
def test_vwap_reversion_agrees_with_fractions(window: int, entry: str, leave: str) -> None:
    bars = candles(window, 2_000)
    expected = []
    for t, bar in enumerate(bars):
        latest = bars[max(0, t + 1 - window) : t + 1]
        total = sum((Fraction(b.volume) for b in latest), Fraction(0))
        if len(latest) < window or not total:
            expected.append(0)
            continue
        paid = sum(Fraction(b.high + b.low + b.close) / 3 * Fraction(b.volume) for b in latest)
        vwap, close = paid / total, Fraction(bar.close)
        is_low, is_high = close < vwap * (1 - Fraction(entry)), close > vwap * (1 - Fraction(leave))
        expected.append(1 if is_low else -1 if is_high else 0)
    strategy = VwapReversionStrategy(
        lookback_period=window, entry_threshold=D(entry), exit_threshold=D(leave)
    )
    assert answers(strategy, bars) == expected
    assert set(expected) == {1, 0, -1}


def test_minutes_without_volume_have_no_vwap_and_give_no_signal() -> None:
    strategy = VwapReversionStrategy(lookback_period=3)
    closes = decimals([10, 1, 100, 10, 9, 8])
    assert signals(strategy, closes, decimals([0] * 6)) == [0] * 6
    assert signals(strategy, closes, decimals([0, 0, 5, 0, 0, 0]))[3:] == [1, 1, 0]


def test_buy_and_hold_wants_to_be_long_from_the_first_bar_on() -> None:
    assert signals(BuyAndHoldStrategy(), decimals([3, 1, 2])) == [1, 1, 1]


SMALL: list[Strategy] = [
    MovingAverageCrossoverStrategy(short_window=2, long_window=4),
    BollingerStrategy(lookback_period=4, band_width=D(1)),
    DonchianStrategy(entry_window=4, exit_window=2),
    VwapReversionStrategy(lookback_period=4, entry_threshold=D("0.0001")),
    BuyAndHoldStrategy(),
]


@pytest.mark.parametrize("strategy", SMALL, ids=lambda strategy: strategy.strategy_type)
@given(
    steps=st.lists(st.integers(-3, 3), min_size=8, max_size=40),
    factor=st.sampled_from(["10", "3", "1e-7", "1e-12", "7.77"]),
)
@settings(max_examples=40, deadline=None)
def test_signals_do_not_depend_on_the_unit_of_the_price(
    strategy: Strategy, steps: list[int], factor: str
) -> None:
    closes = [D(1000 + sum(steps[: i + 1])).scaleb(-2) for i in range(len(steps))]
    scaled = [close * D(factor) for close in closes]
    assert signals(strategy, scaled) == signals(strategy, closes)


@given(places=st.lists(st.integers(0, 20), min_size=12, max_size=12))
@settings(max_examples=60, deadline=None)
def test_a_price_that_needs_more_decimals_in_mid_window_is_not_rounded(places: list[int]) -> None:
    closes = [D(10 + n % 3) + D(1).scaleb(-place) for n, place in enumerate(places)]
    volumes = [D(n % 4) + D(1).scaleb(-place) for n, place in enumerate(reversed(places))]
    found = signals(VwapReversionStrategy(lookback_period=4), closes, volumes)
    for t in range(3, len(closes)):
        latest = range(t - 3, t + 1)
        total = sum(Fraction(volumes[i]) for i in latest)
        vwap = sum(Fraction(closes[i]) * Fraction(volumes[i]) for i in latest) / total
        is_low = Fraction(closes[t]) < vwap * Fraction(995, 1000)
        assert found[t] == (1 if is_low else -1 if closes[t] > vwap else 0)
