"""The steps of all lanes of a bank at once: a frame of bars in a few dozen calls over arrays.

What a step of `coordinator/strategies` does with one bar is done here for all lanes of a kind, with
whole ticks in 64 bits: the same operations in the same order, so signals are the same to the bit.
The caller keeps numbers within bounds (`core/bank_ticks.py`). Closes are relative to the ticker's
first one (`anchor`); comparisons of averages and deviations do not depend on the origin.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

import numpy as np
from numpy.typing import NDArray

from coordinator.core import bank_layout as b
from coordinator.core.bank_layout import ALL, Floats, Index, Ints, Layout, Pick, Signs, Stretch
from coordinator.core.lane_form import EXACT_FLOATS, MOST, NEAR, WIDTH, Kind, LaneForm


class Steps:
    """The state of lanes of these forms, sorted by ORDER; `rows` are their tickers' rows.

    `settle(lane)` decides exactly the zone of an RSI whose float is too near a bound.

    By row: `head` counts the bars taken, `anchor` is the first close in ticks, `nano` the units of
    1e-9 in a tick, `ring` has the closes, then the volumes, of the last `room` bars. By lane:
    `began` is the number of its first bar. `sums` are by tap, `squares` by lane with a deviation,
    `wilder` (average gains and losses) and `zone` (+1 below, -1 above, 0 between its bounds) by
    lane with an RSI.
    """

    def __init__(
        self, forms: Sequence[LaneForm], rows: Sequence[int], settle: Callable[[int], int]
    ) -> None:
        self.layout = layout = Layout(forms, rows)
        self._settle, self._tickers = settle, layout.tickers
        self.head, self.anchor, self.nano = (np.zeros(self._tickers, np.int64) for _ in range(3))
        self.began: Ints = np.zeros(len(forms), np.int64)
        self.signals: Signs = np.zeros(len(forms), np.int8)
        self.room = 1 + max(form.window for form in forms)
        self.ring: Ints = np.zeros((self.room, 2 * self._tickers), np.int64)
        self.flat = self.ring.reshape(-1)
        self.reach = layout.lag * self.ring.shape[1]
        self.sums: Ints = np.zeros(len(layout.lag), np.int64)
        self._set_rules(forms)
        self.find_ripe()

    def _set_rules(self, forms: Sequence[LaneForm]) -> None:
        span, whole = self.layout.span, np.zeros((WIDTH, len(forms)), np.int64)
        for lane, form in enumerate(forms):
            whole[: len(form.whole), lane] = form.whole
        self.numbers = {kinds: whole[:, span(kinds)].copy() for kinds in b.KINDS}
        own = forms[span(b.WILDERS)]
        self.period: Floats = np.array([form.period for form in own], np.float64)
        self.bounds: Floats = np.array([_bounds(form) for form in own]).reshape(-1, 4).T.copy()
        self.wilder: Floats = np.zeros((2, len(own)))
        self.zone: Signs = np.zeros(len(own), np.int8)
        self.squares: Ints = np.zeros(len(forms[span(b.DEVIATIONS)]), np.int64)
        self._need: Ints = np.array([_need(form) for form in forms], np.int64)
        full = [max(form.window, form.period + 1) for form in forms]
        self._bars_to_ripen: Ints = np.maximum(self._need, full)

    def find_ripe(self) -> None:
        """Find after how many bars every window on a ticker is full; call when `began` changed."""
        self.ripe: Ints = np.zeros(self._tickers, np.int64)
        np.maximum.at(self.ripe, self.layout.row, self.began + self._bars_to_ripen)

    def newest(self, row: int, count: int) -> tuple[list[int], list[int]]:
        """A ticker's newest closes and volumes, oldest first; `count` is at most its window."""
        head, first = int(self.head[row]), int(self.anchor[row])
        places = [at % self.room for at in range(head - count, head)]
        closes, volumes = (self.ring[places, at].tolist() for at in (row, row + self._tickers))
        return [close + first for close in closes], volumes

    def wilder_of(self, lane: int) -> tuple[tuple[float, float], int]:
        """Wilder's averages of a lane's RSI, and its zone; zeros for a lane without an RSI."""
        own = self.layout.span(b.WILDERS)
        if not own.start <= lane < own.stop:
            return (0.0, 0.0), 0
        first = own.start
        gain, loss = self.wilder[:, lane - first].tolist()
        return (gain, loss), int(self.zone[lane - first])

    def largest(self, row: int) -> tuple[int, int, int]:
        """A ticker's largest remembered close, distance from its first close, and volume."""
        closes, volumes = self.ring[:, row], self.ring[:, row + self._tickers]
        highest = int(closes.max()) + int(self.anchor[row])
        return highest, int(np.abs(closes).max()), int(volumes.max())

    def rescale(self, row: int, factor: int, lots: int) -> bool:
        """Multiply a ticker's remembered closes by `factor` and its volumes by `lots`.

        False: nothing was multiplied, because something would have become too large.
        """
        highest, _, loudest = self.largest(row)
        taps, squares = self._summed(row)
        sums = [abs(value) * factor for value in self.sums[taps].tolist()]
        sums += [value * factor**2 for value in self.squares[squares].tolist()]
        largest = max(highest * factor, loudest * lots)
        if largest >= EXACT_FLOATS or max(sums, default=0) >= MOST:
            return False
        self.ring[:, row] *= factor
        self.ring[:, row + self._tickers] *= lots
        self.sums[taps] *= factor
        self.sums[self.layout.tap_ends[b.VOLUME_TAP] :][
            self.layout.row[self.layout.span(b.ADAPTIVES)] == row
        ] *= lots
        self.squares[squares] *= factor**2
        self.anchor[row] *= factor
        return True

    def _summed(self, row: int) -> tuple[Ints, Ints]:
        """A ticker's taps of closes whose sums are used, and its places among `squares`."""
        groups = [self.layout.row[self.layout.span(kinds)] for kinds, _ in b.TAPS[1:-1]]
        taps = np.flatnonzero(np.concatenate(groups) == row) + self.layout.tap_ends[b.SHORT_TAP]
        return taps, np.flatnonzero(groups[-1] == row)

    def step(self, pick: Pick, closes: Ints, volumes: Ints) -> None:
        """Let the lanes take one bar of each ticker; closes are relative to the ticker's first."""
        rows, taps = pick.rows, pick.taps
        now = self.head[rows]
        self.head[rows] = now + 1
        at = now % self.room
        change = closes - self.ring[at - 1, rows]
        edge = at * (2 * self._tickers) + rows
        edge = np.concatenate((edge, edge + self._tickers))
        new = np.concatenate((closes, volumes))
        self.flat[edge] = new
        new = new.take(taps.places)
        old = self.flat.take(edge.take(taps.places) - self.reach[taps.own], mode="wrap")
        seen = None
        if (now < self.ripe[rows]).any():
            seen = now[pick.places] - self.began[pick.lanes]
            age = seen[taps.lanes]
            new, old = new * (age >= 0), old * (age >= self.layout.lag[taps.own])
        sums = _added(self.sums, taps.own, new - old)
        signals = np.ones(len(pick.places), np.int8)  # HOLD's signal; the others follow
        self._momenta(pick, new, old, signals)
        self._averages(pick, sums, signals)
        self._deviations(pick, new, old, sums, signals)
        zone = self._wilders(pick, change, seen)
        signals[pick.of(b.RSIS).mine] = zone[len(pick.of(b.ADAPTIVES).places) :]
        self._adaptives(pick, change, new, sums, zone, signals)
        if seen is not None:
            signals[seen + 1 < self._need[pick.lanes]] = 0
        self.signals[pick.lanes] = signals

    def _momenta(self, pick: Pick, new: Ints, old: Ints, signals: Signs) -> None:
        part = pick.of(b.MOMENTA)
        if not len(part.places):
            return
        unit, over, under = self.numbers[b.MOMENTA][1:4, part.own]
        first = self.anchor[pick.rows].take(part.places)
        close, then = new[part.mine] + first, old[part.mine] + first
        close *= unit
        signals[part.mine] = less(then * over, close) - less(close, then * under)

    def _averages(self, pick: Pick, sums: Ints, signals: Signs) -> None:
        part, taps = pick.of(b.AVERAGES), pick.taps
        if not len(part.places):
            return
        short, long = self.numbers[b.AVERAGES][:2, part.own]
        high, low = sums[taps.of(b.SHORT_TAP)] * long, sums[taps.of(b.LONG_TAP)] * short
        signals[part.mine] = less(low, high) - less(high, low)

    def _deviations(self, pick: Pick, new: Ints, old: Ints, sums: Ints, signals: Signs) -> None:
        part, mine = pick.of(b.DEVIATIONS), pick.taps.of(b.DEVIATION_TAP)
        if not len(part.places):
            return
        numbers = self.numbers[b.DEVIATIONS][:, part.own]
        close, then, total = new[mine], old[mine], sums[mine]
        squares = _added(self.squares, part.own, (close - then) * (close + then))
        distance = numbers[0] * close - total
        variance = numbers[0] * squares - total * total
        end, said = len(pick.of(b.REVERSIONS).places), signals[part.mine]
        said[:end] = reversion_signals(distance[:end], variance[:end], numbers[:, :end])
        if end < len(said):
            said[end:] = band_signals(distance[end:], variance[end:], numbers[:, end:])

    def _wilders(self, pick: Pick, change: Ints, seen: Ints | None) -> Signs:
        """Update the RSIs; returns their zones. Before the seed, Wilder's averages are sums."""
        part = pick.of(b.WILDERS)
        if not len(part.places):
            return self.zone[:0]
        moved, taken = (change != 0).take(part.places), self._moves(pick, change)
        period = by = self.period[part.own]
        fade = period - 1
        if seen is not None:
            age = seen[part.mine]
            taken *= age >= 1
            fade, by = np.where(age > period, fade, 1.0), np.where(age >= period, period, 1.0)
        both = self.wilder[:, part.own]
        both *= fade
        both += taken
        both /= by
        if part.own is not ALL:
            self.wilder[:, part.own] = both
        total = both[0] + both[1]
        if seen is not None:
            moved = np.where(age > period, moved, (age == period) & (total > 0))
        with np.errstate(invalid="ignore"):
            rsi = both[0] / total
        rsi *= 100.0
        return self._zones(part, rsi, moved)

    def _moves(self, pick: Pick, change: Ints) -> Floats:
        """Gains and losses in units of 1e-9."""
        exact = (change * self.nano[pick.rows]).astype(np.float64)
        moves = np.empty((2, len(exact)))
        np.maximum(exact, 0.0, out=moves[0])
        np.subtract(moves[0], exact, out=moves[1])
        return moves.take(pick.of(b.WILDERS).places, axis=1)

    def _zones(self, part: Stretch, rsi: Floats, moved: NDArray[np.bool_]) -> Signs:
        """Each RSI's zone now. One that has not moved keeps its zone: its float may still drift."""
        passed = np.add.reduce(rsi > self.bounds[:, part.own], axis=0, dtype=np.int8)
        zone = self.zone[part.own]
        np.copyto(zone, 1 - (passed >> 1), where=moved)
        passed &= moved
        if part.own is not ALL:
            self.zone[part.own] = zone
        if passed.any():
            first = self.layout.span(b.WILDERS).start
            for at in np.flatnonzero(passed).tolist():
                own = at if part.own is ALL else int(part.own[at])
                zone[at] = self.zone[own] = self._settle(first + own)
        return zone

    def _adaptives(
        self, pick: Pick, change: Ints, new: Ints, sums: Ints, zone: Signs, signals: Signs
    ) -> None:
        part, mine = pick.of(b.ADAPTIVES), pick.taps.of(b.VOLUME_TAP)
        if not len(part.places):
            return
        loud = new[mine] * self.numbers[b.ADAPTIVES][3, part.own] > sums[mine]
        votes = (less(0, change) - less(change, 0)).take(part.places)
        votes *= loud
        votes += zone[: len(votes)]
        votes += signals[part.mine]
        signals[part.mine] = less(1, votes) - less(votes, -1)


