"""Buy and hold: long from the first bar on. What every other strategy has to beat."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from coordinator.core.lane_form import HOLDING, LaneForm, Past
from coordinator.core.values import Bar
from coordinator.strategies.base import Step, Strategy

if TYPE_CHECKING:
    from coordinator.strategies import kernels
    from coordinator.strategies.series import Series


class BuyAndHoldStrategy(Strategy):
    """+1 at every bar."""

    strategy_type: ClassVar[str] = "buy_and_hold"

    @property
    def longest_window(self) -> int:
        """One bar."""
        return 1

    def start(self) -> Step:
        """A fresh step for the bars of one ticker."""
        return _HoldStep().step

    def lane_form(self) -> LaneForm:
        """The parameters as a lane form (`core/lane_form.py`)."""
        return HOLDING

    def over(self, series: Series) -> kernels.Signs | None:
        """The step's signal at each bar of a series; None if the numbers are too large."""
        import numpy as np

        return np.ones(len(series), np.int8)


class _HoldStep:
    __slots__ = ()

    def step(self, _bar: Bar) -> int:
        return 1

    def resume(self, past: Past) -> None:
        """There is no state to restore."""
