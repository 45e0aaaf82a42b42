"""What is vouched for without the model is exactly what the model admits."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pandas as pd
import pandera.pandas as pandera
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from warehouse.fast_model import is_clean
from warehouse.kinds import Column, Kind, Table
from warehouse.schemas import LIMIT, TABLES, model

EDGES: dict[Kind, list[Any]] = {
    Kind.TEXT: ["", "x", "NULL", "buy", "filled", "Buy", " "],
    Kind.MONEY: [
        *map(Decimal, ("0", "1e-18", "-1e-18", "-0", "1", "-1", "1e15", "-1e15")),
        *(LIMIT - Decimal("1e-18"), Decimal("1e-18") - LIMIT, Decimal("9e19")),
    ],
    Kind.TIME: [datetime(2026, 3, 17, tzinfo=UTC)],
    Kind.DATE: [date(2026, 3, 17)],
    Kind.FRACTION: [0.0, -0.0, 1e-300, -1e-300, 0.5, float("nan"), float("inf"), float("-inf")],
    Kind.COUNT: [0, 1, -1, 2**62],
    Kind.JSON: ["{}"],
    Kind.LIST: [["SPY"], [], [None]],
}


def value_of(column: Column) -> st.SearchStrategy[Any]:
    """Any value that Arrow can hold there, the edges of what is allowed among them."""
    return st.none() | st.sampled_from([*EDGES[column.kind], *column.words])


def frame_of(table: Table, rows: list[tuple[Column, Any]]) -> pa.Table:
    """A frame of rows in each of which only that column may be wrong."""
    good: dict[Kind, Any] = {kind: edges[-1] for kind, edges in EDGES.items()}
    good |= {Kind.MONEY: Decimal(1), Kind.FRACTION: 0.5}
    usual = {c.name: c.words[0] if c.words else good[c.kind] for c in table.columns}
    lines = [{**usual, column.name: value} for column, value in rows]
    return pa.Table.from_pylist(lines, schema=table.arrow_schema)


def refused(table: Table, frame: pa.Table) -> set[int]:
    """The lines that the pandera model does not admit."""
    try:
        model(table).validate(frame.to_pandas(types_mapper=pd.ArrowDtype), lazy=True)
    except pandera.errors.SchemaErrors as errors:
        return {int(line) for line in errors.failure_cases["index"]}
    return set()


@pytest.mark.parametrize("name", TABLES)
def test_a_value_is_vouched_for_exactly_if_the_model_admits_it(name: str) -> None:
    table = TABLES[name]
    rows = [(c, value) for c in table.columns for value in [None, *EDGES[c.kind], *c.words]]
    frame = frame_of(table, rows)
    wrong = refused(table, frame)
    assert wrong
    for line, row in enumerate(rows):
        assert is_clean(table, frame.slice(line, 1)) == (line not in wrong), row


@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_whatever_stands_among_other_values_is_seen(data: st.DataObject) -> None:
    table = data.draw(st.sampled_from(list(TABLES.values())))
    column = data.draw(st.sampled_from(table.columns))
    values = data.draw(st.lists(value_of(column), max_size=6))
    frame = frame_of(table, [(column, value) for value in values])
    assert is_clean(table, frame) == (not refused(table, frame))


def test_a_column_of_another_type_is_not_vouched_for() -> None:
    fills = TABLES["fills"]
    frame = frame_of(fills, [(fills.columns[0], "e1")])
    for column in fills.columns:
        if column.kind is Kind.MONEY:
            place = frame.column_names.index(column.name)
            other = frame.set_column(place, column.name, pa.array([1.0]))
            assert not is_clean(fills, other)
