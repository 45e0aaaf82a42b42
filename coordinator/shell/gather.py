"""A minute's bars, gathered until they can be decided on together.

Bars of one minute come in any order and in any number of frames. A minute is complete when every
ticker that can have a bar has sent one, when a bar of a later minute comes, or when nothing has
come for a moment: a quiet ticker sends no bar at all.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime

from coordinator.core.values import Bar


class Gatherer:
    """Collects bars by minute. `expected` tells the tickers that can have a bar of a minute."""

    def __init__(self, expected: Callable[[datetime], Collection[str]], quiet_s: float) -> None:
        self._expected = expected
        self._quiet_s = quiet_s
        self._bars: dict[str, Bar] = {}
        self._awaited: set[str] = set()
        self._minute: datetime | None = None
        self._due: float | None = None

    @property
    def due(self) -> float | None:
        """Local time at which the minute counts as complete; None while nothing is gathered."""
        return self._due

    def add(self, bar: Bar, now_s: float) -> list[tuple[Bar, ...]]:
        """Take a bar at local time `now_s`; returns the minutes that it completes, oldest first.

        One of an older minute is given out by itself: it ends no minute.
        """
        if self._minute is not None and bar.start < self._minute:
            return [(bar,)]
        done = []
        if self._minute is not None and bar.start != self._minute:
            done.append(self.flush())
        if self._minute is None:
            self._minute = bar.start
            self._awaited = set(self._expected(bar.start))
        self._bars[bar.symbol] = bar
        self._awaited.discard(bar.symbol)
        self._due = now_s + self._quiet_s
        if not self._awaited:
            done.append(self.flush())
        return done

    def flush(self) -> tuple[Bar, ...]:
        """Give out what has been gathered."""
        bars = tuple(self._bars.values())
        self._bars, self._minute, self._due = {}, None, None
        return bars
