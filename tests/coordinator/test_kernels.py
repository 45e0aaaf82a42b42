"""A history judged at once gives the signals of its bars judged one after another, to the bit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coordinator.backtest.rule_signals import over_of
from coordinator.core.lane_form import PLACES, in_ticks
from coordinator.core.values import Bar
from coordinator.strategies import (
    AdaptiveStrategy,
    BollingerStrategy,
    BuyAndHoldStrategy,
    DonchianStrategy,
    MacdStrategy,
    MeanReversionStrategy,
    MomentumStrategy,
    MovingAverageCrossoverStrategy,
    RsiStrategy,
    Strategy,
    VwapReversionStrategy,
)
from coordinator.strategies.series import Prices, Series
from simulator.recorded import RecordedFeed
from tests.coordinator.reading import bars, stepped

DATA = Path(__file__).parents[2] / "../shared/data"
SHORT: list[Strategy] = [
    MomentumStrategy(lookback_period=3, momentum_threshold=Decimal("0.001")),
    MomentumStrategy(lookback_period=1, momentum_threshold=Decimal(0)),
    RsiStrategy(rsi_period=3, rsi_oversold=Decimal(40), rsi_overbought=Decimal(60)),
    RsiStrategy(rsi_period=2, rsi_oversold=Decimal(0), rsi_overbought=Decimal(50)),
    RsiStrategy(rsi_period=5, rsi_oversold=Decimal(25), rsi_overbought=Decimal(100)),
    MeanReversionStrategy(
        lookback_period=5, entry_threshold=Decimal(1), exit_threshold=Decimal("0.5")
    ),
    MeanReversionStrategy(lookback_period=2, entry_threshold=Decimal(0), exit_threshold=Decimal(0)),
    BollingerStrategy(lookback_period=4, band_width=Decimal(1)),
    MovingAverageCrossoverStrategy(short_window=2, long_window=5),
    AdaptiveStrategy(short_window=2, long_window=5, rsi_period=3, volume_window=4),
    BuyAndHoldStrategy(),
    MacdStrategy(fast_window=2, slow_window=4, signal_window=3),
    MacdStrategy(fast_window=3, slow_window=5, signal_window=1),
    DonchianStrategy(entry_window=5, exit_window=2),
    DonchianStrategy(entry_window=1, exit_window=4),
    VwapReversionStrategy(lookback_period=4, entry_threshold=Decimal("0.0005")),
    VwapReversionStrategy(
        lookback_period=1, entry_threshold=Decimal(0), exit_threshold=Decimal("0.0003")
    ),
    VwapReversionStrategy(
        lookback_period=3, entry_threshold=Decimal("1e-19"), exit_threshold=Decimal("1e-30")
    ),
]
USUAL: list[Strategy] = [
    MomentumStrategy(momentum_threshold=Decimal("0.002")),
    RsiStrategy(),
    MeanReversionStrategy(),
    BollingerStrategy(),
    MovingAverageCrossoverStrategy(),
    AdaptiveStrategy(),
    MacdStrategy(),
    DonchianStrategy(),
    VwapReversionStrategy(entry_threshold=Decimal("0.001")),
]
wick = st.integers(0, 4).map(lambda cents: Decimal(cents).scaleb(-2))
cents = st.lists(st.integers(-3, 3), min_size=1, max_size=60).map(
    lambda steps: [Decimal(1000 + sum(steps[: i + 1])).scaleb(-2) for i in range(len(steps))]
)


def series_of(known: Sequence[Bar], decimals: int = 4) -> Series:
    """The same bars as a recording has them: whole numbers of 1e-`decimals`, and of billionths."""
    columns = ([getattr(bar, name) for bar in known] for name in ("close", "high", "low"))
    prices = [np.array([in_ticks(one, decimals) for one in own]) for own in columns]
    volumes = np.array([in_ticks(bar.volume, PLACES) for bar in known])
    return Series.of(Prices(*prices), volumes, decimals)


def at_once(strategy: Strategy, series: Series) -> list[int] | None:
    over = over_of(strategy)
    assert over is not None
    found = over(series)
    return None if found is None else [int(signal) for signal in found]


@pytest.mark.thorough
@pytest.mark.parametrize("strategy", SHORT, ids=repr)
@given(
    closes=cents,
    lots=st.lists(st.integers(0, 5) | st.just(0), min_size=60, max_size=60),
    reach=st.lists(st.tuples(wick, wick), min_size=60, max_size=60),
    history=st.integers(0, 60),
)
@settings(max_examples=40, deadline=None)
def test_a_walk_in_cents_with_all_its_ties(
    strategy: Strategy,
    closes: list[Decimal],
    lots: list[int],
    reach: list[tuple[Decimal, Decimal]],
    history: int,
) -> None:
    volumes = [Decimal(100 * lot) for lot in lots[: len(closes)]]
    known = bars(closes, volumes, reach[: len(closes)])
    newest = known[-history:] if history else []
    assert at_once(strategy, series_of(known)) == stepped(strategy, known)
    assert at_once(strategy, series_of(known).last(history)) == stepped(strategy, newest)


@pytest.mark.parametrize("strategy", SHORT, ids=repr)
@given(
    closes=st.lists(st.decimals("1e-9", "9e9", places=9), min_size=1, max_size=30),
    volume=st.decimals("0", "1e6", places=9),
)
@settings(max_examples=40, deadline=None)
def test_what_64_bits_cannot_hold_is_left_to_the_steps(
    strategy: Strategy, closes: list[Decimal], volume: Decimal
) -> None:
    volumes = [volume + (n % 7) * 1000 for n in range(len(closes))]
    known = bars(closes, volumes)
    found = at_once(strategy, series_of(known, PLACES))
    assert found is None or found == stepped(strategy, known)


FINE, LARGE = Decimal("1e-30"), Decimal("999999999999999.999999")
TOO_FINE: list[Strategy] = [
    MomentumStrategy(lookback_period=1, momentum_threshold=FINE),
    MomentumStrategy(lookback_period=1, momentum_threshold=LARGE),
    BollingerStrategy(lookback_period=2, band_width=FINE),
    MeanReversionStrategy(lookback_period=2, entry_threshold=FINE, exit_threshold=FINE),
    MeanReversionStrategy(lookback_period=2, entry_threshold=LARGE, exit_threshold=Decimal(1)),
]


@pytest.mark.parametrize("strategy", TOO_FINE, ids=repr)
@pytest.mark.parametrize("close", [0, 10])
def test_a_threshold_that_64_bits_cannot_hold_is_left_to_the_steps_where_nothing_moves(
    strategy: Strategy, close: int
) -> None:
    known = bars([Decimal(close)] * 4)
    assert at_once(strategy, series_of(known)) is None
    assert len(set(stepped(strategy, known)[1:])) == 1, "it says the same at each of them"


def test_an_rsi_at_its_very_bound_is_decided_in_whole_numbers() -> None:
    """RSI is 100 x 2 / (2 + 3) = 40 at the seed, and stays there while nothing moves."""
    closes = [Decimal(price) for price in (10, 12, 9, 9, 9)]
    for low, high, said in ((40, 90, 0), (41, 90, 1), (10, 40, 0), (10, 39, -1)):
        rule = RsiStrategy(rsi_period=2, rsi_oversold=Decimal(low), rsi_overbought=Decimal(high))
        assert at_once(rule, series_of(bars(closes))) == [0, 0, said, said, said]


class StepsOtherwise(MomentumStrategy):
    """A user's: as momentum, but its step says the opposite."""

    strategy_type: ClassVar[str] = "otherwise"

    def start(self) -> Callable[[Bar], int]:
        step = super().start()
        return lambda bar: -step(bar)


