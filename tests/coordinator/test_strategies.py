"""The four strategies in tables that a trader can check by hand."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pydantic
import pytest

from coordinator.strategies import (
    AdaptiveStrategy,
    MeanReversionStrategy,
    MomentumStrategy,
    RsiStrategy,
    Strategy,
)
from tests.coordinator.reading import bars, decimals, signals

Row = tuple[str, dict[str, Any], list[object], list[int]]

MOMENTUM: list[Row] = [
    ("two bars, 2 %", {"lookback_period": 2}, [100, 100, 103, 101, 100.9], [0, 0, 1, 0, -1]),
    ("exactly 2 % up is not more than 2 %", {"lookback_period": 1}, [100, 102, 104.05], [0, 0, 1]),
    ("exactly 2 % down likewise", {"lookback_period": 1}, [100, 98, 96.03], [0, 0, -1]),
    (
        "10 % of 3 tenths, where floats stumble",
        {"lookback_period": 1, "momentum_threshold": 0.1},
        [0.3, 0.33, 0.3631],
        [0, 0, 1],
    ),
    (
        "threshold 0: any move, and no move is none",
        {"lookback_period": 1, "momentum_threshold": 0},
        [10, 10, 10.01, 10.01, 10],
        [0, 0, 1, 0, -1],
    ),
    (
        "a threshold above 1 never says flat",
        {"lookback_period": 1, "momentum_threshold": 1.5},
        [10, 0.01, 0.03],
        [0, 0, 1],
    ),
]

RSI: list[Row] = [
    ("only gains", {"rsi_period": 2}, [10, 11, 12, 13], [0, 0, -1, -1]),
    ("only losses", {"rsi_period": 2}, [10, 9, 8, 7], [0, 0, 1, 1]),
    ("neither", {"rsi_period": 2}, [10, 10, 10, 10], [0, 0, 0, 0]),
    ("neither, then a gain", {"rsi_period": 2}, [10, 10, 10, 11], [0, 0, 0, -1]),
    # seed 3 of 10 gained, 7 of 10 lost: RSI 30 is not below 30; a further loss is
    (
        "exactly 30",
        {"rsi_period": 10},
        [20, 21, 22, 23, 22, 21, 20, 19, 18, 17, 16, 15],
        [0] * 11 + [1],
    ),
    # seed 7 of 10 gained, 3 of 10 lost: RSI 70 is not above 70; no change leaves it there
    (
        "exactly 70, and quiet",
        {"rsi_period": 10},
        [20, 21, 22, 23, 24, 25, 26, 27, 26, 25, 24, 24, 24, 24],
        [0] * 14,
    ),
    # seed (1, 1): RSI 50; then (0.5 + 0.5 x 2 = 1.5) of (1.5 + 0.5): RSI 75
    (
        "Wilder's step",
        {"rsi_period": 2, "rsi_oversold": 20, "rsi_overbought": 74},
        [10, 12, 10, 12],
        [0, 0, 0, -1],
    ),
    (
        "Wilder's step, at the bound",
        {"rsi_period": 2, "rsi_oversold": 20, "rsi_overbought": 75},
        [10, 12, 10, 12],
        [0, 0, 0, 0],
    ),
    (
        "nothing is above 100 or below 0",
        {"rsi_period": 2, "rsi_oversold": 0, "rsi_overbought": 100},
        [10, 11, 12, 13, 1, 0.5, 0.4, 0.3],
        [0] * 8,
    ),
]

REVERSION: list[Row] = [
    # 10 10 10 6: mean 9, deviation sqrt(3), z = -1.73; 10 10 6 10: z = +0.58
    (
        "entry at 1.7 deviations",
        {"lookback_period": 4, "entry_threshold": 1.7},
        [10, 10, 10, 6, 10],
        [0, 0, 0, 1, -1],
    ),
    (
        "no entry at 1.8",
        {"lookback_period": 4, "entry_threshold": 1.8},
        [10, 10, 10, 6, 10],
        [0, 0, 0, 0, -1],
    ),
    # two bars: z is always -1 or +1 once they differ
    (
        "exactly 1 deviation below is not more than 1",
        {"lookback_period": 2, "entry_threshold": 1, "exit_threshold": 1},
        [10, 9, 8.7, 9],
        [0, 0, 0, -1],
    ),
    (
        "just more than 0.99",
        {"lookback_period": 2, "entry_threshold": 0.99},
        [10, 9, 8.7, 9],
        [0, 1, 1, -1],
    ),
    ("no deviation: z = 0 is above -0.5", {"lookback_period": 3}, [5, 5, 5, 5], [0, 0, -1, -1]),
    (
        "no deviation: z = 0 is not above -0",
        {"lookback_period": 3, "exit_threshold": 0},
        [5, 5, 5, 5],
        [0, 0, 0, 0],
    ),
    # 4 8 6: the close is the mean
    ("at the mean: above -0.5", {"lookback_period": 3}, [4, 8, 6], [0, 0, -1]),
    (
        "at the mean: not above -0",
        {"lookback_period": 3, "exit_threshold": 0},
        [4, 8, 6],
        [0, 0, 0],
    ),
    (
        "where both hold, long wins",
        {"lookback_period": 2, "entry_threshold": 0.5, "exit_threshold": 2},
        [10, 9, 10],
        [0, 1, -1],
    ),
    ("one bar has no deviation", {"lookback_period": 1}, [5, 6, 4], [-1, -1, -1]),
]


@pytest.mark.parametrize(
    ("kind", "row"),
    [
        *((MomentumStrategy, row) for row in MOMENTUM),
        *((RsiStrategy, row) for row in RSI),
        *((MeanReversionStrategy, row) for row in REVERSION),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else value.strategy_type,
)
def test_signals_are_those_of_the_table(kind: type[Strategy], row: Row) -> None:
    _, parameters, closes, expected = row
    assert signals(kind(**parameters), decimals(closes)) == expected


SMALL = {"short_window": 1, "long_window": 2, "rsi_period": 2, "volume_window": 2}


@pytest.mark.parametrize(
    ("name", "parameters", "rows", "expected"),
    [
        # trend +1 and volume +1 from the third bar, RSI 100 is -1: one vote too few
        ("RSI holds back", SMALL, [(10, 1), (11, 2), (12, 3)], [0, 0, 0]),
        # RSI 100 is not above 100: the trend and the volume decide
        ("two of three", SMALL | {"rsi_overbought": 100}, [(10, 1), (11, 2), (12, 3)], [0, 0, 1]),
        ("flat", SMALL | {"rsi_oversold": 0}, [(12, 1), (11, 2), (10, 3)], [0, 0, -1]),
        # volume equal to its average does not vote
        ("no volume", SMALL | {"rsi_overbought": 100}, [(10, 2), (11, 2), (12, 2)], [0, 0, 0]),
        ("volume 0", SMALL | {"rsi_overbought": 100}, [(10, 0), (11, 0), (12, 0)], [0, 0, 0]),
        # nothing moves: no trend, no RSI, and the volume's push has no direction
        ("nothing moves", SMALL, [(10, 1), (10, 2), (10, 9)], [0, 0, 0]),
        # the averages tie: (10 + 12 + 11) / 3 = 11 = the close; RSI 66, so only volume votes
        (
            "a tie of averages",
            SMALL | {"long_window": 3},
            [(10, 1), (12, 1), (11, 5)],
            [0, 0, 0],
        ),
        # a falling price with an oversold RSI: -1 + 1 - 1
        ("RSI against both", SMALL, [(12, 1), (11, 2), (10, 3)], [0, 0, 0]),
        # two votes stand at the third bar, but the volume's average needs five
        (
            "no signal before every indicator is ready",
            SMALL | {"rsi_overbought": 100, "volume_window": 5},
            [(10, 1), (11, 2), (12, 3), (13, 4), (14, 5), (15, 6)],
            [0, 0, 0, 0, 1, 1],
        ),
    ],
)
def test_adaptive_follows_two_votes_of_trend_rsi_and_volume(
    name: str,
    parameters: dict[str, Any],
    rows: list[tuple[object, object]],
    expected: list[int],
) -> None:
    closes, volumes = zip(*rows, strict=True)
    strategy = AdaptiveStrategy(**parameters)
    assert signals(strategy, decimals(closes), decimals(volumes)) == expected, name


@pytest.mark.parametrize(
    ("strategy", "window", "first"),
    [
        (MomentumStrategy(lookback_period=7, momentum_threshold=Decimal(0)), 7, 8),
        (RsiStrategy(rsi_period=7, rsi_overbought=Decimal(50)), 7, 8),
        (MeanReversionStrategy(lookback_period=7), 7, 7),
        (
            AdaptiveStrategy(
                short_window=2,
                long_window=3,
                rsi_period=4,
                volume_window=7,
                rsi_overbought=Decimal(100),
            ),
            7,
            7,
        ),
        (AdaptiveStrategy(rsi_period=40), 40, 0),
    ],
)
def test_a_signal_is_0_while_an_indicator_has_too_few_bars(
    strategy: Strategy, window: int, first: int
) -> None:
    rising = decimals(range(10, 40))
    found = signals(strategy, rising, decimals(range(1, 31)))
    ready = [index + 1 for index, signal in enumerate(found) if signal]
    assert strategy.longest_window == window
    assert (ready[0] if ready else 0) == first


def test_each_ticker_has_a_state_of_its_own() -> None:
    strategy = MomentumStrategy(lookback_period=1)
    one, other = strategy.start(), strategy.start()
    first, second = bars(decimals([100, 200]))
    assert (one(first), other(second), one(second)) == (0, 0, 1)


def test_equal_parameters_make_equal_strategies_whatever_they_are_written_as() -> None:
    assert RsiStrategy(rsi_overbought=70.0) == RsiStrategy(rsi_overbought=70) == RsiStrategy()
    assert len({RsiStrategy(rsi_overbought=70.0), RsiStrategy(), AdaptiveStrategy()}) == 2
    assert RsiStrategy() != RsiStrategy(rsi_period=15)
    assert MomentumStrategy(lookback_period=20) != MeanReversionStrategy(lookback_period=20)


@pytest.mark.parametrize(
    ("kind", "parameters", "fields"),
    [
        (AdaptiveStrategy, {"short_window": 30, "long_window": 10}, ["short_window"]),
        (
            AdaptiveStrategy,
            {"short_window": 30, "rsi_oversold": 99},
            ["rsi_oversold", "short_window"],
        ),
        (RsiStrategy, {"rsi_period": 1}, ["rsi_period"]),
        (RsiStrategy, {"rsi_period": 14.5}, ["rsi_period"]),
        (RsiStrategy, {"period": 14}, ["period"]),
        (MomentumStrategy, {"momentum_threshold": float("nan")}, ["momentum_threshold"]),
        (MomentumStrategy, {"momentum_threshold": True}, ["momentum_threshold"]),
    ],
)
def test_a_strategy_cannot_be_made_with_unusable_parameters(
    kind: type[Strategy], parameters: dict[str, Any], fields: list[str]
) -> None:
    with pytest.raises(pydantic.ValidationError) as refused:
        kind(**parameters)
    assert sorted(str(error["loc"][0]) for error in refused.value.errors()) == fields


@pytest.mark.parametrize("close", ["NaN", "Infinity", "sNaN"])
def test_a_price_that_is_no_number_stops_the_strategy_instead_of_passing_for_one(
    close: str,
) -> None:
    with pytest.raises((ValueError, TypeError, ArithmeticError)):
        signals(MomentumStrategy(lookback_period=1), [Decimal(close)])
