"""A ticker's bars as arrays of whole ticks, for rules that judge a whole history at once.

A tick is the largest unit that all values of a column are whole multiples of. Values are exact or
there are none: what does not fit into 64 bits, or is finer than 1e-9, has no ticks here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Context, Decimal, Inexact, InvalidOperation
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from coordinator.core.values import Bar

Ticks = NDArray[np.int64]
_NANO = Decimal(10) ** 9
_EXACT = Context(prec=200, traps=[InvalidOperation, Inexact])


class Series:
    """Bars of one ticker, oldest first."""

    def __init__(self, bars: Sequence[Bar]) -> None:
        self.bars = bars
        self._length = len(bars)

    @classmethod
    def of_whole(cls, closes: Ticks, volumes: Ticks | None) -> Series:
        """Bars of which only columns are known, in whole numbers of any unit."""
        series = cls(())
        series._length = len(closes)
        series.__dict__["closes"] = _reduced(closes)
        series.__dict__["volumes"] = None if volumes is None else _reduced(volumes)
        return series

    def __len__(self) -> int:
        return self._length

    @cached_property
    def closes(self) -> Ticks | None:
        """Closes in ticks; None where they have none."""
        return _ticks(self.bars, lambda bar: bar.close)

    @cached_property
    def volumes(self) -> Ticks | None:
        """Volumes in ticks; None where they have none."""
        return _ticks(self.bars, lambda bar: bar.volume)

    def last(self, count: int) -> Series:
        """The newest `count` bars, on the same ticks."""
        if count >= len(self):
            return self
        newest = Series(self.bars[-count:] if count else ())
        newest._length = count
        for name in ("closes", "volumes"):
            whole: Ticks | None = getattr(self, name)
            newest.__dict__[name] = None if whole is None else whole[len(whole) - count :]
        return newest


def _ticks(bars: Sequence[Bar], value: Callable[[Bar], Decimal]) -> Ticks | None:
    multiply, whole = _EXACT.multiply, _EXACT.to_integral_exact
    try:
        nanos = np.array([int(whole(multiply(value(bar), _NANO))) for bar in bars], dtype=np.int64)
    except (Inexact, InvalidOperation, OverflowError):
        return None
    return _reduced(nanos)


def _reduced(values: Ticks) -> Ticks:
    """Values in their largest unit."""
    unit = int(np.gcd.reduce(values)) if len(values) else 0
    return values // unit if unit > 1 else values
