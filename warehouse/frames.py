"""Converts a source's rows to Arrow frames, without losing a digit or a row.

Every row becomes either a line of the frame or a Rejection that names table, column and row.
Nothing is coerced: a float is not an amount, a naive time not a time, and no date is cut from a
time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from operator import attrgetter, itemgetter
from typing import Any, TypeAlias

import pandas as pd
import pandera.pandas as pandera
import pyarrow as pa

from warehouse.errors import SourceRefused
from warehouse.fast_model import is_clean
from warehouse.json_values import is_json, json_text
from warehouse.kinds import Column, Kind, Table
from warehouse.schemas import model

Row = Mapping[str, Any]
Rows: TypeAlias = "Sequence[Row] | pa.Table"
"""The rows of one table: mappings, or an Arrow table of exactly the table's columns."""

ROW_NO = "row_no"
"""The column of a frame that numbers the source's rows, from 1."""
_UNFIT = (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError, UnicodeEncodeError)
"""Arrow's errors for a value that a column cannot hold."""


@dataclass(frozen=True, slots=True)
class Rejection:
    """A row that is refused: `row_no` counts the source's rows of the table from 1."""

    table: str
    column: str
    row_no: int
    complaint: str

    @property
    def reason(self) -> str:
        """Table, column, row and what is wrong, in one line."""
        return f"{self.table}.{self.column} row {self.row_no}: {self.complaint}"


@dataclass(frozen=True)
class Frame:
    """The accepted rows of one table, with `row_no`, of the `given` rows of its source."""

    table: Table
    given: int
    arrow: pa.Table

    @property
    def is_whole(self) -> bool:
        """Whether every row of the source is still accepted."""
        return bool(self.arrow.num_rows == self.given)

    def without(self, row_nos: set[int]) -> Frame:
        """The frame without those rows."""
        if not row_nos:
            return self
        keep = pa.array([no not in row_nos for no in self.arrow[ROW_NO].to_pylist()], pa.bool_())
        return Frame(self.table, self.given, self.arrow.filter(keep))


def as_mappings(rows: Rows) -> Sequence[Row]:
    """The rows as mappings, also those of an Arrow table."""
    mappings: Sequence[Row] = rows.to_pylist() if isinstance(rows, pa.Table) else rows
    return mappings


def read_frame(table: Table, rows: Rows) -> tuple[Frame, list[Rejection]]:
    """The frame of the rows that the table's model accepts, and the rejections of the others.

    Raises SourceRefused for an Arrow table without rows whose columns are not the table's.
    """
    frame, rejections = _shape(table, rows)
    found = _judge(frame)
    return frame.without({r.row_no for r in found}), rejections + found


def _shape(table: Table, rows: Rows) -> tuple[Frame, list[Rejection]]:
    if hasattr(rows, "__arrow_c_stream__"):
        rows = pa.table(rows)
        shaped = _from_arrow(table, rows)
        if shaped is not None:
            return shaped, []
        if not len(rows):
            raise _not_the_columns(table, rows.schema)
        return _shape_rows(table, as_mappings(rows))
    frame = _shape_at_once(table, rows)
    return (frame, []) if frame is not None else _shape_rows(table, rows)


def _from_arrow(table: Table, rows: pa.Table) -> Frame | None:
    """The frame, if the columns are the table's, or can be converted without loss."""
    if set(rows.column_names) != set(table.names) or len(rows.column_names) != len(table.names):
        return None
    rows = rows.select(list(table.names))
    if not all(_fits(rows.schema.field(column.name).type, column.kind) for column in table.columns):
        return None
    try:
        cast = rows.cast(table.arrow_schema)
    except pa.ArrowInvalid:
        return None
    return Frame(table, len(rows), _numbered(cast, range(1, len(rows) + 1)))


def _fits(given: pa.DataType, kind: Kind) -> bool:
    """Whether values of a type are of the kind, or may be converted to it without loss."""
    texts = pa.types.is_string(given) or pa.types.is_large_string(given)
    decimals = pa.types.is_decimal(given) and kind is Kind.MONEY
    return bool(given == kind.value or (texts and kind is Kind.TEXT) or decimals)


