"""Mean reversion: long when the close lies far below its average, flat once it has come back."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from coordinator.core.lane_form import Kind, LaneForm, Past, deviation_form
from coordinator.core.values import Bar
from coordinator.strategies.base import Exact, Step, Strategy, Values, Window
from coordinator.strategies.explaining import deviation_values
from coordinator.strategies.indicators import Deviation
from coordinator.strategies.ticks import Ticks

if TYPE_CHECKING:
    from coordinator.strategies import kernels
    from coordinator.strategies.series import Series


class MeanReversionStrategy(Strategy):
    """+1 when z < -entry, -1 when z > -exit, with z = (C - SMA) / STDDEV, 0 if STDDEV is 0.

    STDDEV is the population's. Where both hold (entry below exit), +1 wins.
    """

    strategy_type: ClassVar[str] = "mean_reversion"

    lookback_period: Annotated[
        Window, Field(description="bars of the average and the deviation")
    ] = 20
    entry_threshold: Annotated[
        Exact, Field(ge=0, description="deviations below the average at which to be long")
    ] = Decimal("2.0")
    exit_threshold: Annotated[
        Exact, Field(ge=0, description="deviations below the average above which to be flat")
    ] = Decimal("0.5")

    def start(self) -> Step:
        """A fresh step for the bars of one ticker."""
        return _MeanReversionStep(self).step

    def lane_form(self) -> LaneForm:
        """The parameters as a lane form (`core/lane_form.py`)."""
        return deviation_form(
            Kind.REVERSION, self.lookback_period, self.entry_threshold, self.exit_threshold
        )

    def over(self, series: Series) -> kernels.Signs | None:
        """The step's signal at each bar of a series; None if the numbers are too large."""
        from coordinator.strategies import kernels

        return kernels.deviation(series.closes, self.lookback_period, self._judge)

    def _judge(self, distance: kernels.Whole, variance: kernels.Whole) -> kernels.Signs | None:
        import numpy as np

        from coordinator.strategies import kernels

        low = kernels.beyond(distance, variance, Fraction(self.entry_threshold) ** 2)
        high = kernels.beyond(distance, variance, Fraction(self.exit_threshold) ** 2)
        if low is None or high is None:
            return None
        signs = np.where(low > 0, 1, np.where(high < 0, -1, 0))
        at_the_mean = -1 if self.exit_threshold > 0 else 0
        signs = np.where(distance > 0, -1, np.where(distance == 0, at_the_mean, signs))
        return signs.astype(np.int8)


class _MeanReversionStep:
    """z = D / sqrt(V); signs and squares compare it with the thresholds, without a root."""

    __slots__ = ("_deviation", "_entry", "_exit", "_exit_above_zero", "_ticks")

    def __init__(self, strategy: MeanReversionStrategy) -> None:
        self._entry = _squared(strategy.entry_threshold)
        self._exit = _squared(strategy.exit_threshold)
        self._exit_above_zero = strategy.exit_threshold > 0
        self._deviation = Deviation(strategy.lookback_period)
        self._ticks = Ticks(self._deviation)

    def step(self, bar: Bar) -> int:
        pushed = self._deviation.push(self._ticks.count(bar.close))
        if pushed is None:
            return 0
        distance, variance = pushed
        if distance > 0:
            return -1
        if distance == 0:  # z is 0, at the mean or without deviation
            return -1 if self._exit_above_zero else 0
        square = distance * distance
        numerator, denominator = self._entry
        if square * denominator > numerator * variance:
            return 1
        numerator, denominator = self._exit
        return -1 if square * denominator < numerator * variance else 0

    def resume(self, past: Past) -> None:
        for close in past.closes:
            self._deviation.push(close)

    def explain(self) -> Values:
        return deviation_values(self._deviation, self._ticks)


def _squared(threshold: Decimal) -> tuple[int, int]:
    return (Fraction(threshold) ** 2).as_integer_ratio()
