"""A ticker's bars as arrays, for rules that find the signals of a whole history at once.

A column's ticks are whole multiples of the largest unit that all of its values are multiples of.
They are exact or None: a value finer than 1e-9, or too large for 64 bits, has no ticks.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Context, Decimal, Inexact, InvalidOperation
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from coordinator.core.values import Bar

Ticks = NDArray[np.int64]
Floats = NDArray[np.float64]
_NANO = Decimal(10) ** 9
_EXACT = Context(prec=200, traps=[InvalidOperation, Inexact])
_EXACT_FLOATS = 1 << 53
"""Below this every whole number is a float, and one division gives the float nearest to a price."""


class Prices(NamedTuple):
    """Closes, highs and lows of the same bars in one unit."""

    closes: Ticks
    highs: Ticks
    lows: Ticks


class Series:
    """Bars of one ticker, oldest first. A column is made when it is first read."""

    def __init__(self, bars: Sequence[Bar]) -> None:
        self.bars = bars

    @classmethod
    def of_whole(cls, prices: Prices, volumes: Ticks | None, decimals: int) -> Series:
        """A series of columns alone, in whole numbers; `bars` is empty.

        Prices are in units of 1e-`decimals`, volumes in any unit.
        """
        return _OfWhole(prices, volumes, decimals)

    def __len__(self) -> int:
        return len(self.bars)

    @cached_property
    def closes(self) -> Ticks | None:
        """Closes in ticks, or None."""
        return _ticks([bar.close for bar in self.bars])

    @cached_property
    def volumes(self) -> Ticks | None:
        """Volumes in ticks, or None."""
        return _ticks([bar.volume for bar in self.bars])

    @cached_property
    def prices(self) -> Prices | None:
        """Closes, highs and lows in the same ticks, or None."""
        ticks = _ticks([price for bar in self.bars for price in (bar.close, bar.high, bar.low)])
        return None if ticks is None else Prices(ticks[::3], ticks[1::3], ticks[2::3])

    @cached_property
    def floats(self) -> Floats | None:
        """Closes as the floats nearest to them; None where that is not certain."""
        return np.array([float(bar.close) for bar in self.bars], np.float64)

    def last(self, count: int) -> Series:
        """The newest `count` bars, on the same ticks."""
        return self if count >= len(self) else _Newest(self, count)


class _OfWhole(Series):
    def __init__(self, prices: Prices, volumes: Ticks | None, decimals: int) -> None:
        super().__init__(())
        self._prices, self._volumes, self._decimals = prices, volumes, decimals

    def __len__(self) -> int:
        return len(self._prices.closes)

    @cached_property
    def closes(self) -> Ticks | None:
        return _reduced(self._prices.closes)

    @cached_property
    def volumes(self) -> Ticks | None:
        return None if self._volumes is None else _reduced(self._volumes)

    @cached_property
    def prices(self) -> Prices | None:
        return Prices(*_reduced(np.array(self._prices)))

    @cached_property
    def floats(self) -> Floats | None:
        closes = self._prices.closes
        if (np.abs(closes) >= _EXACT_FLOATS).any():
            return None
        nearest: Floats = closes / 10.0**self._decimals
        return nearest


class _Newest(Series):
    def __init__(self, whole: Series, count: int) -> None:
        super().__init__(whole.bars[-count:] if count else ())
        self._whole, self._count = whole, count
        self._newest = slice(len(whole) - count, None)

    def __len__(self) -> int:
        return self._count

    @cached_property
    def closes(self) -> Ticks | None:
        closes = self._whole.closes
        return None if closes is None else closes[self._newest]

    @cached_property
    def volumes(self) -> Ticks | None:
        volumes = self._whole.volumes
        return None if volumes is None else volumes[self._newest]

    @cached_property
    def prices(self) -> Prices | None:
        prices = self._whole.prices
        return None if prices is None else Prices(*(own[self._newest] for own in prices))

    @cached_property
    def floats(self) -> Floats | None:
        floats = self._whole.floats
        return None if floats is None else floats[self._newest]


def _ticks(values: Sequence[Decimal]) -> Ticks | None:
    multiply, whole = _EXACT.multiply, _EXACT.to_integral_exact
    try:
        nanos = np.array([int(whole(multiply(value, _NANO))) for value in values], np.int64)
    except (Inexact, InvalidOperation, OverflowError):
        return None
    return _reduced(nanos)


def _reduced(values: Ticks) -> Ticks:
    """Whole numbers in the largest unit that they are all multiples of."""
    unit = int(np.gcd.reduce(values, axis=None)) if values.size else 0
    return values // unit if unit > 1 else values
