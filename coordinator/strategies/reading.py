"""Feeds bars to a strategy in the way that it reads them, and checks its signals.

A strategy has one of these methods: `step(bar)` for one bar after another, `signal(bars)` for a
tuple of the latest, or `generate_signal(frame)` for a pandas frame of them. It returns 1, -1 or 0.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC
from numbers import Real
from typing import TYPE_CHECKING, Any

from coordinator.core.lane import HISTORY_WINDOWS
from coordinator.core.values import Bar
from coordinator.errors import OperatorError

if TYPE_CHECKING:
    import pandas as pd

READERS = ("step", "signal", "generate_signal")
BY_TICKER = ("signals", "generate_signals")
"""Methods that only strategies on several tickers together have."""
COLUMNS = ("open", "high", "low", "close", "volume")

Step = Callable[[Bar], int]
"""Takes the next bar of one ticker, oldest first; returns +1, -1 or 0 at its close.

A step, or the object whose method it is, may have a method `explain()`: its Values at the last bar.
It is called only when a user asks for an explanation.
"""


def readers_of(thing: object, among: Sequence[str] = READERS) -> list[str]:
    """The methods `among` these that a class or object has; it should have exactly one."""
    return [name for name in among if callable(getattr(thing, name, None))]


def step_of(source: object, window: int) -> Step:
    """A step that feeds bars to the object's method.

    `signal` and `generate_signal` are called once there are `window` bars, with the last
    10 x `window` bars at most.

    Raises:
        OperatorError: the object has none of the methods, or several.
    """
    match readers_of(source):
        case ["step"]:
            return _EachBar(source).step
        case ["signal"]:
            return _OfLatest(source, "signal", LatestBars(window), window).step
        case ["generate_signal"]:
            return _OfLatest(source, "generate_signal", LatestFrame(window), window).step
    raise OperatorError(f"{class_name(source)} {what_it_should_have(source)}")


def what_it_should_have(thing: object) -> str:
    """What is wrong with the methods of a class or object, as words that follow its name."""
    found = readers_of(thing)
    if not found and readers_of(thing, BY_TICKER):
        return "answers signals by ticker; derive it from coordinator.MultiTickerStrategy"
    has = f"has {' and '.join(found)}" if found else "cannot read bars"
    return f"{has}; give it one of start(), step(bar), signal(bars) and generate_signal(frame)"


def one_signal(who: str, answer: Any) -> int:
    """The signal that `who` returned.

    Raises:
        OperatorError: it is not 1, -1 or 0.
    """
    if isinstance(answer, Real) and not isinstance(answer, bool):
        for signal in (1, -1, 0):
            if answer == signal:
                return signal
    raise OperatorError(f"{who} answered {answer!r}; it must answer 1, -1 or 0")


def class_name(thing: object) -> str:
    """The full name of an object's class."""
    return f"{type(thing).__module__}.{type(thing).__qualname__}"


def method_name(source: object, name: str) -> str:
    """A method's name in error messages: 'Class.method'."""
    return f"{type(source).__qualname__}.{name}"


class _Reader:
    """Feeds bars to a source, and passes on its `explain()` if it has one."""

    __slots__ = ("_source",)

    def __init__(self, source: Any) -> None:
        self._source = source

    def explain(self) -> Mapping[str, object]:
        explain = getattr(self._source, "explain", None)
        return explain() if explain is not None else {}


class _EachBar(_Reader):
    __slots__ = ()

    def step(self, bar: Bar) -> int:
        return one_signal(method_name(self._source, "step"), self._source.step(bar))


class _OfLatest(_Reader):
    __slots__ = ("_latest", "_method", "_window")

    def __init__(
        self, source: Any, method: str, latest: LatestBars | LatestFrame, window: int
    ) -> None:
        super().__init__(source)
        self._method, self._latest, self._window = method, latest, window

    def step(self, bar: Bar) -> int:
        self._latest.add(bar)
        if len(self._latest) < self._window:
            return 0
        answer = getattr(self._source, self._method)(self._latest.read())
        return one_signal(method_name(self._source, self._method), answer)


class LatestBars:
    """The latest 10 x `window` bars of a ticker, as tuples."""

    __slots__ = ("_bars",)

    def __init__(self, window: int) -> None:
        self._bars: deque[Bar] = deque(maxlen=HISTORY_WINDOWS * window)

    def __len__(self) -> int:
        return len(self._bars)

    def add(self, bar: Bar) -> None:
        """Add the next bar."""
        self._bars.append(bar)

    def read(self) -> tuple[Bar, ...]:
        """The bars, oldest first."""
        return tuple(self._bars)


class LatestFrame:
    """The latest 10 x `window` bars of a ticker, as pandas frames.

    Its arrays have twice the frame's length, so that the bars are moved only when they are full.
    """

    __slots__ = ("_end", "_kept", "_starts", "_values")

    def __init__(self, window: int) -> None:
        # Importing numpy and pandas takes half a second, and few strategies need them.
        import numpy as np

        self._kept = HISTORY_WINDOWS * window
        self._values = np.empty((2 * self._kept, len(COLUMNS)), dtype=np.float64)
        self._starts = np.empty(2 * self._kept, dtype="datetime64[us]")
        self._end = 0

    def __len__(self) -> int:
        return min(self._end, self._kept)

    def add(self, bar: Bar) -> None:
        """Add the next bar."""
        if self._end == len(self._values):
            self._values[: self._kept] = self._values[self._kept :]
            self._starts[: self._kept] = self._starts[self._kept :]
            self._end = self._kept
        self._values[self._end] = (bar.open, bar.high, bar.low, bar.close, bar.volume)
        self._starts[self._end] = bar.start.astimezone(UTC).replace(tzinfo=None)
        self._end += 1

    def read(self) -> pd.DataFrame:
        """A new frame of copies, oldest bar first."""
        import pandas as pd

        latest = slice(max(0, self._end - self._kept), self._end)
        index = pd.DatetimeIndex(self._starts[latest].copy(), tz="UTC", name="timestamp")
        return pd.DataFrame(self._values[latest].copy(), columns=list(COLUMNS), index=index)
