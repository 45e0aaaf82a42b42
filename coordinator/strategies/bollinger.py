"""Bollinger bands: long below the lower band, flat above the upper one.

John Bollinger, "Bollinger on Bollinger Bands" (2001): a simple moving average, and bands at a
number of population standard deviations around it.
"""

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


class BollingerStrategy(Strategy):
    """+1 when C < SMA - width x STDDEV, -1 when C > SMA + width x STDDEV."""

    strategy_type: ClassVar[str] = "bollinger"

    lookback_period: Annotated[
        Window, Field(description="bars of the average and the deviation")
    ] = 20
    band_width: Annotated[
        Exact, Field(ge=0, description="deviations from the average to each band")
    ] = Decimal("2.0")

    def start(self) -> Step:
        """A fresh step for the bars of one ticker."""
        return _BollingerStep(self).step

    def lane_form(self) -> LaneForm:
        """The parameters as a lane form (`core/lane_form.py`)."""
        return deviation_form(Kind.BANDS, self.lookback_period, self.band_width)

    def over(self, series: Series) -> kernels.Signs | None:
        """The step's signal at each bar of a series; None if the numbers are too large."""
        from coordinator.strategies import kernels

        return kernels.deviation(series.closes, self.lookback_period, self._judge)

    def _judge(self, distance: kernels.Whole, variance: kernels.Whole) -> kernels.Signs | None:
        from coordinator.strategies import kernels

        beyond = kernels.beyond(distance, variance, Fraction(self.band_width) ** 2)
        return None if beyond is None else kernels.sign((beyond > 0) * -distance)


class _BollingerStep:
    """C is beyond a band if |D| / sqrt(V) > width; signs and squares decide that without a root."""

    __slots__ = ("_denominator", "_deviation", "_numerator", "_ticks")

    def __init__(self, strategy: BollingerStrategy) -> None:
        squared = Fraction(strategy.band_width) ** 2
        self._numerator, self._denominator = squared.as_integer_ratio()
        self._deviation = Deviation(strategy.lookback_period)
        self._ticks = Ticks(self._deviation)

    def step(self, bar: Bar) -> int:
        pushed = self._deviation.push(self._ticks.count(bar.close))
        if pushed is None:
            return 0
        distance, variance = pushed
        if distance * distance * self._denominator <= self._numerator * variance:
            return 0
        return 1 if distance < 0 else -1

    def resume(self, past: Past) -> None:
        for close in past.closes:
            self._deviation.push(close)

    def explain(self) -> Values:
        return deviation_values(self._deviation, self._ticks)
