"""Rules that look at several tickers at once: stepped once a minute, with its bars of them all.

Such a rule has a method `start_together(tickers)` beside, or in place of, `start()`. Its state on a
set of tickers is a Table; what it says of one of them is a lane like any other. A bar that comes
after its minute was stepped is a step of its own. What is fed before a session, or for a strategy
that joins one, is stepped through minute by minute, whatever the order in which it was fed; so a
restart, a backtest and a session that brings its bars in time come to the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from coordinator.core.lane import Lane, explain_of
from coordinator.core.values import Bar

JointStep = Callable[[Mapping[str, Bar]], Mapping[str, int]]
"""Takes the bars of one minute by ticker, those that came, in the order of the tickers; returns
+1, -1 or 0 by ticker. Who is not named wants nothing new, as at 0.

A step, or the object whose method it is, may have an `explain(ticker)`: values by name.
"""


def starts_together(rule: object) -> bool:
    """Whether a rule looks at all of its tickers at once."""
    return hasattr(rule, "start_together")


class Table:
    """One rule's state on all of its tickers, each with its `lanes` entry once that is made."""

    def __init__(self, rule: Any, tickers: tuple[str, ...]) -> None:
        self._tickers = tickers
        self._step: JointStep = rule.start_together(tickers)
        self._waiting: list[Bar] = []
        self.lanes: dict[str, Lane] = {}

    def seat(self, ticker: str) -> Callable[[Bar], int]:
        """The step of the lane on one ticker; what it says, it says after `turn`."""
        return _Seat(self, ticker).take

    def wait(self, bar: Bar) -> None:
        """A bar has come; the others of its minute may follow."""
        self._waiting.append(bar)

    def turn(self) -> bool:
        """Step through what waits, oldest minute first; whether the rule has failed in that."""
        if not self._waiting:
            return False
        place = {ticker: at for at, ticker in enumerate(self._tickers)}
        minutes: dict[datetime, dict[str, Bar]] = {}
        for bar in sorted(self._waiting, key=lambda bar: (bar.start, place[bar.symbol])):
            minutes.setdefault(bar.start, {})[bar.symbol] = bar
        self._waiting = []
        return not all(self._stepped(start, bars) for start, bars in minutes.items())

    def explain(self, ticker: str) -> Mapping[str, object]:
        """What the step says that it saw of a ticker; empty where it does not say."""
        explain = explain_of(self._step)
        return dict(explain(ticker)) if explain is not None else {}

    def _stepped(self, start: datetime, bars: Mapping[str, Bar]) -> bool:
        """Signals are said of the tickers that have a bar: on no other can be decided."""
        try:
            signals = self._step(bars)
            for ticker in bars:
                self.lanes[ticker].say(signals.get(ticker, 0))
        except Exception as error:
            for lane in self.lanes.values():
                lane.fail(f"{type(error).__name__} at the bars of {start}: {error}")
            return False
        return True


class _Seat:
    """A ticker's place at the table."""

    __slots__ = ("_table", "_ticker")

    def __init__(self, table: Table, ticker: str) -> None:
        self._table, self._ticker = table, ticker

    def take(self, bar: Bar) -> int:
        self._table.wait(bar)
        return 0

    def explain(self) -> Mapping[str, object]:
        return self._table.explain(self._ticker)
