"""A session's equity curves: in order of time, with the peak so far and the falls below it.

Capital that comes or goes is no gain and no fall: the peak moves with it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from warehouse.columns import Halves, codes, difference, doubles, from_halves, halves, total

_NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Curves:
    """Equity rows with their `peak`, by strategy and time.

    `begins` has the index of each strategy's first row, and at the end the number of rows.
    """

    rows: pa.Table
    strategies: list[str]
    begins: npt.NDArray[np.int64]

    def firsts(self) -> pa.Table:
        """The first row of each strategy."""
        return self.rows.take(pa.array(self.begins[:-1]))

    def falls(self) -> dict[str, float]:
        """Each strategy's deepest fall, as a fraction of the peak before; only peaks > 0 count."""
        if not self.strategies:
            return {}
        peak, equity = halves(self.rows["peak"]), halves(self.rows["equity"])
        above = doubles(peak)
        with np.errstate(divide="ignore", invalid="ignore"):
            fall = np.where(above > 0, doubles(difference(peak, equity)) / above, 0.0)
        deepest = np.maximum.reduceat(fall, self.begins[:-1])
        return dict(zip(self.strategies, deepest.tolist(), strict=True))


def draw(equity: pa.Table, activities: pa.Table) -> Curves:
    """The curves of a session's equity rows, of which no value may be missing."""
    owners, strategies = codes(equity["strategy"])
    times = _micros(equity["ts"])
    order = np.lexsort((times, owners))
    if not np.array_equal(order, np.arange(len(order))):
        equity, owners, times = equity.take(pa.array(order)), owners[order], times[order]
    begins = np.searchsorted(owners, np.arange(len(strategies) + 1))
    moved = np.zeros_like(halves(equity["equity"]))
    for strategy, at, amount in _transfers(activities, int(times.min(initial=_NEVER))):
        if strategy in strategies:
            place = strategies.index(strategy)
            first, end = begins[place : place + 2]
            first += np.searchsorted(times[first:end], at)
            moved[first:end] = total(moved[first:end], amount)
    own = difference(halves(equity["equity"]), moved)
    peaks = from_halves(total(own[_peaks(own, owners)], moved))
    return Curves(equity.append_column("peak", peaks), strategies, begins)


def _transfers(activities: pa.Table, begun: int) -> Iterable[tuple[str, int, Halves]]:
    """Strategy, time and amount of each movement of capital after the time `begun`."""
    is_one = pc.and_(pc.equal(activities["kind"], "transfer"), pc.is_valid(activities["amount"]))
    is_late = pc.greater(activities["booked_at"].cast(pa.int64()), begun)
    found = activities.filter(pc.and_(is_one, is_late))
    names, amounts = found["strategy"].to_pylist(), halves(found["amount"])
    return zip(names, _micros(found["booked_at"]).tolist(), amounts, strict=True)


def _micros(times: pa.ChunkedArray) -> npt.NDArray[np.int64]:
    """Microseconds since 1970."""
    micros: npt.NDArray[np.int64] = times.combine_chunks().cast(pa.int64()).to_numpy()
    return micros


def _peaks(values: Halves, owners: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """For each row the index of its owner's highest value so far; rows are sorted by owner."""
    rising = np.lexsort((values["low"], values["high"]))
    ranks = np.empty(len(rising), np.int64)
    ranks[rising] = np.arange(len(rising))
    offsets = owners * len(rising)  # so each owner's ranks are above those of the one before
    highest: npt.NDArray[np.int64] = np.maximum.accumulate(ranks + offsets) - offsets
    return rising[highest]
