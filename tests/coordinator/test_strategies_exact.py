"""The four strategies against fractions and TA-Lib: no drift, and a tie is a tie."""

from __future__ import annotations

import random
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import talib
from hypothesis import given, settings
from hypothesis import strategies as st

from coordinator.strategies import (
    AdaptiveStrategy,
    MeanReversionStrategy,
    MomentumStrategy,
    RsiStrategy,
    Strategy,
)
from coordinator.strategies.indicators import Rsi
from tests.coordinator import reading
from tests.coordinator.reading import bars, decimals, signals

DATA = Path(__file__).parents[2] / "../shared/data"

SMALL: list[Strategy] = [
    MomentumStrategy(lookback_period=3, momentum_threshold=Decimal("0.001")),
    RsiStrategy(rsi_period=3, rsi_oversold=Decimal(40), rsi_overbought=Decimal(60)),
    MeanReversionStrategy(
        lookback_period=5, entry_threshold=Decimal(1), exit_threshold=Decimal("0.5")
    ),
    AdaptiveStrategy(short_window=2, long_window=5, rsi_period=3, volume_window=4),
]


def walk(seed: int, length: int, largest_cents: int = 2) -> tuple[list[Decimal], list[Decimal]]:
    """A random walk in cents and round lots, coarse enough that averages tie."""
    dice = random.Random(seed)  # noqa: S311
    cents, closes, volumes = 10_000, [], []
    for _ in range(length):
        cents = max(100, cents + dice.randint(-largest_cents, largest_cents))
        closes.append(Decimal(cents).scaleb(-2))
        volumes.append(Decimal(100 * dice.randint(0, 5)))
    return closes, volumes


@pytest.mark.parametrize("n", [1, 2, 5, 20])
@pytest.mark.parametrize("threshold", ["0", "0.0001", "0.0002", "0.02"])
def test_momentum_agrees_with_fractions(n: int, threshold: str) -> None:
    closes, _ = walk(n, 1500)
    strategy = MomentumStrategy(lookback_period=n, momentum_threshold=Decimal(threshold))
    assert signals(strategy, closes) == reading.momentum(closes, n, Decimal(threshold))


@pytest.mark.parametrize("n", [1, 2, 3, 7, 20])
@pytest.mark.parametrize(("entry", "leave"), [("1", "1"), ("2", "0.5"), ("0", "0"), ("0.5", "2")])
def test_mean_reversion_agrees_with_fractions(n: int, entry: str, leave: str) -> None:
    closes, _ = walk(n, 800)
    strategy = MeanReversionStrategy(
        lookback_period=n, entry_threshold=Decimal(entry), exit_threshold=Decimal(leave)
    )
    expected = reading.mean_reversion(closes, n, Decimal(entry), Decimal(leave))
    assert signals(strategy, closes) == expected


@pytest.mark.parametrize("period", [2, 3, 5, 14])
@pytest.mark.parametrize(("low", "high"), [("30", "70"), ("50", "75"), ("25", "50"), ("49", "51")])
def test_rsi_agrees_with_fractions(period: int, low: str, high: str) -> None:
    strategy = RsiStrategy(
        rsi_period=period, rsi_oversold=Decimal(low), rsi_overbought=Decimal(high)
    )
    for seed in range(20):
        closes, _ = walk(seed, 120)
        expected = reading.rsi(closes, period, Decimal(low), Decimal(high))
        assert signals(strategy, closes) == expected


@pytest.mark.parametrize(
    "windows", [(1, 2, 2, 1), (2, 5, 3, 4), (10, 30, 14, 20), (3, 4, 20, 7), (2, 3, 2, 30)]
)
def test_adaptive_agrees_with_fractions(windows: tuple[int, int, int, int]) -> None:
    strategy = AdaptiveStrategy(
        short_window=windows[0],
        long_window=windows[1],
        rsi_period=windows[2],
        volume_window=windows[3],
        rsi_oversold=Decimal(40),
        rsi_overbought=Decimal(60),
    )
    signalled = 0
    for seed in range(5):
        closes, volumes = walk(seed, 250)
        found = signals(strategy, closes, volumes)
        assert found == reading.adaptive(closes, volumes, windows, 40, 60)
        signalled += sum(map(abs, found))
    assert signalled > 0


