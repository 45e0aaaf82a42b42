"""A symbol's recorded bars as arrays that equal the reader's bars to the last digit.

Rule: a price is a whole number of steps of the last decimal that the reader keeps. What 64 bits
cannot hold raises OverflowError, and the caller goes on with bars.
"""

from dataclasses import dataclass, fields
from decimal import Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulator.money import half_even

Whole = NDArray[np.int64]
Floats = NDArray[np.float64]
_SURE = 1e15
"""Below this a whole number of steps has so few digits that its float has one shortest text."""


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
    unit = Decimal(1).scaleb(-decimals)
    for n in np.flatnonzero(~sure).tolist():
        written = Decimal(repr(float(values[n])))
        steps[n] = int(half_even(written, unit).scaleb(decimals))
    return steps