def test_a_rule_that_changed_how_it_steps_is_not_judged_by_what_it_inherits() -> None:
    assert over_of(MomentumStrategy()) is not None
    assert over_of(StepsOtherwise()) is None


@pytest.mark.slow
@pytest.mark.recorded
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("file", ["stocks_1min", "crypto_1min"])
def test_every_recorded_bar_is_judged_at_once_as_step_by_step(file: str) -> None:
    path = DATA / f"{file}.parquet"
    if not path.exists():
        pytest.skip(f"recorded bars are absent: {path.name}")
    sources = pd.read_parquet(path, columns=["source"])["source"].unique()
    judged = total = 0
    for source in sorted(sources):
        feed = RecordedFeed(path, source)
        for symbol in feed.symbols():
            for series in _pieces(feed, symbol):
                for strategy in USUAL:
                    found = at_once(strategy, series_of(series, PLACES))
                    total += len(series)
                    if found is not None:
                        judged += len(series)
                        assert found == stepped(strategy, series), (source, symbol, strategy)
    assert judged > total / 2, "most must be judged at once, or nothing was compared"


def _pieces(feed: RecordedFeed, symbol: str) -> list[list[Bar]]:
    """All bars of a symbol in pieces as long as a session with its history."""
    whole = [
        Bar(b.symbol, b.start, b.open, b.high, b.low, b.close, b.volume)
        for day in feed.days(symbol, pd.Timestamp.min.date(), pd.Timestamp.max.date())
        for b in feed.day(symbol, day).bars
    ]
    return [whole[n : n + 1000] for n in range(0, len(whole), 1000)]