def test_averages_that_tie_give_no_vote_where_float_sums_drift_apart() -> None:
    closes, _ = walk(7, 20_000, largest_cents=1)
    strategy = AdaptiveStrategy(short_window=2, long_window=4, volume_window=1, rsi_period=2)
    prices = np.array([float(close) for close in closes])
    drifted = np.sign(talib.SMA(prices, 2) - talib.SMA(prices, 4))
    cents = [int(close * 100) for close in closes]
    ties = [
        t for t in range(4, 20_000) if 2 * sum(cents[t - 1 : t + 1]) == sum(cents[t - 3 : t + 1])
    ]
    flipped = [t for t in ties if drifted[t] != 0]
    assert len(flipped) > 10, "the walk should be one on which floats go wrong"
    # volume never exceeds its one-bar average, so a signal would need the trend's vote and RSI's
    found = signals(strategy, closes)
    assert [found[t] for t in ties] == [0] * len(ties)


@pytest.mark.thorough
@pytest.mark.parametrize("period", [2, 5, 14])
def test_rsi_agrees_with_talib_over_a_year_of_minutes(period: int) -> None:
    closes, _ = walk(period, 98_000, largest_cents=9)
    expected = talib.RSI(np.array([float(close) for close in closes]), period)
    found = signals(RsiStrategy(rsi_period=period), closes)
    unsure = 0
    for signal, value in zip(found[period:], expected[period:], strict=True):
        if min(abs(value - 30), abs(value - 70)) < 1e-9:
            unsure += 1
            continue
        assert signal == (1 if value < 30 else -1 if value > 70 else 0)
    assert unsure < 100


def test_mean_reversion_agrees_with_talibs_average_and_deviation() -> None:
    closes, _ = walk(3, 20_000, largest_cents=9)
    prices = np.array([float(close) for close in closes])
    z = (prices - talib.SMA(prices, 20)) / talib.STDDEV(prices, 20)
    found = signals(MeanReversionStrategy(), closes)
    sure = [t for t in range(19, 20_000) if min(abs(z[t] + 2), abs(z[t] + 0.5)) > 1e-6]
    assert len(sure) > 19_900
    for t in sure:
        assert found[t] == (1 if z[t] < -2 else -1 if z[t] > -0.5 else 0)


def test_an_rsi_exactly_at_its_bound_is_decided_in_whole_numbers() -> None:
    """k gains and m losses of one tick among n bars: RSI is exactly 100 k / (k + m)."""
    fooled = 0
    for k in range(1, 12):
        for m in range(1, 12):
            bound = Decimal(100) * k / (k + m)
            if Decimal(bound.normalize()).as_tuple().exponent < -6:  # not a finite decimal
                continue
            closes = decimals([50, *(50 + up for up in range(1, k + 1))])
            closes += [closes[-1] - down for down in range(1, m + 1)]
            gain, loss = k / (k + m), m / (k + m)
            fooled += 100 * (gain / (gain + loss)) != float(bound)
            below = RsiStrategy(rsi_period=k + m, rsi_oversold=bound, rsi_overbought=Decimal(100))
            above = RsiStrategy(rsi_period=k + m, rsi_oversold=Decimal(0), rsi_overbought=bound)
            quiet = [*closes, *closes[-1:] * 3]
            assert signals(below, quiet) == signals(above, quiet) == [0] * len(quiet)
    assert fooled > 0, "the table should hold a case that floats get wrong"


def test_a_quiet_market_leaves_the_rsi_where_it_was() -> None:
    """Both averages fade alike: after 3,000 minutes without a move RSI is still 100 / 3."""
    closes = decimals([10, 11, 9, *[9] * 3000, 8])
    low = RsiStrategy(rsi_period=2, rsi_oversold=Decimal(34), rsi_overbought=Decimal(99))
    high = RsiStrategy(rsi_period=2, rsi_oversold=Decimal(1), rsi_overbought=Decimal(33))
    assert signals(low, closes)[2:] == [1] * 3002
    assert signals(high, closes)[2:] == [-1] * 3001 + [1]


def test_an_rsi_remembers_no_more_than_it_may() -> None:
    rsi = Rsi(2, Decimal(50), Decimal(60))
    for close in range(3 * Rsi.KEPT):
        rsi.push(close % 7)
    assert len(rsi._changes) == Rsi.KEPT


def test_an_rsi_over_more_bars_than_are_usually_kept_is_seeded_by_all_of_them() -> None:
    """One gain of 9 ticks first, then single losses: RSI is 100 x 9 / (9 + 4999) at the seed."""
    closes = decimals([9000, 9009, *range(9008, 9008 - 4999, -1)])
    at = Decimal("0.18")
    assert Decimal(900) / 5008 < at
    strategy = RsiStrategy(rsi_period=5000, rsi_oversold=at, rsi_overbought=Decimal(90))
    assert signals(strategy, closes) == [0] * 5000 + [1]
    lower = RsiStrategy(rsi_period=5000, rsi_oversold=Decimal("0.179"), rsi_overbought=Decimal(90))
    assert signals(lower, closes) == [0] * 5001


