"""Whole numbers and codes as the warehouse's Arrow columns, without Python values per row."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from coordinator.backtest.arrow import MONEY, TIME
from coordinator.backtest.compiled.layout import Whole
from coordinator.backtest.compiled.machine_code import compiled

Bytes = NDArray[np.uint8]
_PLACES = 18
_WORD = (1 << 64) - 1
_TEXT, _LONGEST = pa.string(), (1 << 31) - 1
_NONE: Whole = np.zeros(0, np.int64)


class Known:
    """The rows of a table that have a value; in the others a column is null."""

    def __init__(self, mask: NDArray[np.bool_]) -> None:
        whole = mask.all()
        self.bits = None if whole else pa.py_buffer(np.packbits(mask, bitorder="little"))


class Words:
    """A list of texts, from which columns are made by index."""

    def __init__(self, texts: Sequence[str]) -> None:
        each = [text.encode() for text in texts]
        self._text = np.frombuffer(b"".join(each), np.uint8)
        self._ends: Whole = np.cumsum([0, *map(len, each)])

    def column(self, which: Whole, numbers: Whole | None = None, known: Known | None = None) -> Any:
        """A text for each row, followed by a number >= 0 if `numbers` are given."""
        count = len(which)
        behind = _NONE if numbers is None else numbers
        until, text = _written(self._text, self._ends, which, behind)
        assert len(text) <= _LONGEST, "Arrow's texts of a column are no longer together"
        bits = None if known is None else known.bits
        return pa.Array.from_buffers(_TEXT, count, [bits, pa.py_buffer(until), pa.py_buffer(text)])


def money(
    steps: Whole, places: int, known: Known | None = None, last: Decimal | None = None
) -> Any:
    """Whole steps of 1e-`places` as decimals; `last` is appended and need not be whole."""
    count = len(steps)
    found = np.empty((count + (last is not None), 2), np.uint64)
    _widen(steps, np.uint64(10 ** (_PLACES - places)), found)
    if last is not None:
        whole = int(last.scaleb(_PLACES))
        found[count] = whole & _WORD, whole >> 64 & _WORD
    return _array(MONEY, found, len(found), known)


def times(micros: Whole, known: Known | None = None) -> Any:
    """A column of times, from microseconds since 1970 UTC."""
    return _array(TIME, np.ascontiguousarray(micros), len(micros), known)


def repeated(text: str, count: int) -> Any:
    """A column of one text."""
    return pa.repeat(pa.scalar(text, _TEXT), count)


def amounts(amount: Decimal, count: int) -> Any:
    """A column of one amount."""
    return pa.repeat(pa.scalar(amount, MONEY), count)


def _array(kind: Any, values: Any, count: int, known: Known | None) -> Any:
    bits = None if known is None else known.bits
    return pa.Array.from_buffers(kind, count, [bits, pa.py_buffer(values)])


@compiled
def _written(
    text: Bytes, ends: Whole, which: Whole, numbers: Whole
) -> tuple[NDArray[np.int32], Bytes]:
    """The offsets of the rows' texts, starting with 0, and the texts' bytes."""
    until = np.zeros(len(which) + 1, np.int32)
    total = 0
    for row in range(len(which)):
        total += ends[which[row] + 1] - ends[which[row]]
        if len(numbers):
            rest = numbers[row]
            total += 1
            while rest >= 10:
                rest //= 10
                total += 1
        until[row + 1] = total
    found = np.empty(total, np.uint8)
    for row in range(len(which)):
        at = until[row]
        for place in range(ends[which[row]], ends[which[row] + 1]):
            found[at] = text[place]
            at += 1
        if len(numbers):
            at, rest = until[row + 1], numbers[row]
            while True:
                at -= 1
                found[at] = 48 + rest % 10
                rest //= 10
                if rest == 0:
                    break
    return until, found


@compiled
def _widen(steps: Whole, factor: np.uint64, found: NDArray[np.uint64]) -> None:
    """Write each number times a factor in 128 bits, the lower word first."""
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
