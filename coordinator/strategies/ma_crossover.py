"""Moving-average crossover: long while the short average lies above the long one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from coordinator.core.lane_form import LaneForm, Past, crossing_form
from coordinator.core.values import Bar
from coordinator.strategies.base import Step, Strategy, Values, Window
from coordinator.strategies.explaining import crossing_values
from coordinator.strategies.indicators import Crossing
from coordinator.strategies.ticks import Ticks

if TYPE_CHECKING:
    from coordinator.strategies import kernels
    from coordinator.strategies.series import Series


class MovingAverageCrossoverStrategy(Strategy):
    """+1 when SMA_short > SMA_long, -1 when SMA_short < SMA_long; a tie leaves all as it is."""

    strategy_type: ClassVar[str] = "ma_crossover"
    ascending: ClassVar[tuple[tuple[str, str], ...]] = (("short_window", "long_window"),)

    short_window: Annotated[Window, Field(description="bars of the short average")] = 10
    long_window: Annotated[Window, Field(description="bars of the long average")] = 30

    def start(self) -> Step:
        """A fresh step for the bars of one ticker."""
        return _CrossoverStep(self).step

    def lane_form(self) -> LaneForm:
        """The parameters as a lane form (`core/lane_form.py`)."""
        return crossing_form(self.short_window, self.long_window)

    def over(self, series: Series) -> kernels.Signs | None:
        """The step's signal at each bar of a series; None if the numbers are too large."""
        from coordinator.strategies import kernels

        return kernels.crossing(series.closes, self.short_window, self.long_window)


class _CrossoverStep:
    __slots__ = ("_crossing", "_ticks")

    def __init__(self, strategy: MovingAverageCrossoverStrategy) -> None:
        self._crossing = Crossing(strategy.short_window, strategy.long_window)
        self._ticks = Ticks(self._crossing)

    def step(self, bar: Bar) -> int:
        return self._crossing.push(self._ticks.count(bar.close)) or 0

    def resume(self, past: Past) -> None:
        for close in past.closes:
            self._crossing.push(close)

    def explain(self) -> Values:
        return crossing_values(self._crossing, self._ticks)