def _added(values: Ints, own: Index, more: Ints) -> Ints:
    """Add to these places of `values`; returns the sums."""
    found = values[own]
    found += more
    if own is not ALL:
        values[own] = found
    return found


def less(one: Ints | Signs | int, other: Ints | Signs | int) -> Signs:
    """1 where one is less than the other, else 0."""
    return cast(Signs, np.less(one, other).view(np.int8))


def reversion_signals(distance: Ints, variance: Ints, numbers: Ints) -> Signs:
    """Mean reversion's signals for distances from the average and variances."""
    _, enter, of_enter, leave, of_leave = numbers
    square, below = distance * distance, distance < 0
    long = below & (square * of_enter > enter * variance)
    flat = below & (square * of_leave < leave * variance)
    flat |= distance + (leave > 0) > 0
    said: Signs = long.view(np.int8) - (flat & ~long).view(np.int8)
    return said


def band_signals(distance: Ints, variance: Ints, numbers: Ints) -> Signs:
    """The signals of Bollinger bands for the same."""
    beyond = distance * distance * numbers[2] > numbers[1] * variance
    said: Signs = (less(distance, 0) - less(0, distance)) * beyond
    return said


def _need(form: LaneForm) -> int:
    """Bars that a lane must have seen before its signal can be other than 0."""
    match form.kind:
        case Kind.MOMENTUM:
            return form.whole[0] + 1
        case Kind.CROSSING:
            return form.whole[1]
        case Kind.ADAPTIVE:
            return max(form.whole[1], form.period + 1, form.whole[3])
        case Kind.RSI:
            return 0
        case Kind.HOLD:
            return 1
        case Kind.REVERSION | Kind.BANDS:
            return form.whole[0]
        case Kind.MACD | Kind.BREAKOUT | Kind.VWAP:
            raise AssertionError(f"a bank does not step {form.kind}")


def _bounds(form: LaneForm) -> tuple[float, float, float, float]:
    """Four bounds: between the first two, and between the last two, a float RSI is not trusted."""
    first, last = form.real_bounds
    after, before = first + NEAR, last - NEAR
    if after > before:
        after = before = (first + last) / 2
    return first - NEAR, after, before, last + NEAR