cents = st.lists(st.integers(-3, 3), min_size=10, max_size=60).map(
    lambda steps: [Decimal(1000 + sum(steps[: i + 1])).scaleb(-2) for i in range(len(steps))]
)


@pytest.mark.parametrize("strategy", SMALL, ids=lambda strategy: strategy.strategy_type)
@given(closes=cents, factor=st.sampled_from(["10", "0.1", "3", "1e-7", "1e-12", "7.77", "1e6"]))
@settings(max_examples=60, deadline=None)
def test_signals_do_not_depend_on_the_unit_of_the_price(
    strategy: Strategy, closes: list[Decimal], factor: str
) -> None:
    scaled = [close * Decimal(factor) for close in closes]
    assert signals(strategy, scaled) == signals(strategy, closes)


@pytest.mark.parametrize("strategy", SMALL, ids=lambda strategy: strategy.strategy_type)
@given(closes=cents, places=st.lists(st.integers(0, 25), min_size=60, max_size=60))
@settings(max_examples=60, deadline=None)
def test_a_price_finer_than_a_tick_is_not_rounded(
    strategy: Strategy, closes: list[Decimal], places: list[int]
) -> None:
    """Prices that need more and more decimals, in any order, among them the 1e-25 that decides."""
    fine = [close + Decimal(1).scaleb(-place) for close, place in zip(closes, places, strict=False)]
    volumes = [price * 3 for price in fine]
    expected = {
        "momentum": lambda: reading.momentum(fine, 3, Decimal("0.001")),
        "rsi": lambda: reading.rsi(fine, 3, Decimal(40), Decimal(60)),
        "mean_reversion": lambda: reading.mean_reversion(fine, 5, Decimal(1), Decimal("0.5")),
        "adaptive": lambda: reading.adaptive(fine, volumes, (2, 5, 3, 4), 30, 70),
    }
    assert signals(strategy, fine, volumes) == expected[strategy.strategy_type]()


@pytest.mark.parametrize("strategy", SMALL, ids=lambda strategy: strategy.strategy_type)
@given(closes=cents, cut=st.integers(1, 9))
@settings(max_examples=60, deadline=None)
def test_a_restart_with_the_same_history_changes_no_signal(
    strategy: Strategy, closes: list[Decimal], cut: int
) -> None:
    whole = signals(strategy, closes)
    first, again = strategy.start(), strategy.start()
    before = [first(bar) for bar in bars(closes)[:cut]]
    replayed = [again(bar) for bar in bars(closes)]
    assert before == whole[:cut]
    assert replayed == whole


@pytest.mark.thorough
@pytest.mark.recorded
@pytest.mark.parametrize(
    ("file", "source", "symbol", "places"),
    [
        ("stocks_1min", "yahoo_2026_03", "SPY", 4),
        ("stocks_1min", "yahoo_2026_03", "NIO", 4),
        ("stocks_1min", "etf_2019_12", "XLF", 4),
        ("stocks_1min", "sparse_etf_2023_25", "DBB", 4),
        ("crypto_1min", "tiingo_crypto_2026_03", "DOGE/USD", 9),
        ("crypto_1min", "yahoo_crypto_2026_03", "BTC/USD", 9),
    ],
)
def test_recorded_bars_give_the_same_signals_in_fractions(
    file: str, source: str, symbol: str, places: int
) -> None:
    path = DATA / f"{file}.parquet"
    if not path.exists():
        pytest.skip(f"recorded bars are absent: {path.name}")
    wanted = [("source", "==", source), ("symbol", "==", symbol)]
    frame = pd.read_parquet(path, filters=wanted).sort_values("timestamp").head(1200)
    assert len(frame) > 300
    tick = Decimal(1).scaleb(-places)
    closes = [Decimal(c).quantize(tick, ROUND_HALF_EVEN) for c in frame["close"]]
    volumes = decimals(frame["volume"])
    threshold = Decimal("0.001")
    assert signals(
        MomentumStrategy(lookback_period=10, momentum_threshold=threshold), closes
    ) == reading.momentum(closes, 10, threshold)
    assert signals(MeanReversionStrategy(), closes) == reading.mean_reversion(
        closes, 20, Decimal(2), Decimal("0.5")
    )
    assert signals(RsiStrategy(), closes[:400]) == reading.rsi(
        closes[:400], 14, Decimal(30), Decimal(70)
    )
    assert signals(AdaptiveStrategy(), closes[:400], volumes[:400]) == reading.adaptive(
        closes[:400], volumes[:400], (10, 30, 14, 20), 30, 70
    )
