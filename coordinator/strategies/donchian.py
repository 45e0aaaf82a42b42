"""Donchian breakout: long above the highest high of recent bars, flat below their lowest low.

Richard Donchian's channel, in the two-window form of the "turtle" rules.
"""

from __future__ import annotations

from collections import deque
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from coordinator.core.lane_form import LaneForm, breakout_form
from coordinator.core.values import Bar
from coordinator.strategies.base import Step, Strategy, Values, Window

if TYPE_CHECKING:
    from coordinator.strategies import kernels
    from coordinator.strategies.series import Series


class DonchianStrategy(Strategy):
    """+1 when C[t] > highest H of the entry_window bars before t, -1 when C[t] < lowest L of the
    exit_window bars before t. No signal before both channels are known.
    """

    strategy_type: ClassVar[str] = "donchian"

    entry_window: Annotated[Window, Field(description="bars of the highest high")] = 20
    exit_window: Annotated[Window, Field(description="bars of the lowest low")] = 10

    def start(self) -> Step:
        """A fresh step for the bars of one ticker."""
        return _DonchianStep(self).step

    def lane_form(self) -> LaneForm:
        """The parameters as a lane form (`core/lane_form.py`)."""
        return breakout_form(self.entry_window, self.exit_window)

    def over(self, series: Series) -> kernels.Signs | None:
        """The step's signal at each bar of a series; None if the numbers are too large."""
        from coordinator.strategies import kernels

        return kernels.breakout(series.prices, self.entry_window, self.exit_window)


class _DonchianStep:
    __slots__ = ("_before", "_highs", "_lows", "_seen", "_window")

    def __init__(self, strategy: DonchianStrategy) -> None:
        self._highs = _Highest(strategy.entry_window)
        self._lows = _Highest(strategy.exit_window)
        self._window = strategy.longest_window
        self._seen = 0
        self._before: tuple[Decimal, Decimal] | None = None

    def step(self, bar: Bar) -> int:
        signal = 0
        if self._seen >= self._window:
            self._before = self._highs.value, -self._lows.value
            signal = (bar.close > self._before[0]) - (bar.close < self._before[1])
        self._seen += 1
        self._highs.push(bar.high)
        self._lows.push(-bar.low)  # the lowest low is the highest of their negatives
        return signal

    def explain(self) -> Values:
        high, low = self._before or (None, None)
        return {"highest high before": high, "lowest low before": low}


class _Highest:
    """The highest of the last `window` values, in amortised constant time.

    A value is dropped once a later one reaches it, so the first of those kept is the highest.
    """

    __slots__ = ("_count", "_kept", "_window")

    def __init__(self, window: int) -> None:
        self._window = window
        self._kept: deque[tuple[int, Decimal]] = deque()
        self._count = 0

    @property
    def value(self) -> Decimal:
        return self._kept[0][1]

    def push(self, value: Decimal) -> None:
        kept = self._kept
        while kept and kept[-1][1] <= value:
            kept.pop()
        kept.append((self._count, value))
        self._count += 1
        if kept[0][0] <= self._count - 1 - self._window:
            kept.popleft()
