"""Where the lanes of a bank are in its arrays, and which of them a frame of bars concerns.

Lanes are sorted by kind (`ORDER`), so that kinds with something in common are one slice. A *tap* is
a lane's view of a window: its ticker's close or volume of a window ago, and the sum since then.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coordinator.core.lane_form import Kind, LaneForm

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Signs = NDArray[np.int8]
Index = Any
"""A slice where all lanes are meant, so that nothing is copied; else an array of places."""
Kinds = tuple[int, int]
"""A range of places in ORDER: the first, and the one after the last."""
ORDER = (
    Kind.MOMENTUM,
    Kind.CROSSING,
    Kind.ADAPTIVE,
    Kind.RSI,
    Kind.REVERSION,
    Kind.BANDS,
    Kind.HOLD,
)
"""Kinds with averages are next to each other, and so are those with an RSI or a deviation."""
MOMENTA, AVERAGES, ADAPTIVES, WILDERS, DEVIATIONS = (0, 1), (1, 3), (2, 3), (2, 4), (4, 6)
RSIS, REVERSIONS, HOLDS = (3, 4), (4, 5), (6, 7)
TAPS = ((MOMENTA, 0), (AVERAGES, 0), (AVERAGES, 1), (DEVIATIONS, 0), (ADAPTIVES, 3))
"""Each group of taps: its lanes' kinds, and which of `LaneForm.whole` is the window. The last group
reads volumes, the others closes."""
MOMENTUM_TAP, SHORT_TAP, LONG_TAP, DEVIATION_TAP, VOLUME_TAP = range(len(TAPS))
"""The groups' places in TAPS."""
ALL = slice(None)
KINDS = (MOMENTA, AVERAGES, ADAPTIVES, WILDERS, RSIS, DEVIATIONS, REVERSIONS, HOLDS)


@dataclass(frozen=True, slots=True)
class Stretch:
    """A frame's lanes of neighbouring kinds.

    `mine` is their slice of the frame's lanes, `own` their index in arrays of these kinds alone,
    `places` the place of each one's ticker in the frame.
    """

    mine: slice
    own: Index
    places: Ints


@dataclass(frozen=True, slots=True)
class Taps:
    """The taps of a frame's lanes, in the groups of TAPS, which end at `ends`.

    `own` is their index among all taps, `places` where each reads in the frame's closes and volumes
    (one array, closes first), `lanes` the place of its lane among the frame's lanes.
    """

    own: Index
    places: Ints
    lanes: Ints
    ends: tuple[int, ...]

    def of(self, tap: int) -> slice:
        """The slice of one group."""
        return slice(self.ends[tap], self.ends[tap + 1])


@dataclass(frozen=True, slots=True)
class Pick:
    """The lanes that a frame of bars concerns, of tickers on `rows`.

    `places` is the place of each lane's ticker in the frame.
    """

    rows: Ints
    lanes: Index
    places: Ints
    stretches: dict[Kinds, Stretch]
    taps: Taps

    def rows_on(self, tickers: int) -> NDArray[np.bool_] | None:
        """For each of all tickers' rows, whether it is in the frame; None if all lanes are."""
        if self.lanes is ALL:
            return None
        on = np.zeros(tickers, np.bool_)
        on[self.rows] = True
        return on

    def of(self, kinds: Kinds) -> Stretch:
        """The lanes of these kinds."""
        return self.stretches[kinds]


class Layout:
    """The places of lanes of these forms, sorted by ORDER; `rows` are their tickers' rows."""

    def __init__(self, forms: Sequence[LaneForm], rows: Sequence[int]) -> None:
        self.row: Ints = np.array(rows, np.int64)
        self.tickers = 1 + max(rows)
        places = np.array([ORDER.index(form.kind) for form in forms])
        self._ends = tuple(np.searchsorted(places, np.arange(len(ORDER) + 1)).tolist())
        windows = [[form.whole[n] for form in forms[self.span(kinds)]] for kinds, n in TAPS]
        self.tap_ends: tuple[int, ...] = (0, *accumulate(map(len, windows)))
        self.lag: Ints = np.array([window for group in windows for window in group], np.int64)
        """The window of each tap, in bars."""

    def span(self, kinds: Kinds) -> slice:
        """The lanes of these kinds."""
        return slice(self._ends[kinds[0]], self._ends[kinds[1]])

    def pick(self, rows: Ints) -> Pick:
        """The lanes on these rows of tickers; no row may be named twice."""
        place = np.full(self.tickers, -1, np.int64)
        place[rows] = np.arange(len(rows))
        places = place[self.row]
        found = np.flatnonzero(places >= 0)
        all_lanes = len(found) == len(places)
        ends = np.searchsorted(found, self._ends).tolist()
        stretches = {}
        for kinds in KINDS:
            mine = slice(ends[kinds[0]], ends[kinds[1]])
            own = ALL if all_lanes else found[mine] - self._ends[kinds[0]]
            stretches[kinds] = Stretch(mine, own, places[found[mine]])
        taps = self._taps(len(rows), [stretches[kinds] for kinds, _ in TAPS])
        return Pick(rows, ALL if all_lanes else found, places[found], stretches, taps)

    def _taps(self, width: int, parts: Sequence[Stretch]) -> Taps:
        places = [part.places for part in parts]
        places[-1] = places[-1] + width
        all_lanes = parts[0].own is ALL
        starts = zip(parts, self.tap_ends, strict=False)
        return Taps(
            ALL if all_lanes else np.concatenate([part.own + start for part, start in starts]),
            np.concatenate(places),
            np.concatenate([np.arange(part.mine.start, part.mine.stop) for part in parts]),
            (0, *accumulate(map(len, places))),
        )
