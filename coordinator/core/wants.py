"""Which signals each strategy may act on, on each of its tickers: each such pair is a place.

The places that a bank's lanes serve come first, in the bank's order, so that it reads them as one
array.
"""

from __future__ import annotations

from collections.abc import Iterable


class Wants:
    """Which signals matter at each place, at first all; `ranks` has the places' strategies."""

    def __init__(self, ranks: Iterable[int]) -> None:
        self.rank = list(ranks)
        self.buys = bytearray(b"\1" * len(self.rank))
        """Whether the strategy may act on a signal to be long."""
        self.sells = bytearray(b"\1" * len(self.rank))
        """Whether it may act on a signal to be flat."""

    def by(self, signal: int) -> bytearray:
        """By place, whether a strategy may act on a signal of +1, or of -1."""
        return self.buys if signal > 0 else self.sells

    def put(self, place: int, *, buys: bool, sells: bool) -> None:
        """Set which signals the strategy at a place may act on."""
        self.buys[place], self.sells[place] = buys, sells
