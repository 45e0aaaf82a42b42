"""Proves that a journal's rows are those that were written, and that its indexes are complete.

Readers find rows by an index, which no hash protects: a flipped bit in it hides rows, and nothing
else shows that they are missing.
"""

from __future__ import annotations

import logging
import sqlite3
from pathlib import Path

from coordinator.errors import JournalDamaged
from coordinator.shell.journal_file import HOLDS_NOTHING, Reader
from coordinator.shell.journal_rows import End

log = logging.getLogger("coordinator")
_ROWS = (
    "SELECT seq, coordinator, session_id, kind, body, hash FROM records NOT INDEXED ORDER BY seq"
)


def prove(path: Path) -> None:
    """Verify the whole journal without its indexes, and let SQLite compare those with it.

    A coordinator may be writing meanwhile. It takes one or two seconds of CPU time for a year of
    trading days of 390 rows of 8 kB each; commands that only display skip it.

    Raises:
        JournalDamaged: a row is not the one that was written, or an index is wrong.
        StorageError: the file cannot be read just now, which says nothing about its content.
    """
    journal = Reader(path)
    if journal.unbegun:
        log.warning(HOLDS_NOTHING, path)
    with journal as connection:
        _prove_rows(connection, path)
        (said,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
    if said != "ok":
        what = " ".join(str(said).rpartition("***")[2].split())  # without the database's name
        raise JournalDamaged(
            f"{path}: every record is the one that was written, but what leads to them is damaged"
            f" ({what}). Nothing is read out of it, for records would be missing. Stop who trades"
            f" on it, keep a copy, and make the indexes anew: sqlite3 '{path}' REINDEX"
        )


def _prove_rows(connection: sqlite3.Connection, path: Path) -> None:
    end = End()
    for row in connection.execute(_ROWS):
        end = end.then(row, path)
