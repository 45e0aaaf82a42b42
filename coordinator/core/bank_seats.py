"""Which strategies the lanes of a bank serve, and whom a wish of theirs may move."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np
from numpy.typing import NDArray

from coordinator.core.bank_layout import Ints, Signs
from coordinator.core.wants import Wants


class Seats:
    """A seat is a strategy's place at a lane; `rows` are the lanes' tickers, `served` says how many
    strategies each lane serves. The seats are the first places of `wants`, in the lanes' order."""

    def __init__(self, rows: Sequence[int], served: Sequence[int], wants: Wants) -> None:
        seats = sum(served)
        self._lane: Ints = np.repeat(np.arange(len(rows)), served)
        self._row: Ints = np.array(rows, np.int64)[self._lane]
        self._rank: Ints = np.array(wants.rank[:seats], np.int64)
        self._buys, self._sells = (
            np.frombuffer(moved, np.int8, seats) for moved in (wants.buys, wants.sells)
        )

    def wishing(self, signals: Signs, on: NDArray[np.bool_] | None) -> list[int]:
        """Whom these signals may move, by rank: on the rows of tickers that are `on`, or on all.

        A rank stands in it once for each of its tickers.
        """
        wish = signals.take(self._lane)
        moved = self._sells & (wish < 0)
        moved |= self._buys & (wish > 0)
        if on is not None:
            moved &= on.take(self._row)
        return cast(list[int], self._rank[np.flatnonzero(moved)].tolist())
