"""Copies the warehouse before its schema is changed; a copy is never overwritten.

A copy from an earlier attempt is reused if its content is the same; else the new one gets another
name.
"""

from __future__ import annotations

import itertools
import subprocess
import sys
from pathlib import Path

import duckdb

from warehouse.errors import WarehouseUnreadable
from warehouse.migrate import version_of

_COPY = "import shutil, sys; shutil.copyfile(sys.argv[1], sys.argv[2])"
_CONTENT = (
    "SELECT table_name, estimated_size FROM duckdb_tables() ORDER BY table_name",
    "SELECT * FROM loads ORDER BY session_id",
    "SELECT * FROM discrepancies ORDER BY ALL",
)
"""Queries whose answers differ after any change of a warehouse: each load records its time."""


def copy_beside(connection: duckdb.DuckDBPyConnection, file: Path, version: int) -> None:
    """Copies the open file as it was, e.g. to warehouse.duckdb.schema1, or to .schema1.2.

    Raises WarehouseUnreadable if it cannot be copied; nothing of the copy is left then.
    """
    connection.execute("FORCE CHECKPOINT")
    first = file.with_name(f"{file.name}.schema{version}")
    partial = first.with_name(first.name + ".partial")
    # In another process: closing the file in this one would drop this process's lock on it.
    copy = [sys.executable, "-c", _COPY, str(file), str(partial)]
    try:
        subprocess.run(copy, check=True, capture_output=True, text=True)  # noqa: S603
    except subprocess.CalledProcessError as error:
        partial.unlink(missing_ok=True)
        said: list[str] = error.stderr.splitlines()
        reason = said[-1] if said else error
        raise WarehouseUnreadable(
            f"The warehouse {file} has schema {version}, and was left untouched: before a newer "
            f"one it is copied to {first}, and that failed ({reason}). See whether the disk is "
            "full; then repeat `multi-trader end-of-day`, or the backtest."
        ) from error
    for number in itertools.count(1):
        place = first if number == 1 else first.with_name(f"{first.name}.{number}")
        if not place.exists():
            partial.rename(place)
            return
        if _content(place) == _content(partial):
            partial.unlink()
            return


def _content(file: Path) -> object:
    """The content of a warehouse's file for comparison, or its path if it cannot be read."""
    try:
        with duckdb.connect(str(file), read_only=True) as connection:
            content = [connection.execute(sql).fetchall() for sql in _CONTENT]
            return version_of(connection), content
    except duckdb.Error:
        return file
