"""Built-in rules as plain numbers, for machine code that judges many histories in one call.

Numbers mean what `compiled.py` reads in them. A rule without a recipe is asked itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import IntEnum
from fractions import Fraction
from typing import Any

from coordinator.strategies.adaptive import AdaptiveStrategy
from coordinator.strategies.bollinger import BollingerStrategy
from coordinator.strategies.buy_and_hold import BuyAndHoldStrategy
from coordinator.strategies.ma_crossover import MovingAverageCrossoverStrategy
from coordinator.strategies.mean_reversion import MeanReversionStrategy
from coordinator.strategies.momentum import MomentumStrategy
from coordinator.strategies.rsi import RsiStrategy

NUMBERS = 6
"""Whole numbers in a recipe, unused ones zero."""
_LARGEST = 1 << 40


class Kind(IntEnum):
    """Which rule it is."""

    HOLD = 0
    MOMENTUM = 1
    CROSSING = 2
    RSI = 3
    ADAPTIVE = 4
    REVERSION = 5
    BANDS = 6


@dataclass(frozen=True, slots=True)
class Recipe:
    """A rule in numbers: windows, and ratios as numerator and denominator. `bounds` are RSI's."""

    kind: Kind
    numbers: tuple[int, ...] = ()
    bounds: tuple[float, float] = (0.0, 100.0)


def recipe_of(rule: object) -> Recipe | None:
    """The numbers of a built-in rule that machine code knows; of a subclass there are none."""
    make = _MAKERS.get(type(rule))
    recipe = None if make is None else make(rule)
    if recipe is None or any(abs(number) >= _LARGEST for number in recipe.numbers):
        return None
    return recipe


def _momentum(rule: MomentumStrategy) -> Recipe:
    threshold = Fraction(rule.momentum_threshold)
    numerator, unit = threshold.as_integer_ratio()
    return Recipe(Kind.MOMENTUM, (rule.lookback_period, unit, unit + numerator, unit - numerator))


def _crossing(rule: MovingAverageCrossoverStrategy) -> Recipe:
    return Recipe(Kind.CROSSING, (rule.short_window, rule.long_window))


def _rsi(rule: RsiStrategy) -> Recipe:
    return Recipe(Kind.RSI, (rule.rsi_period,), _bounds(rule.rsi_oversold, rule.rsi_overbought))


def _adaptive(rule: AdaptiveStrategy) -> Recipe:
    windows = (rule.short_window, rule.long_window, rule.rsi_period, rule.volume_window)
    return Recipe(Kind.ADAPTIVE, windows, _bounds(rule.rsi_oversold, rule.rsi_overbought))


def _reversion(rule: MeanReversionStrategy) -> Recipe:
    entry, leave = (Fraction(one) ** 2 for one in (rule.entry_threshold, rule.exit_threshold))
    numbers = (rule.lookback_period, *entry.as_integer_ratio(), *leave.as_integer_ratio())
    return Recipe(Kind.REVERSION, numbers)


def _bands(rule: BollingerStrategy) -> Recipe:
    width = Fraction(rule.band_width) ** 2
    return Recipe(Kind.BANDS, (rule.lookback_period, *width.as_integer_ratio()))


def _bounds(oversold: Decimal, overbought: Decimal) -> tuple[float, float]:
    return float(oversold), float(overbought)


_MAKERS: Mapping[type, Callable[[Any], Recipe]] = {
    BuyAndHoldStrategy: lambda _rule: Recipe(Kind.HOLD),
    MomentumStrategy: _momentum,
    MovingAverageCrossoverStrategy: _crossing,
    RsiStrategy: _rsi,
    AdaptiveStrategy: _adaptive,
    MeanReversionStrategy: _reversion,
    BollingerStrategy: _bands,
}
