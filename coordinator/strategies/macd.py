"""MACD: long while the difference of two exponential averages lies above its own average.

Gerald Appel's moving average convergence/divergence, seeded as in TA-Lib: each exponential average
begins with a simple mean, the fast one at the same bar as the slow one. Exact exponential averages
would need ever more digits, so these are floats; every run computes the same ones. They are of the
closes less the first one, which changes no difference of averages: where a price has not moved yet,
rounding makes no signal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from coordinator.core.lane_form import LaneForm, macd_form
from coordinator.core.values import Bar
from coordinator.strategies.base import Step, Strategy, Values, Window

if TYPE_CHECKING:
    from coordinator.strategies import kernels
    from coordinator.strategies.series import Series


class MacdStrategy(Strategy):
    """+1 when MACD > signal line, -1 when MACD < signal line.

    MACD = EMA(C, fast) - EMA(C, slow); the signal line is EMA(MACD, signal); EMA(n) has the
    smoothing 2 / (n + 1).
    """

    strategy_type: ClassVar[str] = "macd"
    ascending: ClassVar[tuple[tuple[str, str], ...]] = (("fast_window", "slow_window"),)

    fast_window: Annotated[Window, Field(ge=2, description="bars of the fast average")] = 12
    slow_window: Annotated[Window, Field(ge=2, description="bars of the slow average")] = 26
    signal_window: Annotated[Window, Field(description="bars of the signal line")] = 9

    @property
    def longest_window(self) -> int:
        """Bars before the first signal line."""
        return self.slow_window + self.signal_window - 1

    def start(self) -> Step:
        """A fresh step for the bars of one ticker."""
        return _MacdStep(self).step

    def lane_form(self) -> LaneForm:
        """The parameters as a lane form (`core/lane_form.py`)."""
        return macd_form(self.fast_window, self.slow_window, self.signal_window)

    def over(self, series: Series) -> kernels.Signs | None:
        """The step's signal at each bar of a series; None if the numbers are too large."""
        from coordinator.strategies import kernels

        if series.floats is None:
            return None
        windows = self.fast_window, self.slow_window, self.signal_window
        return kernels.convergence(series.floats, *windows)


class _MacdStep:
    __slots__ = ("_fast", "_first", "_seen", "_signal", "_skip", "_slow")

    def __init__(self, strategy: MacdStrategy) -> None:
        self._fast = _Average(strategy.fast_window)
        self._slow = _Average(strategy.slow_window)
        self._signal = _Average(strategy.signal_window)
        self._skip = strategy.slow_window - strategy.fast_window
        self._seen, self._first = 0, 0.0

    def step(self, bar: Bar) -> int:
        close = float(bar.close)
        if not self._seen:
            self._first = close
        close -= self._first
        self._seen += 1
        fast = self._fast.push(close) if self._seen > self._skip else None
        slow = self._slow.push(close)
        if fast is None or slow is None:
            return 0
        macd = fast - slow
        signal = self._signal.push(macd)
        return 0 if signal is None else (macd > signal) - (macd < signal)

    def explain(self) -> Values:
        fast, slow, signal = self._fast.known, self._slow.known, self._signal.known
        macd = None if fast is None or slow is None else fast - slow
        fast, slow = (None if moved is None else moved + self._first for moved in (fast, slow))
        return {"fast EMA": fast, "slow EMA": slow, "MACD": macd, "signal line": signal}


class _Average:
    """An exponential average seeded by the simple mean of its first `window` values.

    That of one value is the value itself, without rounding.
    """

    __slots__ = ("_count", "_sum", "_value", "_weight", "_window")

    def __init__(self, window: int) -> None:
        self._window, self._weight = window, 2.0 / (window + 1)
        self._count, self._sum, self._value = 0, 0.0, 0.0

    @property
    def known(self) -> float | None:
        return self._value if self._count >= self._window else None

    def push(self, value: float) -> float | None:
        if self._count >= self._window:
            if self._window == 1:
                self._value = value
            else:
                self._value += (value - self._value) * self._weight
            return self._value
        self._count += 1
        self._sum += value
        if self._count < self._window:
            return None
        self._value = self._sum / self._window
        return self._value
