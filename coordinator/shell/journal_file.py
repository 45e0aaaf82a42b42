"""Opens a journal's file to write or to read, and tells a new one from one that lost its content.

SQLite takes an empty file for an empty database. It is one if its creator died before the first
table was made; but beside a log with content it is a truncated journal, and SQLite would delete
that log on opening.
"""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import suppress
from pathlib import Path

from coordinator.errors import JournalDamaged, MultiTraderError, StorageError
from coordinator.shell.folders import private_folder
from coordinator.shell.journal_log import BUSY_S
from coordinator.shell.journal_rows import unusable

SCHEMA = """
CREATE TABLE IF NOT EXISTS info (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS records (
    seq INTEGER PRIMARY KEY, coordinator TEXT NOT NULL, session_id TEXT NOT NULL,
    kind TEXT NOT NULL, body TEXT NOT NULL, hash TEXT NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS records_of_session ON records (session_id, seq);
CREATE INDEX IF NOT EXISTS records_of_kind ON records (kind, seq);
"""
_PASSING = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_FULL,
}
"""SQLite's errors for a file that is locked or cannot be reached, and for a full disk."""
AGAIN_S = 0.01
"""Local seconds between two tries of what SQLite itself does not wait for."""
MADE_FIRST = "info"
"""The table that a new journal gets before the records' one."""
HOLDS_NOTHING = (
    "⚠ %s holds no record: whoever made it ended before the first one, or begins it just now. If"
    " anything was traded on this account before, the file has lost it: restore it from a backup."
)


def connect(path: Path) -> sqlite3.Connection:
    """The file, open to write; it is made if it is missing.

    Raises:
        JournalDamaged: it was truncated.
    """
    private_folder(path.parent)
    refuse_cut_off(path)
    if not path.exists():  # closing a file gives up this process's locks on it, SQLite's as well
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    # A session opens it on a worker thread and then uses it on its loop: one thread at a time.
    return sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)


def keep_log(connection: sqlite3.Connection) -> None:
    """Have commits written to a log beside the file, which is its mode from then on.

    SQLite waits for another process's lock almost everywhere, but not here: two that make one
    journal in the same moment meet.

    Raises:
        sqlite3.OperationalError: the file was still locked after `BUSY_S`.
    """
    until_s = time.monotonic() + BUSY_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            is_locked = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
            if not is_locked or time.monotonic() >= until_s:
                raise
        time.sleep(AGAIN_S)


def in_place(path: Path) -> list[tuple[int, int] | None]:
    """Which files lie where a journal and the two of SQLite beside it belong; None: none does.

    An empty one counts as none, except the log's, which may be empty.
    """
    return [_found(f"{path}{end}", least) for end, least in (("", 1), ("-wal", 0), ("-shm", 1))]


def _found(file: str, least_bytes: int) -> tuple[int, int] | None:
    try:
        found = os.stat(file)
    except OSError:
        return None
    return (found.st_dev, found.st_ino) if found.st_size >= least_bytes else None


class Reader:
    """A context with the file open to read, while a coordinator may be writing it.

    A file that is `unbegun` has no records yet. Errors of SQLite and of decoding a row that are
    raised within become:

    Raises:
        JournalDamaged: the file is not what was written.
        StorageError: it cannot be opened just now, which says nothing about its content.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        refuse_cut_off(path)
        try:
            self._connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)
        except sqlite3.Error as error:
            raise (as_ours(path, error) or error) from error
        try:
            self.unbegun = is_unbegun(self._connection, path)
        except BaseException as error:
            self.__exit__(type(error), error)
            raise
        if self.unbegun:
            self._connection.close()
            self._connection = sqlite3.connect(":memory:")
            self._connection.executescript(SCHEMA)

    def __enter__(self) -> sqlite3.Connection:
        return self._connection

    def __exit__(self, _: object, error: BaseException | None, *__: object) -> None:
        self._connection.close()
        if error is not None and (ours := as_ours(self._path, error)) is not None:
            raise ours from error


def refuse_cut_off(path: Path) -> None:
    """Check the files before SQLite opens them.

    Raises:
        JournalDamaged: the file is empty, and its log is not.
    """
    log = path.with_name(f"{path.name}-wal")
    with suppress(OSError):  # SQLite reports files that cannot be reached
        # The log first: a process that is just making a journal writes the file before the log.
        if log.stat().st_size and path.stat().st_size == 0:
            raise JournalDamaged(
                f"{path} is empty, but its log {log.name} is not: what the journal held was cut"
                " off. Nothing is traded on it; keep both files, and restore the journal from a"
                " backup, or move both away to start new books from the broker's account."
            )


def is_unbegun(connection: sqlite3.Connection, path: Path) -> bool:
    """Whether the file has no records' table yet: its creator died before, or is still at work.

    Raises:
        JournalDamaged: the table is missing, but the file is too large for a new one.
    """
    if not _tables(connection) <= {MADE_FIRST}:
        return False
    connection.execute("BEGIN")  # one snapshot: another process may be making the rest
    try:
        tables = _tables(connection)
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
    finally:
        connection.execute("COMMIT")
    if not tables <= {MADE_FIRST}:
        return False
    if pages > (3 if tables else 1):  # one for the schema, two for a table and its index
        raise unusable(path, ValueError("its table of records is gone"))
    return True


def as_ours(path: Path, error: BaseException) -> MultiTraderError | None:
    """An error of SQLite or of decoding as one of ours; None if it is of another kind."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    passing = code in _PASSING or (code == sqlite3.SQLITE_READONLY and not _is_ours_to_write(path))
    match error:
        case sqlite3.OperationalError() if passing:
            return StorageError(
                f"{path} cannot be opened just now ({error}). Try again; if that does not help,"
                " look at who may read it, who may write to its folder (SQLite does so even to"
                " read it), and whether the disk is full."
            )
        case sqlite3.DatabaseError() | ValueError():
            return unusable(path, error)
        case _:
            return None


def _is_ours_to_write(path: Path) -> bool:
    """Whether file and folder let this user write; SQLite says READONLY of some damage as well."""
    return all(os.access(one, os.W_OK, effective_ids=True) for one in (path, path.parent))


def _tables(connection: sqlite3.Connection) -> set[str]:
    named = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    return {name for (name,) in named}
