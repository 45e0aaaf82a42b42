"""Strategies that read a pandas frame: an object with `generate_signal(bars)` becomes a Strategy.

The object is handed the latest bars as a frame of its own, once it has as many as it looks back.
It is one trader's object: two strategies never share it, nor a computation of it.
"""

from __future__ import annotations

from datetime import UTC
from numbers import Real
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import InstanceOf

from coordinator.core.values import Bar
from coordinator.errors import OperatorError
from coordinator.strategies.base import LARGEST_WINDOW, Step, Strategy, Window

if TYPE_CHECKING:
    import pandas as pd

DEFAULT_WINDOW = 100
WINDOW_NAMES = ("longest_window", "lookback_period", "lookback", "window")
COLUMNS = ("open", "high", "low", "close", "volume")


class FrameStrategy(Strategy):
    """A user's object with `generate_signal(bars: pandas.DataFrame) -> int`, as a Strategy.

    `bars` has the columns open, high, low, close and volume as floats, indexed by the bars'
    start (DatetimeIndex in UTC), oldest first: the last 10 x `window` bars at most. It is
    called only once there are `window` bars, and must answer +1, -1 or 0.
    """

    strategy_type: ClassVar[str] = "frame"

    source: InstanceOf[object]
    window: Window = DEFAULT_WINDOW

    @property
    def longest_window(self) -> int:
        """How far the object looks back, in bars."""
        return self.window

    @property
    def parameters(self) -> dict[str, Any]:
        """The object's class and window; what else it holds is its own business."""
        return {"class": _class_name(self.source), "window": self.window}

    def start(self) -> Step:
        """A fresh window of bars, for one ticker; the object itself is the same for all."""
        return _FrameStep(self.source, self.window).step

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)


def adapt(candidate: object) -> Strategy:
    """A Strategy as it is; an object with `generate_signal(bars)` as a FrameStrategy.

    The object's window is its attribute `longest_window`, `lookback_period`, `lookback` or
    `window`, 100 bars without one.

    Raises:
        OperatorError: for a class in place of an object, and for anything else.
    """
    if isinstance(candidate, Strategy):
        return candidate
    if isinstance(candidate, type):
        raise OperatorError(
            f"a strategy must be an object, got the class {candidate.__name__}; "
            f"write {candidate.__name__}(...)"
        )
    if not callable(getattr(candidate, "generate_signal", None)):
        raise OperatorError(
            f"{_class_name(candidate)} is not a strategy; give a Strategy, "
            "or an object with generate_signal(bars: pandas.DataFrame) -> int"
        )
    return FrameStrategy(source=candidate, window=_window_of(candidate))


def _window_of(candidate: object) -> int:
    for name in WINDOW_NAMES:
        window = getattr(candidate, name, None)
        if window is None:
            continue
        if isinstance(window, bool) or not isinstance(window, int):
            raise OperatorError(f"{_class_name(candidate)}.{name} must be an integer of bars")
        if not 1 <= window <= LARGEST_WINDOW:
            raise OperatorError(
                f"{_class_name(candidate)}.{name} is {window}; use 1 to {LARGEST_WINDOW} bars"
            )
        return window
    return DEFAULT_WINDOW


class _FrameStep:
    """Keeps the bars in arrays of twice the frame's length, so that few bars cost a move."""

    __slots__ = ("_end", "_kept", "_source", "_starts", "_values", "_window")

    def __init__(self, source: Any, window: int) -> None:
        # numpy and pandas cost half a second to import; only who reads frames pays for them.
        import numpy as np

        self._source = source
        self._window = window
        self._kept = 10 * window
        self._values = np.empty((2 * self._kept, len(COLUMNS)), dtype=np.float64)
        self._starts = np.empty(2 * self._kept, dtype="datetime64[us]")
        self._end = 0

    def step(self, bar: Bar) -> int:
        if self._end == len(self._values):
            self._values[: self._kept] = self._values[self._kept :]
            self._starts[: self._kept] = self._starts[self._kept :]
            self._end = self._kept
        self._values[self._end] = (bar.open, bar.high, bar.low, bar.close, bar.volume)
        self._starts[self._end] = bar.start.astimezone(UTC).replace(tzinfo=None)
        self._end += 1
        if self._end < self._window:
            return 0
        return _signal(self._source, self._source.generate_signal(self._frame()))

    def _frame(self) -> pd.DataFrame:
        import pandas as pd

        latest = slice(max(0, self._end - self._kept), self._end)
        index = pd.DatetimeIndex(self._starts[latest].copy(), tz="UTC", name="timestamp")
        return pd.DataFrame(self._values[latest].copy(), columns=list(COLUMNS), index=index)


def _signal(source: object, answer: Any) -> int:
    if isinstance(answer, Real) and not isinstance(answer, bool):
        for signal in (1, -1, 0):
            if answer == signal:
                return signal
    raise OperatorError(
        f"{_class_name(source)}.generate_signal answered {answer!r}; it must answer 1, -1 or 0"
    )


def _class_name(thing: object) -> str:
    return f"{type(thing).__module__}.{type(thing).__qualname__}"
