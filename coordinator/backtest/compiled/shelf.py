"""All tickers' bars in whole numbers, and what a session sees of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from coordinator.backtest.compiled.layout import Bars, Whole
from coordinator.backtest.compiled.scale import Scale
from coordinator.backtest.reels import MICRO, Reels, micros
from coordinator.core.session import SessionPlan
from coordinator.core.values import MINUTE
from coordinator.shell.history import FURTHEST
from coordinator.strategies.compiled import Histories
from simulator.columns import Columns
from simulator.fills import Spread

_MINUTE = MINUTE // MICRO


@dataclass(frozen=True, slots=True)
class Strip:
    """A ticker's bars: starts in microseconds, closes in ticks, volumes in any unit, prices."""

    columns: Columns
    starts: Whole
    ticks: Whole
    volumes: Whole
    counted: bool
    close: Whole
    buy: Whole
    sell: Whole


@dataclass(frozen=True, slots=True)
class Cut:
    """A session's part of the shelf: of each ticker the bars from `low` up to `high`.

    History begins at `old`; what nobody has seen of it, at `fresh`. `axis` are the starts of all
    minutes, of which the session's end restates the last one or not; `volatile` is the largest
    move of a close, as a part of the one before it.
    """

    strips: Sequence[Strip]
    old: Whole
    fresh: Whole
    low: Whole
    high: Whole
    axis: Whole
    restated: bool
    bars: Bars
    histories: Histories
    volatile: float

    @property
    def history(self) -> Whole:
        """How many bars before the session each ticker has."""
        return self.low - self.old

    def unseen(self) -> list[Columns]:
        """Each ticker's history that nobody has seen."""
        return self._taken(self.fresh, self.low)

    def session(self) -> list[Columns]:
        """Each ticker's bars of the session."""
        return self._taken(self.low, self.high)

    def _taken(self, begins: Whole, ends: Whole) -> list[Columns]:
        spans = zip(self.strips, begins.tolist(), ends.tolist(), strict=True)
        return [strip.columns.take(slice(begin, end)) for strip, begin, end in spans]


class Shelf:
    """The strips of some tickers, of one market.

    Raises TooLarge or OverflowError where 64 bits are too few.
    """

    def __init__(self, reels: Reels, tickers: Sequence[str], model: Spread) -> None:
        raw = [reels.strip(ticker) for ticker in tickers]
        decimals = raw[0].bars.decimals
        self.scale = scale = Scale.of([one.bars.close for one in raw], decimals, model)
        self.strips = []
        for one in raw:
            ticks = one.bars.close // int(10 ** (decimals - scale.ticks))
            counted = one.volumes is not None
            volumes = np.zeros(len(ticks), np.int64) if one.volumes is None else one.volumes
            unit = int(np.gcd.reduce(volumes)) if len(volumes) else 0
            volumes = volumes // unit if unit > 1 else volumes
            prices = (scale.price(ticks), *scale.fills(ticks))
            strip = Strip(one.bars, one.bars.starts, ticks, volumes, counted, *prices)
            self.strips.append(strip)
        self._counted = np.array([strip.counted for strip in self.strips])

    def cut(
        self, plan: SessionPlan, symbol: str, needs: Sequence[int], marks: Whole, seen: Whole
    ) -> Cut:
        """The session's part, with so many bars of history as each ticker needs.

        `marks` and the starts of the bars last `seen` are those when the session opens; `symbol`
        is of the market that all are of.
        """
        first, end = plan.first_bar(symbol), plan.last_end(symbol)
        assert first is not None, "the market has a session"
        assert end is not None, "the market has a session"
        edges = [micros(first), micros(end), micros(first - FURTHEST)]
        found = np.array([strip.starts.searchsorted(edges) for strip in self.strips])
        low, high = found[:, 0], found[:, 1]
        old = np.maximum(low - np.array(needs), found[:, 2])
        pairs = zip(self.strips, seen.tolist(), strict=True)
        unseen = np.array([strip.starts.searchsorted(last + 1) for strip, last in pairs])
        fresh = np.minimum(np.maximum(old, unseen), low)
        axis, minute = self._axis(low, high)
        lasts = [
            bool(h > b and strip.starts[h - 1] + _MINUTE == edges[1])
            for strip, b, h in zip(self.strips, low.tolist(), high.tolist(), strict=True)
        ]
        close = self._joined("close", low, high)
        until = np.cumsum(high - low)
        begin = until - (high - low)
        before = marks.copy()
        for place in np.flatnonzero(fresh < low).tolist():
            before[place] = self.strips[place].close[low[place] - 1]
        bars = Bars(
            close,
            self._joined("buy", low, high),
            self._joined("sell", low, high),
            minute,
            begin,
            until,
            until - 1 - np.array(lasts),
            marks,
            before,
            self._top(close, begin, until, before),
        )
        restated = bool(len(axis)) and int(axis[-1]) + _MINUTE == edges[1]
        histories = self._histories(old, low, high)
        moved = _volatile(close, begin, until, before)
        return Cut(self.strips, old, fresh, low, high, axis, restated, bars, histories, moved)

    def _joined(self, name: str, begins: Whole, ends: Whole) -> Whole:
        spans = zip(self.strips, begins.tolist(), ends.tolist(), strict=True)
        return np.concatenate([getattr(strip, name)[begin:end] for strip, begin, end in spans])

    def _axis(self, low: Whole, high: Whole) -> tuple[Whole, Whole]:
        """The starts of all minutes, and each bar's place among them."""
        spans = zip(self.strips, low.tolist(), high.tolist(), strict=True)
        parts = [strip.starts[begin:end] for strip, begin, end in spans]
        whole = parts[0]
        if all(len(part) == len(whole) and bool((part == whole).all()) for part in parts):
            return whole, np.tile(np.arange(len(whole)), len(parts))
        starts = np.concatenate(parts)
        axis = np.unique(starts)
        return axis, np.searchsorted(axis, starts)

    def _top(self, close: Whole, begin: Whole, end: Whole, before: Whole) -> Whole:
        top = np.maximum(before, 1)
        some = np.flatnonzero(end > begin)
        if len(some):
            top[some] = np.maximum(top[some], np.maximum.reduceat(close, begin[some]))
        return 2 * top  # a fill's price lies within a factor of two of its close

    def _histories(self, old: Whole, low: Whole, high: Whole) -> Histories:
        end = np.cumsum(high - old)
        begin = end - (high - old)
        ticks, volumes = self._joined("ticks", old, high), self._joined("volumes", old, high)
        return Histories(ticks, volumes, begin, begin + low - old, end, self._counted)


def _volatile(close: Whole, begin: Whole, end: Whole, before: Whole) -> float:
    """The largest move between two closes, as a part of the first; endless at a price of zero."""
    if not len(close):
        return 0.0
    some = end > begin
    past = np.empty_like(close)
    past[1:] = close[:-1]
    past[begin[some]] = np.where(before[some] > 0, before[some], close[begin[some]])
    if close.min() <= 0 or past.min() <= 0:
        return float("inf")
    return float((np.abs(close - past) / past).max())
