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

from warehouse.migrate import version_of

_COPY = "import shutil, sys; shutil.copyfile(sys.argv[1], sys.argv[2])"
_CONTENT = (
    "SELECT table_name, estimated_size FROM duckdb_tables() ORDER BY table_name",
    "SELECT * FROM loads ORDER BY session_id",
    "SELECT * FROM discrepancies ORDER BY ALL",
)
"""Queries whose answers differ after any change of a warehouse: each load records its time."""


def copy_beside(connection: duckdb.DuckDBPyConnection, file: Path, version: int) -> None:
    """Copies the open file as it was, e.g. to warehouse.duckdb.schema1, or to .schema1.2."""
    connection.execute("FORCE CHECKPOINT")
    first = file.with_name(f"{file.name}.schema{version}")
    partial = first.with_name(first.name + ".partial")
    # In another process: closing the file in this one would drop this process's lock on it.
    subprocess.run([sys.executable, "-c", _COPY, str(file), str(partial)], check=True)  # noqa: S603
    for number in itertools.count(1):
        copy = first if number == 1 else first.with_name(f"{first.name}.{number}")
        if not copy.exists():
            partial.rename(copy)
            return
        if _content(copy) == _content(partial):
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
