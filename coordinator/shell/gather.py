"""Gathers a minute's bars until they can be decided on together.

Bars of one minute arrive in any order and in any number of frames. A minute is complete when every
ticker that can have a bar has sent one, when a bar of a later minute arrives, or when nothing has
arrived for a moment: a ticker without trades sends no bar. Tickers that only shadows trade are not
waited for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from coordinator.core.values import Bar, start_of, symbol_of


class Gatherer:
    """Collects bars by minute; `expected` returns the tickers that can have a bar of a minute.

    `watched` returns those of them that only shadows trade: a minute is released without waiting
    for them, and their bars that arrive later are released as the rest of it.
    """

    def __init__(
        self,
        expected: Callable[[datetime], frozenset[str]],
        quiet_s: float,
        watched: Callable[[datetime], frozenset[str]] = lambda _: frozenset(),
    ) -> None:
        self._expected, self._watched = expected, watched
        self._quiet_s = quiet_s
        self._bars: dict[str, Bar] = {}
        self._awaited: set[str] = set()
        self._rest: set[str] = set()
        self._minute: datetime | None = None
        self._due_s: float | None = None
        self.awaits_rest = False
        """Whether a minute was released, and bars of it for shadows may still arrive."""

    @property
    def due_s(self) -> float | None:
        """Local time at which the minute counts as complete; None while nothing is gathered."""
        return self._due_s

    def add(self, bars: Sequence[Bar], now_s: float) -> list[tuple[Bar, ...]]:
        """Take bars at local time `now_s`; returns the minutes that they complete, oldest first.

        A bar of an older minute is returned by itself: it completes none.
        """
        by_symbol = dict(zip(map(symbol_of, bars), bars, strict=True))
        if len(by_symbol) == len(bars) and len(set(map(start_of, bars))) == 1:
            return self._add(bars[0].start, by_symbol, now_s)
        return [m for bar in bars for m in self._add(bar.start, {bar.symbol: bar}, now_s)]

    def _add(self, start: datetime, bars: dict[str, Bar], now_s: float) -> list[tuple[Bar, ...]]:
        """Take bars of one minute, by symbol; the dictionary is kept."""
        if self._minute is not None and start < self._minute:
            return [(bar,) for bar in bars.values()]
        done = []
        if self._minute is not None and start != self._minute:
            done.append(self.flush())
        if self._minute is None:
            watched = self._watched(start)
            self._minute, self._bars = start, bars
            self._rest = set(watched - bars.keys())
            self._awaited = set(self._expected(start).difference(bars, watched))
        else:
            self._bars |= bars
            self._awaited.difference_update(bars)
            self._rest.difference_update(bars)
        self._due_s = now_s + self._quiet_s
        if not self._rest and not self._awaited:
            done.append(self.flush())
        elif not self._awaited and not self.awaits_rest:
            done.append(tuple(self._bars.values()))
            self._bars, self.awaits_rest = {}, True
        return [minute for minute in done if minute]

    def flush(self) -> tuple[Bar, ...]:
        """End the minute and return what has been gathered of it."""
        bars = tuple(self._bars.values())
        self._bars, self._minute, self._due_s, self.awaits_rest = {}, None, None, False
        return bars
