"""All tickers' bars in whole numbers, one after another, and the part that a session uses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from coordinator.backtest.compiled import spans
from coordinator.backtest.compiled.layout import Bars, Histories, Span, Whole
from coordinator.backtest.compiled.scale import Scale
from coordinator.backtest.reels import MICRO, Reels, micros
from coordinator.core.session import SessionPlan
from coordinator.core.values import MINUTE
from coordinator.shell.history import FURTHEST
from simulator.columns import Columns
from simulator.fills import Spread

_MINUTE = MINUTE // MICRO
_NONE: Whole = np.zeros(0, np.int64)


@dataclass(frozen=True, slots=True)
class Cut:
    """A session's part of the arrays: of each ticker the bars from `span.begin` up to `span.end`.

    History begins at `old`, the part that no session has seen at `fresh`. `first` is the session's
    first minute on the arrays' axis; `axis` are the starts of its minutes, the last of which is
    `restated` by the session's end or not. `volatile` is the largest move of a close, as a
    fraction; `marks` and `seen` are the last closes and the starts of the last bars at the end.
    """

    arrays: BarArrays
    old: Whole
    fresh: Whole
    span: Span
    first: int
    axis: Whole
    restated: bool
    volatile: float
    marks: Whole
    seen: Whole

    @property
    def bars(self) -> Bars:
        """All bars."""
        return self.arrays.bars

    @property
    def history(self) -> Whole:
        """The number of bars before the session, by ticker."""
        return self.span.begin - self.old

    def histories(self, *, ranged: bool) -> Histories:
        """History and session, for rules that judge both at once; highs and lows if `ranged`."""
        arrays, span = self.arrays, self.span
        highs, lows, finer = arrays.ranges if ranged else (_NONE, _NONE, 1)
        return Histories(
            closes=arrays.ticks,
            highs=highs,
            lows=lows,
            volumes=arrays.volumes,
            begin=self.old,
            first=span.begin,
            end=span.end,
            counted=arrays.counted,
            dollar=10.0**arrays.scale.ticks,
            finer=finer,
        )

    def unseen(self) -> list[Columns]:
        """Each ticker's history that no session has seen."""
        return self.arrays.columns(self.fresh, self.span.begin)

    def session(self) -> list[Columns]:
        """Each ticker's bars of the session."""
        return self.arrays.columns(self.span.begin, self.span.end)


class BarArrays:
    """The bars of some tickers, of one market: those of ticker t are `of[t]` up to `of[t + 1]`.

    `ticks` are the closes, `volumes` whole numbers of any unit, known for `counted` tickers; `axis`
    has the starts of all minutes.

    Raises TooLarge or OverflowError if 64 bits are too few.
    """

    def __init__(self, reels: Reels, tickers: Sequence[str], model: Spread) -> None:
        strips = [reels.strip(ticker) for ticker in tickers]
        self._columns = [strip.bars for strip in strips]
        decimals = strips[0].bars.decimals
        self.of: Whole = np.cumsum([0, *map(len, self._columns)])
        self._starts = np.concatenate([one.starts for one in self._columns])
        closes = np.concatenate([one.close for one in self._columns])
        needed = spans.decimals_of(closes, decimals)
        self.scale = scale = Scale.of(needed, model)
        self.ticks = closes // int(10 ** (decimals - scale.ticks)) if decimals > needed else closes
        self.counted = np.array([strip.volumes is not None for strip in strips])
        self.volumes = np.concatenate(
            [
                np.zeros(len(strip.bars), np.int64) if strip.volumes is None else strip.volumes
                for strip in strips
            ]
        )
        spans.shorten(self.volumes, self.of)
        self.axis, minute = self._lined_up()
        self.bars = Bars(scale.price(self.ticks), *scale.fills(self.ticks), minute)

    @cached_property
    def ranges(self) -> tuple[Whole, Whole, int]:
        """Highs and lows in a unit finer than ticks, and how many of it make a tick."""
        decimals, ticks = self._columns[0].decimals, self.scale.ticks
        prices = [
            np.concatenate([one.high for one in self._columns]),
            np.concatenate([one.low for one in self._columns]),
        ]
        needed = max(ticks, *(spans.decimals_of(each, decimals) for each in prices))
        unit = int(10 ** (decimals - needed))
        highs, lows = (each // unit if unit > 1 else each for each in prices)
        return highs, lows, int(10 ** (needed - ticks))

    def cut(self, plan: SessionPlan, symbol: str, needs: Whole, marks: Whole, seen: Whole) -> Cut:
        """The session's part, with the bars of history that each ticker `needs`.

        `marks` and `seen`, the starts of the last bars, are those at the opening; `symbol` is any
        ticker of the market.
        """
        first, end = plan.first_bar(symbol), plan.last_end(symbol)
        assert first is not None, "the market has a session"
        assert end is not None, "the market has a session"
        edges = np.array([micros(first - FURTHEST), micros(first), micros(end)])
        found, volatile = spans.session_spans(
            self._starts, self.bars.close, self.of, edges, needs, marks, seen
        )
        old, fresh, begin, until, last, before, top, newest, newest_at = found
        low, high = np.searchsorted(self.axis, edges[1:]).tolist()
        axis = self.axis[low:high]
        restated = high > low and int(axis[-1]) + _MINUTE == int(edges[2])
        return Cut(
            arrays=self,
            old=old,
            fresh=fresh,
            span=Span(begin, until, last, marks, before, top),
            first=low,
            axis=axis,
            restated=restated,
            volatile=volatile,
            marks=newest,
            seen=newest_at,
        )

    def columns(self, begins: Whole, ends: Whole) -> list[Columns]:
        """The bars of each ticker between two places."""
        own = zip(self._columns, self.of.tolist(), begins.tolist(), ends.tolist(), strict=False)
        return [one.take(slice(begin - of, end - of)) for one, of, begin, end in own]

    def _lined_up(self) -> tuple[Whole, Whole]:
        """The starts of all minutes, and each bar's place among them."""
        first = self._columns[0].starts
        if all(np.array_equal(one.starts, first) for one in self._columns):
            return first, np.tile(np.arange(len(first)), len(self._columns))
        axis = np.unique(self._starts)
        return axis, np.searchsorted(axis, self._starts)
