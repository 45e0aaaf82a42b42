"""Brings a warehouse file up to the program's schema: each migration once, in its own transaction.

A migration and the record that it ran are one commit. Views hold no data, so they are made anew
whenever their text in the program differs from the text that the file was made with.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import duckdb

from warehouse.errors import WarehouseNewer, WarehouseOlder

_RECORD = """
    CREATE TABLE IF NOT EXISTS schema_versions (
        version BIGINT NOT NULL PRIMARY KEY, name TEXT NOT NULL, applied_at TIMESTAMPTZ NOT NULL);
    COMMENT ON TABLE schema_versions IS 'Migrations that made this file what it is.';
    CREATE TABLE IF NOT EXISTS view_versions (fingerprint TEXT NOT NULL);
    COMMENT ON TABLE view_versions IS 'Fingerprint of the view definitions in this file.';
    COMMENT ON COLUMN schema_versions.version IS 'Number of the migration.';
    COMMENT ON COLUMN schema_versions.name IS 'Its file.';
    COMMENT ON COLUMN schema_versions.applied_at IS 'When it was applied to this file.';
    COMMENT ON COLUMN view_versions.fingerprint IS 'SHA-256 of the definitions.';
"""
_APPLIED = "INSERT INTO schema_versions VALUES (?, ?, now())"
# A view's column without a comment takes that of the tables' column of the same name.
_UNCOMMENTED = """
    SELECT 'COMMENT ON COLUMN "' || v.table_name || '"."' || v.column_name || '" IS ' || chr(39)
           || replace(arg_min(t.comment, list_position(
               ['pnl_daily', 'fills', 'orders', 'positions', 'sessions', 'activities', 'equity',
                'strategies', 'bars'], t.table_name)), chr(39), chr(39) || chr(39)) || chr(39)
    FROM duckdb_columns() AS v JOIN duckdb_views() AS w ON w.view_name = v.table_name
    JOIN duckdb_columns() AS t USING (column_name)
    JOIN duckdb_tables() AS b ON b.table_name = t.table_name
    WHERE NOT w.internal AND NOT w.temporary AND NOT b.temporary AND v.comment IS NULL
      AND t.comment IS NOT NULL
    GROUP BY v.table_name, v.column_name ORDER BY v.table_name, v.column_name
"""


@dataclass(frozen=True, slots=True)
class Migration:
    """One numbered step of the schema."""

    version: int
    name: str
    sql: str


@cache
def all_migrations() -> tuple[Migration, ...]:
    """The program's migrations in order; their numbers run 1, 2, 3, ..."""
    found = [
        Migration(int(entry.name.split("_")[0]), entry.name, entry.read_text(encoding="utf-8"))
        for entry in files("warehouse").joinpath("migrations").iterdir()
        if entry.name.endswith(".sql")
    ]
    found.sort(key=lambda migration: migration.version)
    assert [m.version for m in found] == list(range(1, len(found) + 1)), "migrations have a gap"
    return tuple(found)


@cache
def all_views() -> tuple[str, ...]:
    """The views' SQL in order: staging (`stg_*`) first, then the marts that read it."""
    folder = files("warehouse").joinpath("views")
    found = [entry for entry in folder.iterdir() if entry.name.endswith(".sql")]
    ordered = sorted(found, key=lambda entry: entry.name)  # "stg_..." comes before "v_..."
    return tuple(entry.read_text(encoding="utf-8") for entry in ordered)


def version_of(connection: duckdb.DuckDBPyConnection) -> int:
    """The number of the last migration in the file; 0 for a new one."""
    known = connection.execute(
        "SELECT count(*) FROM duckdb_tables() WHERE table_name = 'schema_versions'"
    ).fetchall()
    if known == [(0,)]:
        return 0
    rows = connection.execute("SELECT coalesce(max(version), 0) FROM schema_versions").fetchall()
    return int(rows[0][0])


def refuse_newer(version: int, location: str) -> None:
    """Raises WarehouseNewer if the file's schema is beyond this program's."""
    newest = all_migrations()[-1].version
    if version > newest:
        raise WarehouseNewer(
            f"The warehouse {location} has schema {version}, this program knows up to {newest}. "
            "It was left untouched: run the newer multi-trader, or name another file in "
            "MULTI_TRADER_WAREHOUSE and load it with `multi-trader end-of-day`."
        )


def refuse_older(version: int, location: str) -> None:
    """Raises WarehouseOlder if the file lacks migrations of this program: a reader runs none."""
    newest = all_migrations()[-1].version
    if version < newest:
        raise WarehouseOlder(
            f"The warehouse {location} has schema {version}, older than the program, which reads "
            f"{newest}. It was left untouched. `multi-trader end-of-day` migrates it, after a copy "
            "is put beside it; then ask again."
        )


def migrate(
    connection: duckdb.DuckDBPyConnection,
    upto: int | None = None,
    before_change: Callable[[int], None] | None = None,
) -> None:
    """Applies pending migrations up to version `upto` (default: all), and renews the views.

    `before_change` is called with the old version before an existing file is changed.
    """
    version = version_of(connection)
    pending = [m for m in all_migrations() if m.version > version and m.version <= (upto or 10**9)]
    if pending and version and before_change is not None:
        before_change(version)
    for migration in pending:
        with _transaction(connection):
            connection.execute(_RECORD)
            connection.execute(migration.sql)
            connection.execute(_APPLIED, [migration.version, migration.name])
    if upto is None:
        _renew_views(connection)


def _renew_views(connection: duckdb.DuckDBPyConnection) -> None:
    wanted = hashlib.sha256("\0".join([*all_views(), _UNCOMMENTED]).encode()).hexdigest()
    if connection.execute("SELECT fingerprint FROM view_versions").fetchall() == [(wanted,)]:
        return
    with _transaction(connection):
        for view in all_views():
            connection.execute(view)
        for (statement,) in connection.execute(_UNCOMMENTED).fetchall():
            connection.execute(statement)
        connection.execute("DELETE FROM view_versions")
        connection.execute("INSERT INTO view_versions VALUES (?)", [wanted])


@contextmanager
def _transaction(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    connection.execute("BEGIN")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
