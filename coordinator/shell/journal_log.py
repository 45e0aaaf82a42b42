"""The log that SQLite keeps beside the journal's file: what a commit would wait for is done before.

A log that has grown is moved into the file in a quiet moment, for SQLite would do it in a commit,
and orders would wait for that one. And the log is written out ahead: to sync what is written over
takes half as long as to sync what makes a file longer, as the disk knows where it lies.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import suppress
from pathlib import Path

LOG_BYTES = 4 << 20
"""How much there is in the log when it is moved."""
ROOM_BYTES = 1 << 20
"""How far ahead it is written out, at least; it then is twice as far."""
MOST_BYTES = LOG_BYTES + 4 * ROOM_BYTES
"""A log that is as long is not made longer: it is written over once it has been moved."""
BUSY_S = 30.0
"""Local seconds for which a commit waits for another process's."""
_PATIENT = "PRAGMA busy_timeout = 30000"  # as many milliseconds
COMMIT_BYTES, ROW_BYTES = 5 * 4096, 300
"""About what a commit, and each of its rows, adds to the log beside the texts."""


class Log:
    """The log of one connection's file. What it has is durable there."""

    def __init__(self, connection: sqlite3.Connection, journal: Path) -> None:
        self._connection = connection
        self._path = Path(f"{journal.resolve()}-wal")
        self._added = self._written = 0

    def add_row(self, text: str) -> None:
        """A row of this text is about to be committed."""
        self._added += len(text) + ROW_BYTES

    def add_commit(self) -> None:
        """Rows were committed."""
        self._added += COMMIT_BYTES

    def tidy(self) -> None:
        """Move what there is, if it is much, and write ahead. Call when nothing waits."""
        with suppress(sqlite3.Error, OSError):  # the log goes on; a disk that fails tells a commit
            if self._added > LOG_BYTES:
                self._move()
            if self._added + ROOM_BYTES > self._written:
                self._write_ahead()

    def _move(self) -> None:
        checkpoint = self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
        busy, pages, moved = checkpoint.fetchone()
        if not busy and pages == moved:  # else a reader holds it: the next rest tries again
            self._added = 0

    def _write_ahead(self) -> None:
        """Make the log longer by what no reader takes for a frame, as it has not the log's salt.

        See https://sqlite.org/fileformat2.html#walformat. Whoever else writes just now is not
        waited for, and of a full disk nothing is kept: that is for commits.
        """
        self._connection.execute("PRAGMA busy_timeout = 0")
        try:
            self._connection.execute("BEGIN IMMEDIATE")  # nobody else writes to it meanwhile
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
