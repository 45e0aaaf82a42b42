"""A minute's bars, gathered until they can be decided on together.

Bars of one minute come in any order and in any number of frames. A minute is complete when every
ticker that can have a bar has sent one, when a bar of a later minute comes, or when nothing has
come for a moment: a quiet ticker sends no bar at all. A ticker that only shadows want keeps nobody
waiting.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from coordinator.core.values import Bar, start_of, symbol_of


class Gatherer:
    """Collects bars by minute. `expected` tells the tickers that can have a bar of a minute.

    Of those, `watched` tells the ones that nothing live is decided on: a minute is given out
    without waiting for them, and what then comes of them is given out as the rest of it.
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
        self._due: float | None = None
        self.awaits_rest = False
        """Whether a minute was given out, and those who only watch it are still waited for."""

    @property
    def due(self) -> float | None:
        """Local time at which the minute counts as complete; None while nothing is gathered."""
        return self._due

    def add(self, bars: Sequence[Bar], now_s: float) -> list[tuple[Bar, ...]]:
        """Take bars at local time `now_s`; returns the minutes that they complete, oldest first.

        One of an older minute is given out by itself: it ends no minute.
        """
        by_symbol = dict(zip(map(symbol_of, bars), bars, strict=True))
        if len(by_symbol) == len(bars) and len(set(map(start_of, bars))) == 1:
            return self._add(bars[0].start, by_symbol, now_s)
        return [m for bar in bars for m in self._add(bar.start, {bar.symbol: bar}, now_s)]

    def _add(self, start: datetime, bars: dict[str, Bar], now_s: float) -> list[tuple[Bar, ...]]:
        """Take bars of one minute, by their symbols, and keep what has them."""
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
        self._due = now_s + self._quiet_s
        if not self._rest and not self._awaited:
            done.append(self.flush())
        elif not self._awaited and not self.awaits_rest:
            done.append(tuple(self._bars.values()))
            self._bars, self.awaits_rest = {}, True
        return [minute for minute in done if minute]

    def flush(self) -> tuple[Bar, ...]:
        """Give out what has been gathered."""
        bars = tuple(self._bars.values())
        self._bars, self._minute, self._due, self.awaits_rest = {}, None, None, False
        return bars
