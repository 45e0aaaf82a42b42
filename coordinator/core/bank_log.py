"""Closes since a bank's first bar, of tickers on which an RSI may have to be told exactly."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from coordinator.core.bank_layout import Ints

_BEGIN = 512


class Log:
    """`kept` says for each row of tickers how many closes are ever asked for, 0 if none are."""

    def __init__(self, kept: Sequence[int]) -> None:
        rows = [row for row, count in enumerate(kept) if count]
        self._column: Ints = np.full(len(kept), -1)
        self._column[rows] = np.arange(len(rows))
        self._most = max(kept)
        self._closes: Ints = np.zeros((min(self._most, _BEGIN), len(rows)), np.int64)

    def columns(self, rows: Ints) -> tuple[Ints, Ints]:
        """Which of these rows are logged, by place, and in which columns."""
        places = np.flatnonzero(self._column[rows] >= 0)
        return places, self._column[rows][places]

    def note(self, columns: Ints, now: Ints, closes: Ints) -> None:
        """Keep closes, each the ticker's number `now`; whole numbers of any unit."""
        last = int(now.max(initial=0))
        while last >= len(self._closes) < self._most:
            self._closes = np.concatenate((self._closes, np.zeros_like(self._closes)))
        if last >= len(self._closes):
            keep = now < len(self._closes)
            columns, now, closes = columns[keep], now[keep], closes[keep]
        self._closes[now, columns] = closes

    def changes(self, row: int, first: int, end: int) -> list[int]:
        """From each close to the next, from number `first` until `end`."""
        column = int(self._column[row])
        return [] if column < 0 else np.diff(self._closes[first:end, column]).tolist()
