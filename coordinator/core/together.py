"""Rules that look at several tickers at once: stepped once a minute, with the bars of all of them.

Such a rule has a method `start_together(tickers)` beside, or in place of, `start()`. Its state on a
set of tickers is a Table; its signals on each ticker are those of a lane like any other. A bar that
comes after its minute was stepped is a step of its own. Bars fed before a session, or for a
strategy that joins one, are stepped minute by minute, whatever the order in which they were fed; so
a restart, a backtest and a session whose bars come in time give the same signals.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from coordinator.core.lane import Lane, explain_of
from coordinator.core.values import Bar

JointStep = Callable[[Mapping[str, Bar]], Mapping[str, int]]
"""Takes the bars that came of one minute, by ticker, in the tickers' order; returns +1, -1 or 0 by
ticker. A ticker that is not named has the signal 0.

A step, or the object whose method it is, may have an `explain(ticker)` that returns values by name.
"""


def starts_together(rule: object) -> bool:
    """Whether a rule looks at all of its tickers at once."""
    return hasattr(rule, "start_together")


class Table:
    """One rule's state on all of its tickers; `lanes` gets each ticker's lane when it is made."""

    def __init__(self, rule: Any, tickers: tuple[str, ...]) -> None:
        self._tickers = tickers
        self._step: JointStep = rule.start_together(tickers)
        self._collected: list[Bar] = []
        self.lanes: dict[str, Lane] = {}

    def step_on(self, ticker: str) -> Callable[[Bar], int]:
        """The step of the lane on one ticker, which has its signal only after `step_collected`."""
        return _TickerStep(self, ticker).step

    def collect(self, bar: Bar) -> None:
        """Keep a bar; others of its minute may follow."""
        self._collected.append(bar)

    def step_collected(self) -> bool:
        """Step with the bars collected, oldest minute first; returns whether the rule failed."""
        if not self._collected:
            return False
        order = {ticker: at for at, ticker in enumerate(self._tickers)}
        minutes: dict[datetime, dict[str, Bar]] = {}
        for bar in sorted(self._collected, key=lambda bar: (bar.start, order[bar.symbol])):
            minutes.setdefault(bar.start, {})[bar.symbol] = bar
        self._collected = []
        return not all(self._stepped(start, bars) for start, bars in minutes.items())

    def explain(self, ticker: str) -> Mapping[str, object]:
        """What the step saw of a ticker, by name; empty if it has no `explain`."""
        explain = explain_of(self._step)
        return dict(explain(ticker)) if explain is not None else {}

    def _stepped(self, start: datetime, bars: Mapping[str, Bar]) -> bool:
        """Step a minute; only tickers with a bar get a signal, as nothing is decided on others."""
        try:
            signals = self._step(bars)
            for ticker in bars:
                self.lanes[ticker].say(signals.get(ticker, 0))
        except Exception as error:
            for lane in self.lanes.values():
                lane.fail(f"{type(error).__name__} at the bars of {start}: {error}")
            return False
        return True


class _TickerStep:
    """The step of a Table's lane on one ticker."""

    __slots__ = ("_table", "_ticker")

    def __init__(self, table: Table, ticker: str) -> None:
        self._table, self._ticker = table, ticker

    def step(self, bar: Bar) -> int:
        self._table.collect(bar)
        return 0

    def explain(self) -> Mapping[str, object]:
        return self._table.explain(self._ticker)