def _not_the_columns(table: Table, given: pa.Schema) -> SourceRefused:
    """The error for wrong columns without a row that could be refused for it."""
    has = {field.name: field.type for field in given}
    wrong = [f"{name}, which is unknown" for name in has if name not in table.names]
    wrong += [f"no {name}" for name in table.names if name not in has]
    wrong += [
        f"{c.name} of type {has[c.name]} instead of {c.kind.value}"
        for c in table.columns
        if c.name in has and not _fits(has[c.name], c.kind)
    ]
    return SourceRefused(
        f"The session was not loaded: its table {table.name} is empty, and has "
        + "; ".join(wrong or ["a column twice"])
        + ". Reader and warehouse are of different versions: install one release of both."
    )


def _shape_at_once(table: Table, rows: Sequence[Row]) -> Frame | None:
    """The frame, if every row is a dictionary with exactly the columns and every value fits."""
    if set(map(type, rows)) != {dict} or set(map(len, rows)) != {len(table.columns)}:
        return None
    arrays = []
    for column in table.columns:
        try:
            array = _exact_array(column.kind, list(map(itemgetter(column.name), rows)))
        except KeyError:
            return None
        if array is None:
            return None
        arrays.append(array)
    arrow = pa.table(arrays, schema=table.arrow_schema)
    return Frame(table, len(rows), _numbered(arrow, range(1, len(rows) + 1)))


def _shape_rows(table: Table, rows: Sequence[Row]) -> tuple[Frame, list[Rejection]]:
    rejections = _wrong_keys(table, rows)
    refused = {r.row_no for r in rejections}
    numbers = [no for no in range(1, len(rows) + 1) if no not in refused]
    columns: dict[str, pa.Array] = {}
    for column in table.columns:
        array, found = _array(table, column, [rows[no - 1][column.name] for no in numbers], numbers)
        if found:
            rejections += found
            refused = {r.row_no for r in found}
            keep = pa.array([no not in refused for no in numbers], pa.bool_())
            columns = {name: done.filter(keep) for name, done in columns.items()}
            numbers = [no for no in numbers if no not in refused]
        columns[column.name] = array
    arrow = pa.table(columns, schema=table.arrow_schema)
    return Frame(table, len(rows), _numbered(arrow, numbers)), rejections


def _numbered(arrow: pa.Table, numbers: Sequence[int]) -> pa.Table:
    return arrow.append_column(ROW_NO, pa.array(numbers, pa.int64()))


def _wrong_keys(table: Table, rows: Sequence[Row]) -> list[Rejection]:
    wanted = set(table.names)
    rejections = []
    for no, row in enumerate(rows, 1):
        is_row = type(row) is dict or isinstance(row, Mapping)  # the first test is faster
        if is_row and row.keys() == wanted:
            continue
        if not is_row:
            rejections.append(Rejection(table.name, "*", no, f"is no row but {row!r:.80}"))
            continue
        missing = [name for name in table.names if name not in row]
        extra = sorted(str(key) for key in row if key not in wanted)
        complaint = f"has no column {missing[0]}" if missing else f"unknown column {extra[0]}"
        rejections.append(Rejection(table.name, (missing or extra)[0], no, complaint))
    return rejections


def _array(
    table: Table, column: Column, values: list[object], numbers: Sequence[int]
) -> tuple[pa.Array, list[Rejection]]:
    """The column of the values that can be stored exactly, and rejections of the others."""
    array = _exact_array(column.kind, values)
    if array is not None:
        return array, []
    if column.kind is Kind.JSON:
        values = [json_text(value) for value in values]
    return _one_by_one(table, column, values, numbers)


def _exact_array(kind: Kind, values: list[Any]) -> pa.Array | None:
    """The column, if every value can be stored exactly."""
    if kind is Kind.JSON:
        values = [json_text(value) for value in values]
    if not all(_is_exact_type(kind, given) for given in set(map(type, values))):
        return None
    if kind is Kind.TIME:
        zones = _zones(values)
        if None in zones:
            return None
        values = values if zones <= {UTC} else _in_utc(kind, values)
    if kind is Kind.JSON and not all(value is None or is_json(value) for value in values):
        return None
    try:
        return pa.array(values, kind.value)
    except _UNFIT:
        return None


