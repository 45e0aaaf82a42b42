"""Whole numbers and codes as Arrow columns of the warehouse, without a Python value a row."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from coordinator.backtest.arrow import MONEY, TIME
from coordinator.backtest.compiled.layout import Whole
from coordinator.core.machine_code import compiled

Mask = NDArray[np.bool_]
_PLACES = 18


def money(steps: Whole, places: int, mask: Mask | None = None) -> Any:
    """Whole steps of 1e-`places` as decimals; where the mask is true, nothing."""
    found = np.empty((len(steps), 2), np.uint64)
    _widen(steps, np.uint64(10 ** (_PLACES - places)), found)
    return _array(MONEY, found, len(steps), mask)


def times(micros: Whole, mask: Mask | None = None) -> Any:
    """Microseconds since 1970 UTC as times."""
    return _array(TIME, np.ascontiguousarray(micros), len(micros), mask)


def words(known: Sequence[str], which: Whole) -> Any:
    """A text for each code."""
    return pa.array(known, pa.string()).take(pa.array(which))


def repeated(text: str, count: int) -> Any:
    """A column of one text."""
    return pa.repeat(pa.scalar(text, pa.string()), count)


def amounts(amount: Decimal, count: int) -> Any:
    """A column of one amount."""
    return pa.repeat(pa.scalar(amount, MONEY), count)


def _array(kind: Any, values: Any, count: int, mask: Mask | None) -> Any:
    valid = None
    if mask is not None:
        valid = pa.py_buffer(np.packbits(~mask, bitorder="little"))
    return pa.Array.from_buffers(kind, count, [valid, pa.py_buffer(values)])


@compiled
def _widen(steps: Whole, factor: np.uint64, found: NDArray[np.uint64]) -> None:
    """Each number times a factor, in 128 bits: the lower word first."""
    half, mask = np.uint64(32), np.uint64(0xFFFFFFFF)
    nothing, one = np.uint64(0), np.uint64(1)
    upper, lower = factor >> half, factor & mask
    for place in range(len(steps)):
        size = np.uint64(abs(steps[place]))
        high, low = size >> half, size & mask
        first, second, third = low * lower, low * upper, high * lower
        middle = (first >> half) + (second & mask) + (third & mask)
        bottom = (first & mask) | (middle << half)
        top = high * upper + (second >> half) + (third >> half) + (middle >> half)
        if steps[place] < 0:
            bottom, top = ~bottom + one, ~top
            if bottom == nothing:
                top += one
        found[place, 0], found[place, 1] = bottom, top
