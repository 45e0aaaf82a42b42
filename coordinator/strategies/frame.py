"""Makes a Strategy of an object with `generate_signal(bars: pandas.DataFrame) -> int`.

The object gets the latest bars as a frame of its own, once there are as many as its window. Two
such strategies are never equal, so they share no computation.
"""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import InstanceOf

from coordinator.errors import OperatorError
from coordinator.strategies.base import LARGEST_WINDOW, Strategy, Window
from coordinator.strategies.reading import Step, class_name, step_of

DEFAULT_WINDOW = 100
WINDOW_NAMES = ("longest_window", "lookback_period", "lookback", "window")


class FrameStrategy(Strategy):
    """A user's object with `generate_signal(bars: pandas.DataFrame) -> int`, as a Strategy.

    `bars` has the columns open, high, low, close and volume as floats, indexed by the bars' start
    (DatetimeIndex in UTC), oldest first: the last 10 x `window` bars at most. The method is called
    once there are `window` bars, and must return +1, -1 or 0.
    """

    strategy_type: ClassVar[str] = "frame"

    source: InstanceOf[object]
    window: Window = DEFAULT_WINDOW

    @property
    def longest_window(self) -> int:
        """The object's look-back, in bars."""
        return self.window

    @property
    def parameters(self) -> dict[str, Any]:
        """The object's class and window; its other attributes are not visible."""
        return {"class": class_name(self.source), "window": self.window}

    def start(self) -> Step:
        """A step with its own window of bars for one ticker; all tickers share the object."""
        return step_of(self.source, self.window)

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)


def adapt(candidate: object) -> Strategy:
    """A Strategy unchanged; an object with `generate_signal(bars)` as a FrameStrategy.

    The object's window is its attribute `longest_window`, `lookback_period`, `lookback` or
    `window`, or 100 bars.

    Raises:
        OperatorError: the candidate is a class, or anything else.
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
            f"{class_name(candidate)} is not a strategy; give a Strategy, "
            "or an object with generate_signal(bars: pandas.DataFrame) -> int"
        )
    return FrameStrategy(source=candidate, window=window_of(candidate))


def window_of(candidate: object) -> int:
    """The look-back that an object declares, in bars.

    Raises:
        OperatorError: it is not an integer from 1 to 100000.
    """
    for name in WINDOW_NAMES:
        window = getattr(candidate, name, None)
        if window is None:
            continue
        if isinstance(window, bool) or not isinstance(window, int):
            raise OperatorError(
                f"{class_name(candidate)}.{name} is {window!r}; give an integer of bars"
            )
        if not 1 <= window <= LARGEST_WINDOW:
            raise OperatorError(
                f"{class_name(candidate)}.{name} is {window}; use 1 to {LARGEST_WINDOW} bars"
            )
        return window
    return DEFAULT_WINDOW
