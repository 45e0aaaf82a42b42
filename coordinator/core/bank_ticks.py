"""The ticks in which a bank keeps each ticker's closes and volumes as whole numbers.

A finer value makes its ticker's ticks finer. A value cannot be kept if 64 bits do not hold what the
lanes multiply it to.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from coordinator.core.bank_layout import Floats, Ints
from coordinator.core.bank_steps import Steps
from coordinator.core.lane_form import (
    EXACT_FLOATS,
    LEAST_PLACES,
    PLACES,
    LaneForm,
    in_ticks,
    places_of,
)
from coordinator.core.values import Bar, numbers_of

WRITTEN = 10**15
"""Below so many ticks, a float stands for exactly the decimal that it is written as."""


@dataclass(frozen=True, slots=True)
class Scale:
    """The ticks of certain tickers' closes and volumes, as floats.

    `scale` is ticks per unit; a float below `most` ticks is trusted. Closes are relative to
    `first`, and may be at most `spread` away from it.
    """

    scale: Floats
    most: Floats
    first: Floats
    spread: Floats


class Ticks:
    """The ticks of each ticker of `steps`, by row; `forms` are those of the lanes on each.

    `on_change` is called when a ticker's Scale has changed.
    """

    def __init__(
        self, steps: Steps, forms: Sequence[Sequence[LaneForm]], on_change: Callable[[], None]
    ) -> None:
        self._steps, self._forms, self._on_change = steps, forms, on_change
        tickers = len(forms)
        self._fresh = set(range(tickers))
        self._places = np.full((2, tickers), LEAST_PLACES)
        self._limits, self._scale = np.zeros((3, tickers), np.int64), np.zeros((2, tickers))
        for row in range(tickers):
            self._set_limits(row)

    def is_fresh(self, row: int) -> bool:
        """Whether a ticker has had no bar yet."""
        return row in self._fresh

    def of(self, rows: Ints) -> Scale:
        """The Scale of the tickers on these rows."""
        most = np.minimum(self._limits[[0, 2]][:, rows], WRITTEN)
        most[:, [row in self._fresh for row in rows.tolist()]] = -1
        return Scale(
            self._scale[:, rows],
            most.astype(np.float64),
            self._steps.anchor[rows].astype(np.float64),
            self._limits[1, rows].astype(np.float64),
        )

    def closes_between(self) -> tuple[Ints, Ints]:
        """For each ticker, the lowest and the highest close that the steps can take."""
        most, spread, _ = self._limits
        first = self._steps.anchor
        ceiling = np.minimum(np.minimum(most, WRITTEN) - first, spread)
        return np.maximum(-first, -spread), ceiling

    def lots(self, row: int) -> int:
        """How many of the finest ticks, 1e-9, one tick of a ticker's volume is."""
        places: int = self._places[1, row].item()
        return int(10 ** (PLACES - places))

    def trusted(self, known: Scale, bars: Sequence[Bar]) -> Ints | None:
        """The closes and volumes of one bar of each ticker, in ticks; None if `exact` must tell."""
        try:
            found = [*map(numbers_of, bars)]
        except AttributeError:  # some are decimals
            return None
        values = np.array([[one[3] for one in found], [one[4] for one in found]], np.float64)
        ticks = np.rint(values * known.scale)
        if not ((ticks / known.scale == values) & (ticks < known.most)).all():
            return None
        ticks[0] -= known.first
        if (np.abs(ticks[0]) > known.spread).any():
            return None
        return ticks.astype(np.int64)

    def exact(self, row: int, bars: Sequence[Bar]) -> Ints | None:
        """The same for bars of one ticker, from decimals, with finer ticks where they are needed.

        None if they cannot be kept: the ticker's lanes must be given up.
        """
        columns = [bar.close for bar in bars], [bar.volume for bar in bars]
        finest = [max(map(places_of, column)) for column in columns]
        if max(finest) > PLACES or not self._refine(row, finest):
            return None
        places = self._places[:, row].tolist()
        whole = [
            [in_ticks(value, place) for value in column]
            for column, place in zip(columns, places, strict=True)
        ]
        if max(map(max, whole)) >= EXACT_FLOATS:
            return None
        ticks = np.array(whole, np.int64)
        first = int(ticks[0, 0]) if row in self._fresh else int(self._steps.anchor[row])
        highest, spread, volume = self._limits[:, row].tolist()
        beyond = ticks[0].max() > highest or ticks[1].max() > volume
        ticks[0] -= first
        if beyond or np.abs(ticks[0]).max() > spread:
            return None
        if row in self._fresh:
            self._fresh.discard(row)
            self._steps.anchor[row] = first
            self._on_change()
        return ticks

    def _set_limits(self, row: int) -> None:
        """Set how large a close, its distance from the first, and a volume may be, in ticks."""
        nano = 10 ** (PLACES - int(self._places[0, row]))
        self._limits[:, row] = np.min([form.limits(nano) for form in self._forms[row]], axis=0)
        self._steps.nano[row], self._scale[:, row] = nano, 10.0 ** self._places[:, row]

    def _refine(self, row: int, finest: Sequence[int]) -> bool:
        """Make a ticker's ticks at least this fine; returns whether they can be."""
        finer = [max(0, finest[n] - int(self._places[n, row])) for n in range(2)]
        if not any(finer):
            return True
        self._on_change()
        can = self._steps.rescale(row, 10 ** finer[0], 10 ** finer[1])
        if can:
            self._places[:, row] += finer
            self._set_limits(row)
        largest = np.array(self._steps.largest(row))
        return can and bool((largest <= self._limits[:, row]).all())
