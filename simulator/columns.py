"""A symbol's recorded bars as arrays that equal the reader's bars to the last digit.

Rule: a price is a whole number of steps of the last decimal that the reader keeps. What 64 bits
cannot hold raises OverflowError, and the caller goes on with bars.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from decimal import Decimal
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator.money import EXACT, half_even

Whole = NDArray[np.int64]
Floats = NDArray[np.float64]
_SURE = 1e15
"""Below this a whole number of steps has so few digits that its float has one shortest text."""
_REMEMBERED = 1 << 16


@dataclass(frozen=True, slots=True)
class Columns:
    """Bars, oldest first. Starts are microseconds since 1970 UTC, prices steps of 1e-`decimals`.

    Volume, and vwap and trade_count (NaN where unknown), are as the file has them.
    """

    symbol: str
    decimals: int
    starts: Whole
    open: Whole
    high: Whole
    low: Whole
    close: Whole
    volume: Floats
    trade_count: Floats
    vwap: Floats

    def __len__(self) -> int:
        return len(self.starts)

    def take(self, which: Any) -> "Columns":
        """Some of the bars: a slice, or an array of indices."""
        arrays = [getattr(self, field.name)[which] for field in fields(self)[2:]]
        return Columns(self.symbol, self.decimals, *arrays)

    def price(self, steps: int) -> Decimal:
        """Dollars of so many steps, with the reader's number of decimals."""
        return Decimal(steps).scaleb(-self.decimals)


def whole_steps(values: Floats, decimals: int) -> Whole:
    """Values as written, rounded half-even to so many decimals, as whole numbers of the last one.

    Raises OverflowError for a number that 64 bits do not hold.
    """
    scale = 10.0**decimals
    near = np.rint(values * scale)
    sure = (np.abs(near) < _SURE) & (near / scale == values)
    steps = np.where(sure, near, 0).astype(np.int64)
    for n in np.flatnonzero(~sure).tolist():
        steps[n] = int(rounded(float(values[n]), decimals).scaleb(decimals))
    return steps


def rounded(value: float, decimals: int) -> Decimal:
    """A value as written, rounded half-even to so many decimals."""
    return half_even(Decimal(repr(value)), Decimal(1).scaleb(-decimals))


def prices(values: Floats, decimals: int) -> Iterable[Decimal]:
    """The same of many values at once."""
    try:
        return map(price_of(decimals), whole_steps(values, decimals).tolist())
    except OverflowError:
        return [rounded(value, decimals) for value in values.tolist()]


class _Prices(dict[int, Decimal]):
    """Steps of 1e-`decimals` as dollars, remembered: most recur from the minute before."""

    def __init__(self, decimals: int) -> None:
        self._unit = Decimal(1).scaleb(-decimals)

    def __missing__(self, steps: int) -> Decimal:
        if len(self) > _REMEMBERED:
            self.clear()
        self[steps] = price = EXACT.multiply(steps, self._unit)
        return price


@cache
def price_of(decimals: int) -> Callable[[int], Decimal]:
    """What makes dollars of steps of 1e-`decimals`, with that many decimals."""
    return _Prices(decimals).__getitem__
