"""Which strategies a bank's lanes serve, and which of them the lanes' signals may move."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np
from numpy.typing import NDArray

from coordinator.core.bank_layout import Ints, Signs
from coordinator.core.wants import Wants


class Seats:
    """A seat is one strategy that is served by one lane.

    `rows` are the lanes' tickers, `served` is how many strategies each lane serves. The seats are
    the first places of `wants`, in the lanes' order.
    """

    def __init__(self, rows: Sequence[int], served: Sequence[int], wants: Wants) -> None:
        seats = sum(served)
        self._lane: Ints = np.repeat(np.arange(len(rows)), served)
        self._row: Ints = np.array(rows, np.int64)[self._lane]
        self._rank: Ints = np.array(wants.rank[:seats], np.int64)
        self._buys, self._sells = (
            np.frombuffer(moved, np.int8, seats) for moved in (wants.buys, wants.sells)
        )

    def wishing(self, signals: Signs, on: NDArray[np.bool_] | None) -> list[int]:
        """The ranks of the strategies that these signals may move, once for each of their tickers.

        Only rows of tickers that are `on` count; None means all.
        """
        wish = signals.take(self._lane)
        moved = self._sells & (wish < 0)
        moved |= self._buys & (wish > 0)
        if on is not None:
            moved &= on.take(self._row)
        return cast(list[int], self._rank[np.flatnonzero(moved)].tolist())
