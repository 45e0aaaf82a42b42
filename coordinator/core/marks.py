"""The last price known of each ticker: its newest bar's close, or what a split or a record says.

A close becomes a decimal when somebody asks for it: most bars of most minutes nobody values.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, MutableMapping
from decimal import Decimal

from coordinator.core.values import Bar, WireBar

SLACK = 0.999
"""What a distance between floats may at most be of a bound, to lie within it surely."""


class Marks(MutableMapping[str, Decimal]):
    """Dollars by ticker."""

    __slots__ = ("_last",)

    def __init__(self) -> None:
        self._last: dict[str, Decimal | Bar] = {}

    def see(self, bar: Bar) -> None:
        """A ticker's newest bar has come."""
        self._last[bar.symbol] = bar

    def moved(self, bars: Iterable[Bar], fraction: Decimal) -> list[Bar]:
        """Those of the bars that may close further than that fraction off their tickers' marks.

        A ticker without a mark has not moved.
        """
        least, found = float(fraction) * SLACK, []
        last = self._last
        for bar in bars:
            mark = last.get(bar.symbol)
            if mark is None or (type(mark) is WireBar and _is_near(mark, bar, least)):
                continue
            found.append(bar)
        return found

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

    def __repr__(self) -> str:
        return f"Marks({dict(self)})"


def _is_near(mark: WireBar, bar: Bar, fraction: float) -> bool:
    """Whether two closes surely lie within that fraction of the first."""
    if type(bar) is not WireBar:
        return False
    try:
        before, close = mark.numbers[3], bar.numbers[3]
    except AttributeError:  # one was replaced, and has decimals alone
        return False
    return -fraction * before <= close - before <= fraction * before
