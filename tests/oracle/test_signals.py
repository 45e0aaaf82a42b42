"""The four strategies as tables that a trader can check by hand; ties stay ties."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import pytest

from tests.oracle import signals
from tests.oracle.bars import TICKS_PER_DOLLAR


def says(
    kind: str, params: dict[str, Any], closes: Sequence[str | int], volumes: Sequence[int] = ()
) -> list[int]:
    """The signal after each close (dollars, as written)."""
    ticks = [int(Fraction(close) * TICKS_PER_DOLLAR) for close in closes]
    given = signals.parameters(kind, params)
    return signals.signals(kind, given, ticks, list(volumes) or [1] * len(ticks))


@pytest.mark.parametrize(
    ("why", "threshold", "closes", "last"),
    [
        ("1 % above the close two bars before is not more than 1 %", 0.01, [100, 7, 101], 0),
        ("a ten-thousandth more is", 0.01, [100, 7, "101.0001"], 1),
        ("1 % below is not more than 1 %", 0.01, [100, 7, 99], 0),
        ("a ten-thousandth less is", 0.01, [100, 7, "98.9999"], -1),
        ("1.13 x 1.02 is a tie, in floats it is not", 0.02, ["1.13", 9, "1.1526"], 0),
        ("1.05 x 0.9 is a tie, in floats it is not", 0.1, ["1.05", 9, "0.945"], 0),
        ("with no threshold an equal close says nothing", 0, [100, 7, 100], 0),
        ("two bars are too few for a lookback of two", 0, [100, 101], 0),
    ],
)
def test_momentum_compares_with_the_close_n_bars_before(
    why: str, threshold: float, closes: list[str | int], last: int
) -> None:
    params = {"lookback_period": 2, "momentum_threshold": threshold}
    assert says("momentum", params, closes)[-1] == last, why


@pytest.mark.parametrize(
    ("why", "low", "high", "closes", "expected"),
    [
        ("only gains: RSI 100", 30, 70, [10, 11, 12, 13], [0, 0, -1, -1]),
        ("100 is not above 100", 30, 100, [10, 11, 12, 13], [0, 0, 0, 0]),
        ("only losses: RSI 0", 30, 70, [13, 12, 11, 10], [0, 0, 1, 1]),
        ("0 is not below 0", 0, 70, [13, 12, 11, 10], [0, 0, 0, 0]),
        ("nothing moved: no RSI at all", 30, 70, [10, 10, 10, 10], [0, 0, 0, 0]),
        ("the first loss ever ends the silence", 30, 70, [10, 10, 10, 9], [0, 0, 0, 1]),
        # changes +1 -1: averages 1/2 and 1/2, RSI 50; then +1: 3/4 and 1/4, RSI 75
        ("RSI 75 is not above 75", 30, 75, [10, 11, 10, 11], [0, 0, 0, 0]),
        ("RSI 75 is above 74.9", 30, 74.9, [10, 11, 10, 11], [0, 0, 0, -1]),
        # then -3: 3/8 and 13/8, RSI 18.75
        ("RSI 18.75 is not below 18.75", 18.75, 75, [10, 11, 10, 11, 8], [0, 0, 0, 0, 0]),
        ("RSI 18.75 is below 18.76", 18.76, 75, [10, 11, 10, 11, 8], [0, 0, 0, 0, 1]),
        ("an old gain is remembered", 30, 70, [10, 11, 11, 11, 11], [0, 0, -1, -1, -1]),
    ],
)
def test_rsi_is_wilders_seeded_by_the_simple_mean(
    why: str, low: float, high: float, closes: list[str | int], expected: list[int]
) -> None:
    params = {"rsi_period": 2, "rsi_oversold": low, "rsi_overbought": high}
    assert says("rsi", params, closes) == expected, why


@pytest.mark.parametrize(
    ("why", "entry", "leave", "closes", "last"),
    [
        # 10 10 10 6: mean 9, variance (1 + 1 + 1 + 9) / 4 = 3, z = -3 / 1.732... = -1.732...
        ("-1.732 is below -1.732", 1.732, 0.5, [10, 10, 10, 6], 1),
        ("-1.732 is not below -1.733", 1.733, 0.5, [10, 10, 10, 6], 0),
        ("-1.732 is above -1.733", 2, 1.733, [10, 10, 10, 6], -1),
        # 10 10 8 8: mean 9, variance 1, z = -1
        ("-1 is not below -1", 1, 0.5, [10, 10, 8, 8], 0),
        ("nor above -1", 2, 1, [10, 10, 8, 8], 0),
        ("where both hold the entry wins", 0.9, 1.1, [10, 10, 8, 8], 1),
        ("above the mean is above every -exit", 2, 0, [8, 8, 10, 10], -1),
        ("on the mean: 0 is above -0.5", 2, 0.5, [8, 10, 9, 9], -1),
        ("on the mean: 0 is not above 0", 2, 0, [8, 10, 9, 9], 0),
        ("no deviation: z is 0, above -0.5", 2, 0.5, [9, 9, 9, 9], -1),
        ("no deviation: z is 0, not above 0", 0, 0, [9, 9, 9, 9], 0),
        ("three bars are too few for four", 0.1, 5, [10, 10, 6], 0),
    ],
)
def test_mean_reversion_uses_the_population_deviation(
    why: str, entry: float, leave: float, closes: list[str | int], last: int
) -> None:
    params = {"lookback_period": 4, "entry_threshold": entry, "exit_threshold": leave}
    assert says("mean_reversion", params, closes)[-1] == last, why


VOTES = {"short_window": 1, "long_window": 3, "rsi_period": 2, "volume_window": 2}


@pytest.mark.parametrize(
    ("why", "low", "high", "closes", "volumes", "last"),
    [
        ("trend up, volume up, RSI overbought: 1 vote", 30, 70, [10, 11, 12], [1, 1, 3], 0),
        ("trend up, volume up, RSI silent: 2 votes", 30, 100, [10, 11, 12], [1, 1, 3], 1),
        ("usual volume does not vote: a tie is a tie", 30, 100, [10, 11, 12], [1, 3, 3], 0),
        ("trend down, volume down, RSI oversold", 30, 70, [12, 11, 10], [1, 1, 3], 0),
        ("trend down, volume down, RSI silent", 0, 70, [12, 11, 10], [1, 1, 3], -1),
        # 9 12 10 11: changes +3 -2 +1; averages 3/2 and 1, then 5/4 and 1/2: RSI 71.4
        # SMA 3 of 12 10 11 is 11: the trend is a tie, and the volume alone is one vote
        ("a tie of averages does not vote", 30, 80, [9, 12, 10, 11], [1, 1, 1, 3], 0),
        # 10 20 15: changes +10 -5, RSI 66.7; mean 15
        ("falling on volume, overbought, trend a tie", 30, 60, [10, 20, 15], [1, 1, 3], -1),
        ("rising on volume, oversold, trend a tie", 35, 70, [20, 10, 15], [1, 1, 3], 1),
        # 0.3 0.1 0.2: in floats the mean is 0.20000000000000004
        ("0.2 is the mean of 0.3 0.1 0.2", 30, 100, ["0.3", "0.1", "0.2"], [1, 1, 3], 0),
        ("flat prices: nobody votes", 30, 70, [10, 10, 10], [1, 1, 3], 0),
        ("two bars are too few for a long window of 3", 0, 100, [10, 11], [1, 3], 0),
    ],
)
def test_adaptive_counts_three_votes(
    why: str,
    low: float,
    high: float,
    closes: list[str | int],
    volumes: list[int],
    last: int,
) -> None:
    params = {**VOTES, "rsi_oversold": low, "rsi_overbought": high}
    assert says("adaptive", params, closes, volumes)[-1] == last, why


def test_adaptive_is_silent_until_its_longest_indicator_has_its_bars() -> None:
    closes = list(range(10, 30))
    params = {"short_window": 1, "long_window": 2, "rsi_overbought": 100, "volume_window": 9}
    volumes = [2**i for i in range(20)]
    found = says("adaptive", {**params, "rsi_period": 4}, closes, volumes)
    assert found == [0] * 8 + [1] * 12
    found = says("adaptive", {**params, "rsi_period": 12}, closes, volumes)
    assert found == [0] * 12 + [1] * 8


def test_an_unknown_parameter_is_refused() -> None:
    with pytest.raises(KeyError, match="lookback"):
        signals.parameters("momentum", {"lookback": 3})