def _one_by_one(
    table: Table, column: Column, values: list[object], numbers: Sequence[int]
) -> tuple[pa.Array, list[Rejection]]:
    kept, rejections = [], []
    for no, value in zip(numbers, values, strict=True):
        complaint = _complaint(column.kind, value)
        if complaint is None:
            kept.append(value)
        else:
            rejections.append(Rejection(table.name, column.name, no, complaint))
    return pa.array(_in_utc(column.kind, kept), column.kind.value), rejections


def _in_utc(kind: Kind, values: list[Any]) -> list[Any]:
    """Times in UTC: once pandera is imported, pyarrow drops any other zone without converting."""
    if kind is not Kind.TIME:
        return values
    return [None if value is None else value.astimezone(UTC) for value in values]


def _zones(times: list[Any]) -> set[Any]:
    return set(map(attrgetter("tzinfo"), filter(None, times)))


_TYPES: dict[Kind, tuple[type, ...]] = {
    Kind.TEXT: (str,),
    Kind.MONEY: (Decimal, int),
    Kind.TIME: (datetime,),
    Kind.DATE: (date,),
    Kind.FRACTION: (float, int),
    Kind.COUNT: (int,),
    Kind.JSON: (str,),
    Kind.LIST: (list, tuple),
}
_NEVER: dict[Kind, tuple[type, ...]] = {Kind.DATE: (datetime,)}


def _is_exact_type(kind: Kind, given: type) -> bool:
    if given is type(None):
        return True
    refused = (bool, *_NEVER.get(kind, ()))
    return issubclass(given, _TYPES[kind]) and not issubclass(given, refused)


def _complaint(kind: Kind, value: object) -> str | None:
    """Why the value cannot be stored exactly; None if it can."""
    shown = f"{value!r:.80}"
    if not _is_exact_type(kind, type(value)):
        return f"{shown} is {_article(type(value).__name__)}, not {_WANTED[kind]}"
    if isinstance(value, datetime) and value.tzinfo is None:
        return f"{shown} is a time without a zone"
    if kind is Kind.JSON and isinstance(value, str) and not is_json(value):
        return f"{shown} is not JSON"
    if isinstance(value, Decimal) and not value.is_finite():
        return f"{shown} is not a finite number"
    try:
        pa.array([value], kind.value)
    except _UNFIT as error:
        return f"{shown} does not fit {_WANTED[kind]}: {error}"
    return None


_WANTED = {
    Kind.TEXT: "a text",
    Kind.MONEY: "a Decimal of at most 20 digits before and 18 after the point",
    Kind.TIME: "a time with a zone",
    Kind.DATE: "a date",
    Kind.FRACTION: "a float",
    Kind.COUNT: "a whole number of 64 bits",
    Kind.JSON: "JSON",
    Kind.LIST: "a list of texts",
}


def _article(name: str) -> str:
    return f"an {name}" if name[0] in "aeiou" else f"a {name}"


def _judge(frame: Frame) -> list[Rejection]:
    """The rows that the table's pandera model refuses, with the first complaint for each."""
    if is_clean(frame.table, frame.arrow):
        return []
    pandas = frame.arrow.drop_columns([ROW_NO]).to_pandas(types_mapper=pd.ArrowDtype)
    try:
        model(frame.table).validate(pandas, lazy=True)
    except pandera.errors.SchemaErrors as errors:
        return _rejections(frame, errors)
    return []


def _rejections(frame: Frame, errors: pandera.errors.SchemaErrors) -> list[Rejection]:
    numbers = frame.arrow[ROW_NO].to_pylist()
    found: dict[int, Rejection] = {}
    for error in errors.schema_errors:
        cases: Any = error.failure_cases
        column = str(getattr(error.schema, "name", "*"))
        if not isinstance(cases, pd.DataFrame) or "index" not in cases:
            raise TypeError(f"the model of {frame.table.name} and its frame disagree: {error}")
        for line, value in zip(cases["index"], cases["failure_case"], strict=True):
            if pd.isna(line):
                raise TypeError(f"the model of {frame.table.name} and its frame disagree: {error}")
            no = numbers[int(line)]
            found.setdefault(no, Rejection(frame.table.name, column, no, _as_text(error, value)))
    return list(found.values())


def _as_text(error: pandera.errors.SchemaError, value: object) -> str:
    if error.check == "not_nullable":
        return "is missing (NULL)"
    complaint = getattr(error.check, "error", None) or str(error.check)
    return f"{value} {complaint}"
