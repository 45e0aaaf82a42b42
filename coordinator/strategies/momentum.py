"""Momentum: long once the close has risen by more than a threshold over some bars."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from coordinator.core.lane_form import LaneForm, Past, momentum_form
from coordinator.core.values import Bar
from coordinator.strategies.base import Exact, Step, Strategy, Values, Window
from coordinator.strategies.indicators import Lag
from coordinator.strategies.ticks import Ticks

if TYPE_CHECKING:
    from coordinator.strategies import kernels
    from coordinator.strategies.series import Series


class MomentumStrategy(Strategy):
    """+1 when C[t] > C[t-n] x (1 + threshold), -1 when C[t] < C[t-n] x (1 - threshold)."""

    strategy_type: ClassVar[str] = "momentum"

    lookback_period: Annotated[Window, Field(description="n, in bars")] = 20
    momentum_threshold: Annotated[
        Exact, Field(ge=0, description="change over n bars, as a fraction: 0.02 is 2 %")
    ] = Decimal("0.02")

    def start(self) -> Step:
        """A fresh step for the bars of one ticker."""
        return _MomentumStep(self).step

    def lane_form(self) -> LaneForm:
        """The parameters as a lane form (`core/lane_form.py`)."""
        return momentum_form(self.lookback_period, self.momentum_threshold)

    def over(self, series: Series) -> kernels.Signs | None:
        """The step's signal at each bar of a series; None if the numbers are too large."""
        from coordinator.strategies import kernels

        threshold = Fraction(self.momentum_threshold)
        return kernels.momentum(series.closes, self.lookback_period, threshold)


class _MomentumStep:
    __slots__ = ("_down", "_lag", "_name", "_ticks", "_unit", "_up")

    def __init__(self, strategy: MomentumStrategy) -> None:
        threshold = Fraction(strategy.momentum_threshold)
        self._unit = threshold.denominator
        self._up = threshold.denominator + threshold.numerator
        self._down = threshold.denominator - threshold.numerator
        self._lag = Lag(strategy.lookback_period)
        self._ticks = Ticks(self._lag)
        self._name = f"close {strategy.lookback_period} bars before"

    def step(self, bar: Bar) -> int:
        close = self._ticks.count(bar.close)
        past = self._lag.push(close)
        if past is None:
            return 0
        scaled = close * self._unit
        return (scaled > past * self._up) - (scaled < past * self._down)

    def resume(self, past: Past) -> None:
        for close in past.closes:
            self._lag.push(close)

    def explain(self) -> Values:
        ends = self._lag.ends
        if ends is None:
            return {self._name: None}
        now, then = ends
        return {self._name: self._ticks.exact(then), "change": (now - then) / then}
