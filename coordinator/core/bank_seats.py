"""Which strategies a bank's lanes serve, and which of them may act on the lanes' signals."""

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
            np.frombuffer(matters, np.int8, seats) for matters in (wants.buys, wants.sells)
        )

    def may_act(self, signals: Signs, on: NDArray[np.bool_] | None) -> list[int]:
        """The ranks of the strategies that may act on these signals, once for each ticker.

        Only rows of tickers that are `on` count; None means all.
        """
        signal = signals.take(self._lane)
        matters = self._sells & (signal < 0)
        matters |= self._buys & (signal > 0)
        if on is not None:
            matters &= on.take(self._row)
        return cast(list[int], self._rank[np.flatnonzero(matters)].tolist())
