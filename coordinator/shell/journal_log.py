"""Maintains SQLite's write-ahead log beside the journal, so that commits, and orders, wait less.

A log that has grown is moved into the file (a checkpoint) in a quiet moment; SQLite would do it
within a commit. And the log file is extended ahead of need: a sync of overwritten blocks takes half
as long as one that makes the file longer.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import suppress
from pathlib import Path

LOG_BYTES = 4 << 20
"""Size of the log from which it is moved."""
ROOM_BYTES = 1 << 20
"""Least free room in the log; when there is less, it is extended by twice as much."""
MOST_BYTES = LOG_BYTES + 4 * ROOM_BYTES
"""A log of this size is not extended: it is overwritten from its start once it has been moved."""
BUSY_S = 30.0
"""Local seconds for which a commit waits for another process's."""
_PATIENT = "PRAGMA busy_timeout = 30000"  # as many milliseconds
COMMIT_BYTES, ROW_BYTES = 5 * 4096, 300
"""About what a commit, and each of its rows, adds to the log besides the row's text."""


class Log:
    """The log of one connection's file. Its content is durable; only its size is managed here."""

    def __init__(self, connection: sqlite3.Connection, journal: Path) -> None:
        self._connection = connection
        self._path = Path(f"{journal.resolve()}-wal")
        self._added = self._written = 0

    def add_row(self, text: str) -> None:
        """Count a row that is about to be committed."""
        self._added += len(text) + ROW_BYTES

    def add_commit(self) -> None:
        """Count a commit."""
        self._added += COMMIT_BYTES

    def tidy(self) -> None:
        """Move the log if it is large, and extend it. Call when nothing waits."""
        with suppress(sqlite3.Error, OSError):  # the log stays usable; a commit reports a bad disk
            if self._added > LOG_BYTES:
                self._move()
            if self._added + ROOM_BYTES > self._written:
                self._extend()

    def _move(self) -> None:
        checkpoint = self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
        busy, pages, moved = checkpoint.fetchone()
        if not busy and pages == moved:  # else a reader holds it: the next quiet moment tries again
            self._added = 0

    def _extend(self) -> None:
        """Append zeros, which no reader takes for frames, because they lack the log's salt.

        See https://sqlite.org/fileformat2.html#walformat. Another writer is not waited for, and a
        nearly full disk's last room is left to commits.
        """
        self._connection.execute("PRAGMA busy_timeout = 0")
        try:
            self._connection.execute("BEGIN IMMEDIATE")  # nobody else writes the log meanwhile
            self._written = self._added + 2 * ROOM_BYTES
            with self._path.open("r+b", buffering=0) as log:
                end = log.seek(0, os.SEEK_END)
                if end < MOST_BYTES:
                    if log.write(bytes(2 * ROOM_BYTES)) < 2 * ROOM_BYTES:
                        log.truncate(end)
                    os.fsync(log.fileno())
        finally:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            self._connection.execute(_PATIENT)
