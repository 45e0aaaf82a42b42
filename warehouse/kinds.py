"""The declarations of tables: columns with their kinds and the values that they admit."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import pyarrow as pa


class Kind(Enum):
    """The kind of a column's values, and their Arrow type."""

    TEXT = pa.string()
    MONEY = pa.decimal128(38, 18)
    TIME = pa.timestamp("us", tz="UTC")
    DATE = pa.date32()
    FRACTION = pa.float64()
    COUNT = pa.int64()
    JSON = pa.large_string()  # unlike TEXT's, or Enum would make the two one
    LIST = pa.list_(pa.string())


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its kind and the values that it admits."""

    name: str
    kind: Kind
    required: bool = True
    words: tuple[str, ...] = ()
    more_than: int | None = None
    at_least: int | None = None
    nonzero: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """One table: its columns in order and the columns that identify a row."""

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Column names in order."""
        return tuple(column.name for column in self.columns)

    @property
    def arrow_schema(self) -> pa.Schema:
        """The table's columns as an Arrow schema."""
        return pa.schema([(column.name, column.kind.value) for column in self.columns])
