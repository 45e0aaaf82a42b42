"""A session's equity curves: in order of time, with the peak so far and the falls below it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from warehouse.columns import Halves, codes, difference, doubles, halves


@dataclass(frozen=True)
class Curves:
    """Equity rows with their `peak`, by strategy and time.

    `begins` has the index of each strategy's first row, and at the end the number of rows.
    """

    rows: pa.Table
    strategies: list[str]
    begins: npt.NDArray[np.int64]

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


def draw(equity: pa.Table) -> Curves:
    """The curves of a session's equity rows; no value may be missing."""
    owners, strategies = codes(equity["strategy"])
    times = equity["ts"].combine_chunks().cast(pa.int64()).to_numpy()
    order = np.lexsort((times, owners))
    if not np.array_equal(order, np.arange(len(order))):
        equity, owners = equity.take(pa.array(order)), owners[order]
    begins = np.searchsorted(owners, np.arange(len(strategies) + 1))
    peaks = equity["equity"].take(pa.array(_peaks(halves(equity["equity"]), owners)))
    return Curves(equity.append_column("peak", peaks), strategies, begins)


def _peaks(values: Halves, owners: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """For each row the index of its owner's highest value so far; rows are sorted by owner."""
    rising = np.lexsort((values["low"], values["high"]))
    ranks = np.empty(len(rising), np.int64)
    ranks[rising] = np.arange(len(rising))
    offsets = owners * len(rising)  # so each owner's ranks are above those of the one before
    highest: npt.NDArray[np.int64] = np.maximum.accumulate(ranks + offsets) - offsets
    return rising[highest]
