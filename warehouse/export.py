"""The warehouse as Parquet, for programs that read no DuckDB: a folder for each table.

Tables are partitioned by account, mode and date (Hive names: `account=.../session_date=...`), so
that a reader loads only the days it asks for. An export is written to a folder of its own beside
its place and moved there when complete; it replaces an earlier export and nothing else.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb

from warehouse.errors import ExportRefused
from warehouse.schemas import TABLES
from warehouse.store import Store, private_files

MANIFEST = "export.json"
"""The file of an export with the rows of each table; a folder without it is not an export."""

_OWNERS = "SELECT session_id, account, mode FROM sessions"
_OWNERS_AND_DATES = "SELECT session_id, account, mode, session_date FROM sessions"
_DAYS = ["account", "mode", "session_date"]
_BARS = 'SELECT *, "ts"::DATE AS "date" FROM bars'


def export(location: str | Path, folder: Path) -> dict[str, int]:
    """Writes every table to `folder` as Parquet; returns the number of rows by table.

    Raises ExportRefused if the folder holds something other than an export, and what
    Store.open_read_only raises.
    """
    _refuse_foreign(folder)
    with private_files(), Store.open_read_only(location, may_write_files=True) as store:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=folder.parent, prefix=f"{folder.name}.") as beside:
            new = Path(beside) / "export"
            new.mkdir()
            counts = {name: _write(store.connection, name, new) for name in [*TABLES, "quarantine"]}
            (new / MANIFEST).write_text(json.dumps({"rows": counts}, indent=2) + "\n")
            if folder.exists():
                shutil.rmtree(folder)
            new.rename(folder)
    return counts


def _refuse_foreign(folder: Path) -> None:
    empty = not folder.exists() or (folder.is_dir() and not any(folder.iterdir()))
    if not empty and not (folder / MANIFEST).is_file():
        raise ExportRefused(
            f"{folder} holds something that is no export, and was left alone. Name a new folder, "
            "or one that an earlier export made."
        )


def _write(connection: duckdb.DuckDBPyConnection, table: str, folder: Path) -> int:
    """Writes a table to its folder; returns its number of rows. An empty table is one file."""
    source, parts = _source(connection, table)
    count = len(connection.table(table))
    target = str(folder / table)
    if not count:
        Path(target).mkdir()
        source.write_parquet(f"{target}/empty.parquet")
        return 0
    source.write_parquet(target, partition_by=parts, compression="zstd")
    return count


def _source(
    connection: duckdb.DuckDBPyConnection, table: str
) -> tuple[duckdb.DuckDBPyRelation, list[str]]:
    if table == "bars":
        return connection.sql(_BARS), ["account", "feed", "date"]
    rows = connection.table(table)
    if table == "sessions":
        return rows, _DAYS
    own = "session_date" in rows.columns
    days = connection.sql(_OWNERS if own else _OWNERS_AND_DATES)
    return rows.join(days, "session_id", how="left"), _DAYS
