"""A session's bars and equity as Arrow tables, with the warehouse's columns."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import cached_property
from typing import Any, overload

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from coordinator.backtest.curves import Curve
from coordinator.core.order_rows import Row
from coordinator.core.records import Origin
from coordinator.core.values import storable
from simulator.columns import Columns, Floats, whole_steps

MONEY = pa.decimal128(38, 18)
TIME = pa.timestamp("us", tz="UTC")
_SUMMED = pa.decimal128(37, 18)
"""The sum of two values of this type has the type MONEY."""
_PRICES = ("open", "high", "low", "close")


class ArrowRows(Sequence[Row]):
    """Rows as an Arrow table, made when first read; readers of Arrow take the table itself."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make

    @cached_property
    def table(self) -> Any:
        """The table."""
        return self._make()

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Hand the table over by Arrow's C stream interface."""
        return self.table.__arrow_c_stream__(requested_schema)

    def __len__(self) -> int:
        return int(self.table.num_rows)

    @overload
    def __getitem__(self, place: int) -> Row: ...

    @overload
    def __getitem__(self, place: slice) -> Sequence[Row]: ...

    def __getitem__(self, place: int | slice) -> Row | Sequence[Row]:
        if isinstance(place, slice):
            return list(self)[place]
        row: Row = self.table.take([place]).to_pylist()[0]
        return row

    def __iter__(self) -> Iterator[Row]:
        return iter(self.table.to_pylist())


class LaterRows(Sequence[Row]):
    """Rows that are made when first read."""

    def __init__(self, make: Callable[[], list[Row]]) -> None:
        self._make = make

    @cached_property
    def _rows(self) -> list[Row]:
        return self._make()

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, place: int) -> Row: ...

    @overload
    def __getitem__(self, place: slice) -> Sequence[Row]: ...

    def __getitem__(self, place: int | slice) -> Row | Sequence[Row]:
        return self._rows[place]

    def __iter__(self) -> Iterator[Row]:
        return iter(self._rows)


def money(steps: NDArray[Any], places: int, kind: Any = MONEY, mask: Any = None) -> Any:
    """Whole steps of 1e-`places` as decimals; null where the mask is true."""
    if steps.dtype == object:
        return pa.array([Decimal(step).scaleb(-places) for step in steps.tolist()], kind)
    whole = pa.array(steps, pa.int64(), mask=mask).cast(pa.decimal128(19, 0))
    scaled = pa.decimal128(37, places)
    return pa.Array.from_buffers(scaled, len(whole), whole.buffers()).cast(kind)


def equity_table(session_id: str, curves: Mapping[str, Curve]) -> Any:
    """A row for each point of each book's curve."""
    parts = [part for part in curves.values() if len(part.times)]
    counts = [len(part.times) for part in parts]
    names = pa.array(list(curves), pa.string())
    cash: list[Decimal] = []
    which, offset = [], 0
    for part in parts:
        which.append(part.which + offset)
        cash += part.cash
        offset += len(part.cash)
    values = np.concatenate([part.values for part in parts])
    paid = pa.array(cash, _SUMMED).take(pa.array(np.concatenate(which)))
    held = money(values, parts[0].places, _SUMMED)
    return pa.table(
        {
            "session_id": pa.repeat(pa.scalar(session_id, pa.string()), sum(counts)),
            "strategy": names.take(pa.array(np.repeat(np.arange(len(parts)), counts))),
            "ts": pa.array(np.concatenate([part.times for part in parts])).cast(TIME),
            "cash": paid.cast(MONEY),
            "market_value": held.cast(MONEY),
            "equity": pc.add(paid, held),
        }
    )


def bars_table(
    account: str,
    feeds: Mapping[str, str],
    history: Sequence[Columns],
    session: Sequence[Columns],
) -> Any:
    """Bars of the history, ticker after ticker, then the session's minute by minute.

    Both sequences are in order of symbols and of one market; `feeds` is each symbol's feed.
    """
    parts = [*history, *session]
    counts, places = [len(part) for part in parts], parts[0].decimals
    old = sum(counts[: len(history)])
    starts = np.concatenate([part.starts for part in parts])
    order = np.concatenate((np.arange(old), old + np.argsort(starts[old:], kind="stable")))
    of_part = np.repeat(np.arange(len(parts)), counts)[order]

    def texts(some: Sequence[str]) -> Any:
        return pa.array(some, pa.string()).take(pa.array(of_part))

    def column(name: str) -> Any:
        return np.concatenate([getattr(part, name) for part in parts])[order]

    origins = [Origin.BACKFILL.value] * len(history) + [Origin.LIVE.value] * len(session)
    return pa.table(
        {
            "account": texts([account] * len(parts)),
            "feed": texts([feeds[part.symbol] for part in parts]),
            "symbol": texts([part.symbol for part in parts]),
            "ts": pa.array(starts[order]).cast(TIME),
            **{name: money(column(name), places) for name in _PRICES},
            "volume": _volumes(column("volume")),
            "trade_count": _counts(column("trade_count")),
            "vwap": _vwaps(column("vwap"), places),
            "origin": texts(origins),
        }
    )


def _volumes(volumes: Floats) -> Any:
    if np.all((volumes == np.rint(volumes)) & (volumes < 1e15)):
        return money(volumes.astype(np.int64), 0)
    return pa.array([storable(Decimal(repr(one))) for one in volumes.tolist()], MONEY)


def _counts(counts: Floats) -> Any:
    unknown = np.isnan(counts)
    return pa.array(np.where(unknown, 0, counts).astype(np.int64), pa.int64(), mask=unknown)


def _vwaps(vwaps: Floats, places: int) -> Any:
    unknown = np.isnan(vwaps)
    return money(whole_steps(np.where(unknown, 0.0, vwaps), places), places, mask=unknown)


def as_bytes(rows: Sequence[Row]) -> bytes:
    """The content of a table's rows as bytes; the same for the same rows."""
    if not isinstance(rows, ArrowRows):
        return repr(list(rows)).encode()
    written = pa.BufferOutputStream()
    with pa.ipc.new_stream(written, rows.table.schema) as stream:
        stream.write_table(rows.table.combine_chunks())
    return bytes(written.getvalue().to_pybytes())
