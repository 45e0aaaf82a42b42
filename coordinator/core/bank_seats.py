"""Which strategies the lanes of a bank serve, and whom a wish of theirs may move."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from coordinator.core.bank_layout import Ints, Signs


class Seats:
    """A seat is a strategy's place at a lane; `rows` are the lanes' tickers. Nobody is sated."""

    def __init__(self, rows: Sequence[int], ranks: Sequence[Sequence[int]] = ()) -> None:
        served = [*ranks, *([()] * (len(rows) - len(ranks)))]
        self._lane: Ints = np.repeat(np.arange(len(rows)), [len(each) for each in served])
        self._rank: Ints = np.array([rank for each in served for rank in each], np.int64)
        self._row: Ints = np.array(rows, np.int64)[self._lane]
        self._hungry = bytearray(b"\1" * len(self._rank))
        pairs = zip(self._rank.tolist(), self._row.tolist(), strict=True)
        self._seat = {pair: seat for seat, pair in enumerate(pairs)}

    def sate(self, rank: int, row: int, *, sated: bool) -> None:
        """Whether a strategy has what it wants of a ticker."""
        seat = self._seat.get((rank, row))
        if seat is not None:
            self._hungry[seat] = not sated

    def wishing(
        self, signals: Signs, stirred: bytearray, on: NDArray[np.bool_] | None
    ) -> list[int]:
        """Whom these signals may move, by rank: on the rows of tickers that are `on`, or on all.

        That is who wants to be long and is not sated, and who wants to be flat and is stirred.
        """
        wish = signals.take(self._lane)
        asked = np.frombuffer(stirred, np.int8).take(self._rank)
        asked &= wish < 0
        asked |= np.frombuffer(self._hungry, np.int8) & (wish > 0)
        if on is not None:
            asked &= on.take(self._row)
        moved = np.zeros(len(stirred), np.bool_)
        moved[self._rank[np.flatnonzero(asked)]] = True
        return np.flatnonzero(moved).tolist()
