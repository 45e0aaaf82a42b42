"""A ticker's bars as arrays, for rules that find the signals of a whole history at once.

A column's ticks are whole multiples of the largest unit that all of its values are multiples of.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Ticks = NDArray[np.int64]
Floats = NDArray[np.float64]
_EXACT_FLOATS = 1 << 53
"""Below this every whole number is a float, and one division gives the float nearest to a price."""


class Prices(NamedTuple):
    """Closes, highs and lows of the same bars in one unit."""

    closes: Ticks
    highs: Ticks
    lows: Ticks


@dataclass(frozen=True, slots=True)
class Series:
    """Bars of one ticker, oldest first: closes alone, all prices, and volumes, each in ticks.

    `volumes` are None if they are not known exactly. `floats` are the floats nearest to the closes
    in dollars; None if 64 bits do not tell them for certain.
    """

    closes: Ticks
    prices: Prices
    volumes: Ticks | None
    floats: Floats | None

    @classmethod
    def of(cls, prices: Prices, volumes: Ticks | None, decimals: int) -> Series:
        """Bars with prices in units of 1e-`decimals` dollars, and volumes in any unit."""
        closes = prices.closes
        certain = not (np.abs(closes) >= _EXACT_FLOATS).any()
        return cls(
            _reduced(closes),
            Prices(*_reduced(np.array(prices))),
            None if volumes is None else _reduced(volumes),
            closes / 10.0**decimals if certain else None,
        )

    def __len__(self) -> int:
        return len(self.closes)

    def part(self, begin: int, end: int) -> Series:
        """The bars from `begin` up to `end`, in the same ticks."""
        own = slice(begin, end)
        return Series(
            self.closes[own],
            Prices(*(column[own] for column in self.prices)),
            None if self.volumes is None else self.volumes[own],
            None if self.floats is None else self.floats[own],
        )

    def last(self, count: int) -> Series:
        """The newest `count` bars, in the same ticks."""
        return self.part(max(len(self) - count, 0), len(self))


def _reduced(values: Ticks) -> Ticks:
    """Whole numbers in the largest unit that they are all multiples of."""
    unit = int(np.gcd.reduce(values, axis=None)) if values.size else 0
    return values // unit if unit > 1 else values
