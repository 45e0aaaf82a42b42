"""The fast path for a frame of nothing but plain bars of one minute, as nearly all are.

msgspec decodes and validates it in C. A frame with anything else in it, even a new field, is left
as a whole to `frames` and `wire`: both paths judge alike, and only those say what is wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from operator import attrgetter
from typing import Annotated, Any, Literal, cast

from msgspec import Meta, Struct
from msgspec.msgpack import Decoder, Ext

from coordinator.core.values import WireBar, wire_bar
from coordinator.shell.fields import EARLIEST, LATEST, LEAST, MOST

_TIMESTAMP, _SECONDS_BYTES = -1, 4
"""msgpack's extension for a time, and how long it is for a whole second."""
_Float = Annotated[float, Meta(gt=LEAST, lt=MOST)]
_Price = Annotated[int, Meta(ge=1, lt=int(MOST))] | _Float
_Volume = Annotated[int, Meta(ge=0, lt=int(MOST))] | _Float


class _Row(Struct, gc=False, forbid_unknown_fields=True):
    """A plain bar of the wire. Its time stays raw: decoded, it would be rounded."""

    T: Literal["b"]
    S: str
    o: _Price
    h: _Price
    l: _Price  # noqa: E741
    c: _Price
    v: _Volume
    n: Annotated[int, Meta(ge=0, le=2**63 - 1)]
    vw: _Price
    t: Ext


_rows_of = Decoder(list[_Row]).decode
_numbers_of = attrgetter(*"ohlc", "v", "n", "vw")


class PlainBars(tuple[WireBar, ...]):
    """Plain bars of one minute, in the order of their frame; at least one."""

    __slots__ = ()

    @property
    def start(self) -> datetime:
        """When their minute begins."""
        return self[0].start


def plain_bars(frame: str | bytes, wanted: Mapping[str, Any]) -> PlainBars | None:
    """The bars of a market stream's frame; None unless all are plain and of tickers in `wanted`."""
    if isinstance(frame, str):
        return None
    try:
        rows = _rows_of(frame)
    except ValueError:  # nothing is lost: `frames` reads the whole frame again
        return None
    tickers = [row.S for row in rows]
    if not wanted.keys() >= set(tickers):
        return None
    start = _start_of(rows)
    if start is None:
        return None
    numbers = map(_numbers_of, rows)
    return PlainBars([wire_bar(t, start, of) for t, of in zip(tickers, numbers, strict=True)])


def _start_of(rows: list[_Row]) -> datetime | None:
    """The minute at which all bars begin; None if they differ, or are encoded in another way."""
    stamps = cast("set[bytes]", {row.t.data for row in rows})
    if len(stamps) != 1 or {row.t.code for row in rows} != {_TIMESTAMP}:
        return None
    [stamp] = stamps
    seconds = int.from_bytes(stamp)
    if len(stamp) != _SECONDS_BYTES or seconds % 60:
        return None
    start = datetime.fromtimestamp(seconds, UTC)
    return start if EARLIEST <= start < LATEST else None
