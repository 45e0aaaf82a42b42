"""Which signals matter to whom: one byte for each strategy on each of its tickers, its place.

The places that a bank's lanes serve come first, in the bank's order, so that it reads theirs as one
array.
"""

from __future__ import annotations

from collections.abc import Iterable


class Wants:
    """At first every signal may matter. `ranks` are the strategies, by place."""

    def __init__(self, ranks: Iterable[int]) -> None:
        self.rank = list(ranks)
        self.buys = bytearray(b"\1" * len(self.rank))
        """Whether a signal to be long could make the strategy there act."""
        self.sells = bytearray(b"\1" * len(self.rank))
        """Whether a signal to be flat could."""

    def by(self, signal: int) -> bytearray:
        """To whom a signal of +1, or of -1, matters, by place."""
        return self.buys if signal > 0 else self.sells

    def put(self, place: int, *, buys: bool, sells: bool) -> None:
        """Which signals matter at a place from now on."""
        self.buys[place], self.sells[place] = buys, sells
