"""Strategies that read several tickers together, such as a pair or a ranking.

Such a strategy has one of the methods `signals(bars)`, `generate_signals(frames)`, `step(bars)` and
`start_together(tickers)`. It returns signals by ticker.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from coordinator.core.together import JointStep
from coordinator.core.values import Bar
from coordinator.errors import OperatorError
from coordinator.strategies.base import Strategy
from coordinator.strategies.reading import (
    BY_TICKER,
    LatestBars,
    LatestFrame,
    Step,
    class_name,
    method_name,
    one_signal,
    readers_of,
)

JOINT_READERS = (*BY_TICKER, "step")


class MultiTickerStrategy(Strategy):
    """A trading rule on several tickers together; its fields are its parameters.

    Your own strategy is a subclass in a file, with a `strategy_type`, its parameters as annotated
    fields, and one of these methods, each of which returns +1, -1 or 0 by ticker, where a ticker
    left out means 0:

    - `signals(self, bars)`: from the latest bars of each ticker, oldest first, by ticker;
    - `generate_signals(self, frames)`: the same from a pandas frame of each;
    - `step(self, bars)`: minute by minute, from the bars of the minute by ticker; its state is in
      private attributes, fresh for each strategy and start;
    - `start_together(self, tickers)`: returns such a step, with its own state.

    It is called once for each minute in which any of its tickers has a bar. Tickers are in the
    order of the configuration.

    Raises:
        pydantic.ValidationError: unknown or invalid parameters.
    """

    ticker_count: ClassVar[int | None] = None
    """The number of tickers that it needs; None for any number, including one."""

    waits_for_all: ClassVar[bool] = True
    """Whether `signals` and `generate_signals` wait until every ticker has `longest_window` bars;
    otherwise they are called as soon as one has, with those that have."""

    def start(self) -> Step:
        """There is no step for one ticker alone.

        Raises:
            OperatorError: always.
        """
        raise OperatorError(
            f"{type(self).__qualname__} looks at its tickers together: give it the bars of each,"
            " by ticker"
        )

    def start_together(self, tickers: Sequence[str]) -> JointStep:
        """A fresh step for the bars of these tickers.

        Raises:
            OperatorError: the class has none of the methods that read bars, or several.
        """
        fresh = type(self)(**self._values())
        return joint_step_of(fresh, self.longest_window, tickers, wait=self.waits_for_all)


def what_a_joint_one_should_have(thing: object) -> str:
    """What is wrong with the methods of a class or object, as words that follow its name."""
    found = readers_of(thing, JOINT_READERS)
    has = f"has {' and '.join(found)}" if found else "cannot read the bars of several tickers"
    return (
        f"{has}; give it one of signals(bars), generate_signals(frames), step(bars) and"
        " start_together(tickers)"
    )


def joint_step_of(source: Any, window: int, tickers: Sequence[str], *, wait: bool) -> JointStep:
    """A step that feeds the tickers' bars to the object's method.

    `signals` and `generate_signals` are called once all tickers (without `wait`: one of them) have
    `window` bars, with the last 10 x `window` bars of each at most.

    Raises:
        OperatorError: the object has none of the methods, or several.
    """
    least = len(tickers) if wait else 1
    match readers_of(source, JOINT_READERS):
        case ["step"]:
            return _EachMinute(source, tickers).step
        case ["signals"]:
            latest = {ticker: LatestBars(window) for ticker in tickers}
            return _OfLatest(source, "signals", latest, window, least).step
        case ["generate_signals"]:
            frames = {ticker: LatestFrame(window) for ticker in tickers}
            return _OfLatest(source, "generate_signals", frames, window, least).step
    raise OperatorError(f"{class_name(source)} {what_a_joint_one_should_have(source)}")


def joint_signals(who: str, answer: Any, tickers: Sequence[str]) -> dict[str, int]:
    """The signals by ticker that `who` returned, as a mapping or a pandas Series.

    Raises:
        OperatorError: they are no signals by ticker, or one is of another ticker.
    """
    items = getattr(answer, "items", None)
    if not callable(items):
        raise OperatorError(
            f"{who} answered {answer!r}; it must answer signals by ticker,"
            f" such as {{{tickers[0]!r}: 1}}, or {{}}"
        )
    found = {}
    for ticker, signal in items():
        if ticker not in tickers:
            raise OperatorError(
                f"{who} answered a signal of {ticker!r}; its tickers are {', '.join(tickers)}"
            )
        found[ticker] = one_signal(f"{who}, of {ticker},", signal)
    return found


class _JointReader:
    """Feeds bars to a source, and passes on its `explain()` if it has one."""

    def __init__(self, source: Any, tickers: Sequence[str]) -> None:
        self._source, self._tickers = source, tuple(tickers)

    def explain(self, ticker: str) -> Mapping[str, object]:
        """The source's values at the last minute; of a value by ticker, this ticker's."""
        explain = getattr(self._source, "explain", None)
        values = dict(explain()) if explain is not None else {}
        return {
            name: value.get(ticker) if isinstance(value, Mapping) else value
            for name, value in values.items()
        }

    def _answered(self, method: str, answer: Any) -> dict[str, int]:
        return joint_signals(method_name(self._source, method), answer, self._tickers)


class _EachMinute(_JointReader):
    def step(self, bars: Mapping[str, Bar]) -> Mapping[str, int]:
        return self._answered("step", self._source.step(dict(bars)))


class _OfLatest(_JointReader):
    """Reads the latest bars or frames of each ticker, once `least` tickers have `window` bars."""

    def __init__(
        self,
        source: Any,
        method: str,
        latest: Mapping[str, LatestBars | LatestFrame],
        window: int,
        least: int,
    ) -> None:
        super().__init__(source, tuple(latest))
        self._method, self._latest, self._window, self._least = method, latest, window, least

    def step(self, bars: Mapping[str, Bar]) -> Mapping[str, int]:
        for ticker, bar in bars.items():
            self._latest[ticker].add(bar)
        ready = {t: kept for t, kept in self._latest.items() if len(kept) >= self._window}
        if len(ready) < self._least:
            return {}
        read = {ticker: latest.read() for ticker, latest in ready.items()}
        return self._answered(self._method, getattr(self._source, self._method)(read))
