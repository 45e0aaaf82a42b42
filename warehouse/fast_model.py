"""Proves from Arrow's columns that a whole frame satisfies its table's model.

The pandera model is the contract and alone reports what is wrong with a row, but its bookkeeping
costs more than storing the rows. So a frame that is proved here is not validated again; any doubt
is left to the model. Tests hold the two to the same answer.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from warehouse.kinds import Column, Kind, Table
from warehouse.schemas import LIMIT


def is_clean(table: Table, arrow: pa.Table) -> bool:
    """Whether every value satisfies its column's declaration."""
    return all(
        arrow.schema.field(column.name).type == column.kind.value
        and _is_clean(column, arrow[column.name])
        for column in table.columns
    )


def _is_clean(column: Column, values: pa.ChunkedArray) -> bool:
    if values.null_count:
        if column.required:
            return False
        values = values.drop_null()
    if not len(values):
        return True
    match column.kind:
        case Kind.TEXT if column.words:
            return set(pc.unique(values).to_pylist()) <= set(column.words)
        case Kind.TEXT if column.required:
            return bool(pc.min(pc.binary_length(values)).as_py() > 0)
        case Kind.FRACTION if not pc.all(pc.is_finite(values)).as_py():
            return False
        case Kind.MONEY | Kind.COUNT | Kind.FRACTION:
            return _is_within(column, values)
        case _:
            return True


def _is_within(column: Column, values: pa.ChunkedArray) -> bool:
    bounds: dict[str, Any] = pc.min_max(values).as_py()
    low, high = bounds["min"], bounds["max"]
    if column.kind is Kind.MONEY and not -LIMIT < low <= high < LIMIT:
        return False
    if column.more_than is not None and not low > column.more_than:
        return False
    if column.at_least is not None and not low >= column.at_least:
        return False
    if column.nonzero and low <= 0 <= high:
        return not pc.any(pc.equal(values, pa.scalar(Decimal(0), values.type))).as_py()
    return True
