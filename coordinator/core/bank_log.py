"""A ticker's closes since its first bar in a bank, kept where an RSI may be decided from them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from coordinator.core.bank_layout import Ints

_SIZE_AT_FIRST = 512


class Log:
    """`kept`: for each row of tickers, how many closes are ever asked for; 0 if none are."""

    def __init__(self, kept: Sequence[int]) -> None:
        rows = [row for row, count in enumerate(kept) if count]
        self._column: Ints = np.full(len(kept), -1)
        self._column[rows] = np.arange(len(rows))
        self._most = max(kept)
        self._closes: Ints = np.zeros((min(self._most, _SIZE_AT_FIRST), len(rows)), np.int64)

    def columns(self, rows: Ints) -> tuple[Ints, Ints]:
        """The places in `rows` of those that are logged, and their columns."""
        places = np.flatnonzero(self._column[rows] >= 0)
        return places, self._column[rows][places]

    def note(self, columns: Ints, now: Ints, closes: Ints) -> None:
        """Keep closes, each as its ticker's close number `now`; whole numbers of any unit."""
        last = int(now.max(initial=0))
        while last >= len(self._closes) < self._most:
            self._closes = np.concatenate((self._closes, np.zeros_like(self._closes)))
        if last >= len(self._closes):
            keep = now < len(self._closes)
            columns, now, closes = columns[keep], now[keep], closes[keep]
        self._closes[now, columns] = closes

    def changes(self, row: int, first: int, end: int) -> list[int]:
        """The change from each close to the next, from number `first` until before `end`."""
        column = int(self._column[row])
        return [] if column < 0 else np.diff(self._closes[first:end, column]).tolist()
