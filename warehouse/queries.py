"""Reading: one SELECT at a time on a connection that can do nothing else.

The file is opened read-only with file and network access off and the configuration locked, and a
statement that is not a query is refused before it runs. Times are in UTC.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from warehouse.errors import QueryFailed, QueryRefused
from warehouse.store import Store, tell

_READS = (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN)
_PIVOTS = re.compile(
    r"(?:\s|\(|--[^\n]*\n|/\*.*?\*/)*(?:PIVOT|PIVOT_WIDER|FROM|SELECT|WITH)\b", re.I | re.S
)
"""The start of a query that may pivot on values not named in it, which DuckDB runs as several."""


MULTIPLY = (
    "\nEvery amount has 18 decimals, and a product would need 36. Give each factor fewer: "
    "qty::DECIMAL(18, 9) * price::DECIMAL(18, 9)"
)
"""The hint for products of exact decimals in SQL."""


@dataclass(frozen=True, slots=True)
class QueryResult:
    """Column names and rows; amounts are Decimal, times aware, NULL is None."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]


def query(
    location: str | Path,
    sql: str,
    *,
    parameters: Sequence[object] = (),
    deadline_s: float = 60.0,
    on_wait: Callable[[str], None] = tell,
) -> QueryResult:
    """The answer to one SELECT; waits up to `deadline_s` seconds for a writer to finish.

    Raises QueryRefused for anything that is not one query, QueryFailed with DuckDB's message if it
    fails, and what Store.open_read_only raises.
    """
    with Store.open_read_only(location, deadline_s=deadline_s, on_wait=on_wait) as store:
        return ask(store, sql, parameters)


def ask(store: Store, sql: str, parameters: Sequence[object] = ()) -> QueryResult:
    """The answer to one SELECT on an open store; raises QueryRefused and QueryFailed."""
    try:
        statements = store.connection.extract_statements(sql)
        _refuse_all_but_one_query(statements)
        cursor = store.connection.execute(statements[0], list(parameters))
        columns = tuple(column[0] for column in cursor.description or ())
        return QueryResult(columns, tuple(cursor.fetchall()))
    except duckdb.PermissionException as error:
        raise QueryRefused(f"A query reads the warehouse and nothing else: {error}") from error
    except duckdb.Error as error:
        if "in read-only mode" in str(error):
            raise QueryRefused(f"The warehouse is read-only here: {error}") from error
        hint = MULTIPLY if "in multiplication of DECIMAL" in str(error) else ""
        if isinstance(error, duckdb.CatalogException) and "Table with name" in str(error):
            hint = "\nSHOW TABLES lists what there is, DESCRIBE fills the columns of one."
        raise QueryFailed(f"The query cannot be answered: {error}{hint}") from error


def _refuse_all_but_one_query(statements: Sequence[duckdb.Statement]) -> None:
    if len(statements) != 1:
        raise QueryRefused(f"Give one query at a time; this text holds {len(statements)}.")
    kind = statements[0].type
    pivots = kind is duckdb.StatementType.MULTI and _PIVOTS.match(statements[0].query)
    if kind not in _READS and not pivots:
        raise QueryRefused(
            f"The warehouse is read-only here and {kind.name} is no query. Give a SELECT (or "
            "DESCRIBE, SHOW, SUMMARIZE, PIVOT, EXPLAIN); keep results in a file of your own."
        )
