"""A book's equity over a whole session as arrays: the points of `EquityCurve`.

Values are whole numbers of the smallest product of a price and a quantity, so nothing is rounded;
where 64 bits are too few they are Python integers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coordinator.backtest.reels import Places, Reel
from coordinator.backtest.seats import Standing

SHARE_PLACES, COIN_PLACES = 4, 9
"""Decimals of a quantity."""
_MOST = 1 << 62
_ROUGHLY = 1e-9
_SAME = 1e-12


@dataclass(frozen=True, slots=True)
class Curve:
    """Points in order: `times` in microseconds since 1970, `cash[which]` and `values` in dollars.

    `values` are whole steps of 1e-`places`.
    """

    times: Places
    cash: Sequence[Decimal]
    which: Places
    values: NDArray[Any]
    places: int

    def max_drawdown(self) -> float:
        """The deepest fall below the highest equity so far, as a fraction of it; at least 0."""
        step = 10.0**-self.places
        about = np.array([float(one) for one in self.cash])[self.which]
        about = about + self.values.astype(float) * step
        peaks = np.maximum.accumulate(about)
        falls = np.where(peaks > 0, 1 - about / np.where(peaks > 0, peaks, 1), 0)
        deepest = np.flatnonzero((falls > 0) & (falls > falls.max() - _ROUGHLY))
        worst = 0.0
        for place in deepest.tolist():
            before = np.flatnonzero(about[: place + 1] >= peaks[place] * (1 - _SAME)).tolist()
            peak = max(self._equity(at) for at in before)
            if peak > 0:
                worst = max(worst, float((peak - self._equity(place)) / peak))
        return worst

    def _equity(self, place: int) -> Decimal:
        value = Decimal(int(self.values[place])).scaleb(-self.places)
        return self.cash[int(self.which[place])] + value


def curve(
    standings: Sequence[Standing],
    reels: Mapping[str, Reel],
    times: Places,
    places: int,
    begun: tuple[Decimal, Decimal],
) -> Curve:
    """A book's points: the opening, each minute in which equity changed, and the end.

    `times` are the opening, the end of each minute of the axis and the session's end; `begun` is
    cash and market value at the opening; products of quantity and price have `places` decimals.
    """
    ids: dict[Decimal, int] = {}
    cash = [
        ids.setdefault(one, len(ids)) for one in (begun[0], *(cash for _, cash, _ in standings))
    ]
    minutes = len(times) - 1  # without the opening; the last one is the session's end
    since = [start for start, _, _ in standings]
    counts = np.diff([*since, minutes])
    state = np.repeat(np.arange(len(standings)), counts)
    values = _values(standings, reels, state, places)
    whole = int(begun[1].scaleb(places))
    values = np.concatenate((np.array([whole], values.dtype), values))
    which = np.concatenate(([cash[0]], np.array(cash[1:])[state]))
    kept = np.ones(len(times), bool)
    kept[1:] = (values[1:] != values[:-1]) | (which[1:] != which[:-1])
    kept[-1] = True
    if minutes > 1 and times[-2] == times[-1]:
        kept[-2] = False  # the end restates it
    return Curve(times[kept], list(ids), which[kept], values[kept], places)


def _values(
    standings: Sequence[Standing], reels: Mapping[str, Reel], state: Places, places: int
) -> NDArray[Any]:
    """The market value at the end of each minute, and once more at the session's end."""
    symbols = {symbol for _, _, held in standings for symbol in held}
    total: NDArray[Any] = np.zeros(len(state), np.int64)
    for symbol in sorted(symbols):
        reel = reels[symbol]
        exponent = places - reel.bars.decimals
        quantities = [
            int(held[symbol].scaleb(exponent)) if symbol in held else 0 for _, _, held in standings
        ]
        marks = np.append(reel.marks, reel.marks[-1:])
        most = max(map(abs, quantities)) * int(marks.max(initial=0)) * len(symbols)
        kind: Any = np.int64 if most < _MOST else object
        if kind is object:
            total = total.astype(object)
        total = total + np.array(quantities, kind)[state] * marks.astype(kind)
    return total
