"""The lanes whose steps are compiled, as arrays: all lanes of a frame are fed in one call.

Lanes stand by ticker; a ticker's closes and volumes are remembered once, in whole ticks of its own.
A value that is finer makes the ticks finer; one that is beyond what 64 bits hold ends that: the
ticker's lanes are given up, and their steps go on from where they stood.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Protocol, cast

import numpy as np
from numpy.typing import NDArray

from coordinator.core.lane_arrays import Lanes, Tickers
from coordinator.core.lane_form import (
    EXACT,
    KEPT,
    LEAST_PLACES,
    MOST,
    NEAR,
    PLACES,
    WIDTH,
    Kind,
    LaneForm,
    Past,
    in_ticks,
    places_of,
)
from coordinator.core.values import Bar, WireBar

Ints = NDArray[np.int64]
WRITTEN = 10.0**15
"""A float below it, in ticks, is the one that its decimal is written as."""


class Seated(Protocol):
    """What the bank must know of a lane."""

    @property
    def history_bars(self) -> int:
        """Bars of history that it takes."""


class Bank:
    """`lanes` have a ticker and a form each, those of one ticker together; a row is a ticker's."""

    def __init__(self, lanes: Sequence[tuple[Seated, str, LaneForm]]) -> None:
        from coordinator.core import compiled

        self._kernel = compiled
        self._lanes = [lane for lane, _, _ in lanes]
        self._forms = [form for _, _, form in lanes]
        self.tickers = list(dict.fromkeys(ticker for _, ticker, _ in lanes))
        self._row = {ticker: row for row, ticker in enumerate(self.tickers)}
        places = np.array([self._row[ticker] for _, ticker, _ in lanes])
        self._first: Ints = np.searchsorted(places, np.arange(len(self.tickers) + 1))
        self._given_up: set[int] = set()
        self._set_parameters()
        self._set_state()
        self.reseat([])

    def _set_parameters(self) -> None:
        count = len(self._forms)
        self._kind = np.array([form.kind.value for form in self._forms], np.int64)
        self._whole, self._real = np.zeros((count, WIDTH), np.int64), np.zeros((count, 3))
        for lane, form in enumerate(self._forms):
            self._whole[lane, : len(form.whole)] = form.whole
            self._real[lane] = *form.real_bounds, NEAR

    def _set_state(self) -> None:
        count, tickers = len(self._forms), len(self.tickers)
        room = 1 << max(form.window for form in self._forms).bit_length()
        self._ring, self._lots = (np.zeros((tickers, room), np.int64) for _ in range(2))
        self._head, self._anchor, self._nano = (np.zeros(tickers, np.int64) for _ in range(3))
        self._skip, self._seen, self._began = (np.zeros(count, np.int64) for _ in range(3))
        self._sums, self._wilder = np.zeros((count, 5), np.int64), np.zeros((count, 2))
        self._zone, self._doubt, self._rest, self.signals = (
            np.zeros(count, np.int8) for _ in range(4)
        )
        rings = (self._ring, self._lots, self._head, self._anchor, self._nano)
        self._by_ticker = Tickers(self._first, *rings)
        self._by_lane = Lanes(
            self._kind,
            self._whole,
            self._real,
            self._skip,
            self._seen,
            self._sums,
            self._wilder,
            self._zone,
            self._doubt,
            self._rest,
            self.signals,
        )
        self._since: dict[int, array[int]] = {}
        self._places = np.full((tickers, 2), LEAST_PLACES)
        self._limits, self._scale = np.zeros((tickers, 3), np.int64), np.zeros((tickers, 2))
        for row in range(tickers):
            self._limit(row)
            if any(self._forms[lane].period for lane in self._of(row)):
                self._since[row] = array("q")
        self._kept = [
            max(self._lanes[n].history_bars + max(KEPT, self._forms[n].period) for n in self._of(r))
            for r in range(tickers)
        ]
        """Closes of a ticker that an RSI may have to be told from exactly."""

    def warm(self, ticker: str, history: Sequence[Bar]) -> bool:
        """Feed the bars from before the session, each lane its own length.

        False: nothing was fed, and the ticker's lanes must be given up.
        """
        row = self._row.get(ticker, -1)
        if row < 0 or row in self._given_up:
            return True
        lanes = self._of(row)
        longest = min(len(history), max(self._lanes[lane].history_bars for lane in lanes))
        bars = history[len(history) - longest :]
        for lane in lanes:
            self._skip[lane] = max(0, longest - self._lanes[lane].history_bars)
            self._began[lane] = len(self._since.get(row, ())) + self._skip[lane]
        return not bars or not self._feed_exactly(np.full(len(bars), row), bars)

    def feed(self, bars: Sequence[Bar]) -> set[str]:
        """Feed bars, a ticker's at most one; returns the tickers whose lanes must be given up."""
        known = [(row, bar) for bar in bars if (row := self._row.get(bar.symbol, -1)) >= 0]
        known = [one for one in known if one[0] not in self._given_up]
        return {self.tickers[row] for row in self._feed_known(known)} if known else set()

    def _feed_known(self, known: Sequence[tuple[int, Bar]]) -> set[int]:
        rows = np.array([row for row, _ in known])
        mine = [bar for _, bar in known]
        try:
            found = [cast(WireBar, bar).numbers for bar in mine]
        except AttributeError:  # some are decimals
            return self._feed_exactly(rows, mine)
        values = np.array([(one[3], one[4]) for one in found], np.float64)
        scale = self._scale[rows]
        ticks = np.rint(values * scale)
        if not ((ticks / scale == values) & (ticks < WRITTEN)).all():
            return self._feed_exactly(rows, mine)
        return self._feed(rows, ticks[:, 0].astype(np.int64), ticks[:, 1].astype(np.int64))

    def _feed_exactly(self, rows: Ints, bars: Sequence[Bar]) -> set[int]:
        """The same from decimals, with finer ticks where they are needed."""
        lost = set()
        for row in set(rows.tolist()):
            own = [bar for at, bar in zip(rows.tolist(), bars, strict=True) if at == row]
            pairs = [(bar.close, bar.volume) for bar in own]
            finest = [max(map(places_of, column)) for column in zip(*pairs, strict=True)]
            if max(finest) > PLACES or not self._refine(row, finest):
                lost.add(row)
        keep = [at for at, row in enumerate(rows.tolist()) if row not in lost]
        if not keep:
            return lost
        rows = rows[keep]
        whole = [
            [in_ticks(value, int(self._places[row, n])) for n, value in enumerate(pair)]
            for row, bar in zip(rows.tolist(), [bars[at] for at in keep], strict=True)
            for pair in [(bar.close, bar.volume)]
        ]
        beyond = {row for row, pair in zip(rows.tolist(), whole, strict=True) if max(pair) >= EXACT}
        keep = [at for at, row in enumerate(rows.tolist()) if row not in beyond]
        ticks = np.array([whole[at] for at in keep], np.int64).reshape(-1, 2)
        return lost | beyond | self._feed(rows[keep], ticks[:, 0], ticks[:, 1])

    def _feed(self, rows: Ints, closes: Ints, volumes: Ints) -> set[int]:
        for row in rows[self._head[rows] == 0].tolist():
            self._anchor[row] = closes[rows == row][0]
        limits = self._limits[rows]
        outside = (closes > limits[:, 0]) | (volumes > limits[:, 2])
        outside |= np.abs(closes - self._anchor[rows]) > limits[:, 1]
        lost = set(rows[outside].tolist()) if outside.any() else set()
        if lost:
            inside = np.array([row not in lost for row in rows.tolist()])
            rows, closes, volumes = rows[inside], closes[inside], volumes[inside]
        for row, close in zip(rows.tolist(), closes.tolist(), strict=True):
            since = self._since.get(row)
            if since is not None and len(since) < self._kept[row]:
                since.append(close * int(self._nano[row]))
        self._kernel.step(rows, closes, volumes, self._by_ticker, self._by_lane)
        if self._doubt.any():
            for lane in np.flatnonzero(self._doubt).tolist():
                self._settle(lane)
        return lost

    def on(self, ticker: str) -> range:
        """The lanes on a ticker."""
        return self._of(self._row[ticker])

    def give_up(self, ticker: str) -> None:
        """Feed this ticker's lanes no more."""
        row = self._row[ticker]
        self._given_up.add(row)
        self.signals[self._first[row] : self._first[row + 1]] = 0

    def past(self, lane: int) -> Past:
        """Where a lane stands."""
        row, form = int(np.searchsorted(self._first, lane, "right")) - 1, self._forms[lane]
        newest, seen = int(self._head[row]), int(self._seen[lane])
        places = [
            at & (self._ring.shape[1] - 1) for at in range(newest - min(seen, form.window), newest)
        ]
        nano, lots = int(self._nano[row]), 10 ** (PLACES - int(self._places[row, 1]))
        return Past(
            [int(self._ring[row, at]) * nano for at in places],
            [int(self._lots[row, at]) * lots for at in places],
            seen,
            (float(self._wilder[lane, 0]), float(self._wilder[lane, 1])),
            int(self._zone[lane]),
            self._changes(row, lane),
        )

    def reseat(self, ranks: Sequence[Sequence[int]]) -> None:
        """Which strategies each lane serves, by rank; all are stirred then, and nobody sated."""
        served = [*ranks, *([()] * (len(self._forms) - len(ranks)))]
        self._seats = np.cumsum([0, *map(len, served)])
        self._rank_of = np.array([rank for each in served for rank in each], np.int64)
        places = np.repeat(np.arange(len(self._forms)), [len(each) for each in served])
        of = (np.searchsorted(self._first, places, "right") - 1).tolist()
        self._seat = {
            (rank, self.tickers[row]): seat
            for seat, (rank, row) in enumerate(zip(self._rank_of.tolist(), of, strict=True))
        }
        self.sated = bytearray(len(self._rank_of))

    def sate(self, rank: int, ticker: str, *, sated: bool) -> None:
        """Whether a strategy has what it wants of a ticker."""
        seat = self._seat.get((rank, ticker))
        if seat is not None:
            self.sated[seat] = sated

    def wishing(self, symbols: Iterable[str], stirred: bytearray) -> list[int]:
        """Whom a wish of the lanes on these tickers may move, by rank."""
        rows = [row for s in symbols if (row := self._row.get(s, -1)) >= 0]
        if not rows or not len(self._rank_of):
            return []
        asked = np.zeros(len(stirred), np.int8)
        self._kernel.wishing(
            np.array(rows),
            self._first,
            self.signals,
            self._seats,
            self._rank_of,
            np.frombuffer(self.sated, np.int8),
            np.frombuffer(stirred, np.int8),
            asked,
        )
        return np.flatnonzero(asked).tolist()

    def _of(self, row: int) -> range:
        """The lanes of a ticker."""
        return range(int(self._first[row]), int(self._first[row + 1]))

    def _limit(self, row: int) -> None:
        """How large a close, its distance from the first one, and a volume may be, in ticks."""
        nano = 10 ** (PLACES - int(self._places[row, 0]))
        forms = [self._forms[lane] for lane in self._of(row)]
        self._limits[row] = np.min([form.limits(nano) for form in forms], axis=0)
        self._nano[row], self._scale[row] = nano, 10.0 ** self._places[row]

    def _refine(self, row: int, finest: Sequence[int]) -> bool:
        """Make a ticker's ticks as fine as that; whether they can be."""
        can, refined = True, False
        for column, (places, ring) in enumerate(zip(finest, (self._ring, self._lots), strict=True)):
            finer = places - int(self._places[row, column])
            if finer <= 0:
                continue
            factor = 10**finer
            if not self._rescale(row, column, factor, int(ring[row].max()) * factor):
                can = False
                break
            ring[row] *= factor
            self._places[row, column] = places
            refined = True
        self._limit(row)
        return can and not (refined and self._exceeds(row))

    def _exceeds(self, row: int) -> bool:
        """Whether something that is remembered of a ticker is too large for its finer ticks."""
        known = slice(min(int(self._head[row]), self._ring.shape[1]))
        closes, volumes = self._ring[row, known], self._lots[row, known]
        spread = np.abs(closes - self._anchor[row]).max(initial=0)
        largest = closes.max(initial=0), spread, volumes.max(initial=0)
        return bool((np.array(largest) > self._limits[row]).any())

    def _rescale(self, row: int, column: int, factor: int, largest: int) -> bool:
        """Multiply what the lanes remember; nothing is if one value would be too large."""
        own = slice(int(self._first[row]), int(self._first[row + 1]))
        if largest >= EXACT:
            return False
        if column:
            self._sums[own, 2] *= factor
            return True
        squares = np.isin(self._kind[own], (Kind.REVERSION.value, Kind.BANDS.value))
        factors = np.stack((np.full(len(squares), factor), np.where(squares, factor**2, factor)), 1)
        sums = zip(self._sums[own, :2].ravel().tolist(), factors.ravel().tolist(), strict=True)
        if max(abs(value) * by for value, by in sums) >= MOST:
            return False
        self._sums[own, :2] *= factors
        self._anchor[row] *= factor
        return True

    def _changes(self, row: int, lane: int) -> list[int]:
        """The changes of a ticker's close since a lane began, as far as they are kept."""
        since, began = self._since.get(row), int(self._began[lane])
        if since is None:
            return []
        kept = since[began : began + max(KEPT, self._forms[lane].period) + 1]
        return [after - before for before, after in pairwise(kept)]

    def _settle(self, lane: int) -> None:
        """Decide exactly where the float of an RSI cannot, as a step does."""
        row, form = int(np.searchsorted(self._first, lane, "right")) - 1, self._forms[lane]
        low, high = form.bounds
        if int(self._seen[lane]) - 1 > max(KEPT, form.period):
            gain, loss = self._wilder[lane].tolist()
            rsi = 100.0 * (gain / (gain + loss))
            zone = (rsi < low) - (rsi > high)
        else:
            assert form.side is not None, "a form with bounds can tell their sides"
            changes = self._changes(row, lane)
            below, above = (form.side(changes, form.period, Fraction(one)) for one in form.bounds)
            zone = (below < 0) - (above > 0)
        self._zone[lane], self._doubt[lane] = zone, 0
        votes = int(self._rest[lane])
        if form.kind is Kind.RSI:
            self.signals[lane] = zone
        elif votes != self._kernel.NOT_READY:
            self.signals[lane] = (votes + zone >= 2) - (votes + zone <= -2)
