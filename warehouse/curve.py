"""A session's equity as a curve: in order, with the peak so far, and how far it fell below it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from warehouse.columns import Halves, codes, difference, doubles, halves


@dataclass(frozen=True)
class Curves:
    """Equity rows ordered by strategy and time with their `peak`; `begins` has the line of each
    strategy's first row, and behind them the number of rows."""

    rows: pa.Table
    strategies: list[str]
    begins: npt.NDArray[np.int64]

    def falls(self) -> dict[str, float]:
        """The deepest fall of each strategy, as a fraction of the peak before; of a peak > 0."""
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
    """The line of the highest value so far of the same owner, line by line; owners in order."""
    rising = np.lexsort((values["low"], values["high"]))
    ranks = np.empty(len(rising), np.int64)
    ranks[rising] = np.arange(len(rising))
    offsets = owners * len(rising)  # so that no rank of an owner reaches the next one's
    highest: npt.NDArray[np.int64] = np.maximum.accumulate(ranks + offsets) - offsets
    return rising[highest]
