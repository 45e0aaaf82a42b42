"""Arrow's decimal columns as whole numbers: exact, and without an object for each value."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from warehouse.kinds import Kind

MONEY = Kind.MONEY.value
ATTO = 1e18
_HALVES = np.dtype([("low", "<u8"), ("high", "<i8")])
_LOW = 2**64 - 1

Halves = npt.NDArray[np.void]
Codes = npt.NDArray[np.int64]


def halves(column: pa.ChunkedArray) -> Halves:
    """The amounts in units of 1e-18, as 128 bits in numpy: `low`, unsigned, and `high`, signed.

    No value may be missing.
    """
    array = column.combine_chunks()
    given = np.frombuffer(array.buffers()[1], _HALVES) if len(array) else np.empty(0, _HALVES)
    return given[array.offset : array.offset + len(array)]


def attos(column: pa.ChunkedArray) -> list[int]:
    """The amounts in units of 1e-18; no value may be missing."""
    given = halves(column)
    low, high = given["low"].tolist(), given["high"]
    if not high.any():
        return list(low)
    return [(above << 64) + below for above, below in zip(high.tolist(), low, strict=True)]


def from_attos(values: Sequence[int]) -> pa.Array:
    """A column of amounts from units of 1e-18."""
    made = np.empty(len(values), _HALVES)
    made["low"] = [value & _LOW for value in values]
    made["high"] = [value >> 64 for value in values]
    return from_halves(made)


def from_halves(values: Halves) -> pa.Array:
    """The column of which these are the halves."""
    return pa.Array.from_buffers(MONEY, len(values), [None, pa.py_buffer(values.tobytes())])


def codes(column: pa.ChunkedArray) -> tuple[Codes, list[str]]:
    """Each value's number in the sorted list of distinct texts, and that list; no value missing."""
    encoded = pc.dictionary_encode(column.combine_chunks())
    texts = encoded.dictionary.to_pylist()
    order = sorted(range(len(texts)), key=texts.__getitem__)
    places = np.empty(len(texts), np.int64)
    places[order] = range(len(texts))
    return places[encoded.indices.to_numpy()], [texts[place] for place in order]


def difference(left: Halves, right: Halves) -> Halves:
    """left - right, line by line."""
    found = np.empty(len(left), _HALVES)
    found["low"] = left["low"] - right["low"]
    found["high"] = left["high"] - right["high"] - (left["low"] < right["low"])
    return found


def total(left: Halves, right: Halves) -> Halves:
    """left + right, line by line."""
    found = np.empty(len(left), _HALVES)
    found["low"] = left["low"] + right["low"]
    found["high"] = left["high"] + right["high"] + (found["low"] < left["low"])
    return found


def doubles(values: Halves) -> npt.NDArray[np.float64]:
    """The amounts in units of 1e-18 as floats, with a relative error of at most 4e-16."""
    below_zero = values["high"] < 0
    low = np.where(below_zero, ~values["low"] + np.uint64(1), values["low"])
    high = np.where(below_zero, ~values["high"] + (low == 0), values["high"])
    sizes: npt.NDArray[np.float64] = high * 2.0**64 + low
    return np.where(below_zero, -sizes, sizes)
