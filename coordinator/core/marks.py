"""Marks: the last known price of each ticker, from its newest bar, a split or a record.

A close becomes a decimal only when it is read, because most never are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import cast

from coordinator.core.values import COIN, ZERO, Bar, numbers_of, symbol_of

SLACK = 0.999
"""A float within this part of a bound lies within the bound itself, however it was rounded."""


@dataclass(frozen=True, slots=True)
class _Split:
    """The newest split of a ticker, the mark before it, and the largest share booked of it."""

    activity_id: str
    mark: Decimal
    largest: Decimal


class Marks(MutableMapping[str, Decimal]):
    """Dollars by ticker."""

    __slots__ = ("_last", "_splits")

    def __init__(self) -> None:
        self._last: dict[str, Decimal | Bar] = {}
        self._splits: dict[str, _Split] = {}

    def see_all(self, newest: Mapping[str, Bar]) -> None:
        """Take the closes of these tickers' newest bars as marks."""
        self._last.update(newest)

    def split(self, symbol: str, activity_id: str, before: Decimal, after: Decimal) -> None:
        """Adjust a ticker's mark, if it has one, to a split that made `after` units of `before`.

        Each book's share is booked and rounded by itself; the largest gives the best ratio.
        """
        if symbol not in self._last or not before or not after:
            return
        split = self._splits.get(symbol)
        if split is None or split.activity_id != activity_id:
            split = _Split(activity_id, self[symbol], ZERO)
        if abs(before) > split.largest:
            self._splits[symbol] = _Split(activity_id, split.mark, abs(before))
            self._last[symbol] = (split.mark * before / after).quantize(COIN)

    def moved(self, bars: Sequence[Bar], fraction: Decimal) -> list[Bar]:
        """The bars that may close further than `fraction` from their tickers' marks.

        A bar of a ticker without a mark does not count.
        """
        least, last = float(fraction) * SLACK, self._last
        try:
            before = cast(Iterable[Bar], map(last.__getitem__, map(symbol_of, bars)))
            closes = zip(bars, map(numbers_of, bars), map(numbers_of, before), strict=True)
            return [bar for bar, new, old in closes if not -least <= new[3] / old[3] - 1 <= least]
        except (AttributeError, KeyError):  # some are decimals, or have no mark
            return [bar for bar in bars if bar.symbol in last]

    def __getitem__(self, symbol: str) -> Decimal:
        found = self._last[symbol]
        return found if isinstance(found, Decimal) else found.close

    def __setitem__(self, symbol: str, mark: Decimal) -> None:
        self._last[symbol] = mark

    def __delitem__(self, symbol: str) -> None:
        del self._last[symbol]

    def __iter__(self) -> Iterator[str]:
        return iter(self._last)

    def __len__(self) -> int:
        return len(self._last)

    def __contains__(self, symbol: object) -> bool:
        return symbol in self._last
