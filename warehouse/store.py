"""The warehouse's file: opening it, waiting for it, and keeping it private.

DuckDB lets one process write or several read, never both. So opening waits for other processes up
to a deadline, says so, and then fails with a typed error; no lock is broken, and a waiting writer
goes before new readers (turns.py). The file has mode 600, a folder made for it 700, and an older
schema is migrated after a copy is put beside the file.
"""

from __future__ import annotations

import fcntl
import glob
import os
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import duckdb

from warehouse.copies import copy_beside
from warehouse.errors import (
    WarehouseError,
    WarehouseLocked,
    WarehouseMissing,
    WarehouseUnreadable,
)
from warehouse.location import is_file, refuse_unsupported
from warehouse.migrate import migrate, refuse_newer, refuse_older, version_of
from warehouse.turns import Turn

_POLL_S = 0.05
_A_WRITER = "a program that waits to write"
_OLD = ".old"
"""The end of a log's name that no warehouse reads any more."""
_NO_DATABASE = "it is a file of data, and no DuckDB database"
_CONFIG = {
    "checkpoint_threshold": "256MB",  # so a big load does not checkpoint after each session
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "python_enable_replacements": "false",
}
_WRITING = {**_CONFIG, "threads": "1"}
"""A session is too small to share among threads: a second one costs time and saves none."""
_OUR_FAULTS = (duckdb.ProgrammingError, duckdb.DataError, duckdb.IntegrityError)
"""Errors of our statements or values; every other error is the file's or the machine's."""


def tell(message: str) -> None:
    """Writes a waiting message to stderr; the default of `on_wait`."""
    print(message, file=sys.stderr, flush=True)


class Store:
    """An open warehouse; a context manager. Times read through `connection` are in UTC."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, location: str) -> None:
        self.connection = connection
        self.location = location

    @classmethod
    def open(
        cls,
        location: str | Path,
        *,
        deadline_s: float = 60.0,
        on_wait: Callable[[str], None] = tell,
    ) -> Self:
        """Opens the warehouse for writing; creates or migrates it as needed.

        `location` is a file, or a DuckDB connection string such as "md:books". Waits up to
        `deadline_s` seconds for other processes, and calls `on_wait` once with a sentence.
        Raises WarehouseUnsupported, WarehouseLocked, WarehouseNewer, WarehouseUnreadable.
        """
        name = str(location)
        refuse_unsupported(name)
        with private_files():
            if is_file(name):
                _make_file(Path(name))
            connection = _connect(name, read_only=False, deadline_s=deadline_s, on_wait=on_wait)
            try:
                if is_file(name):
                    _refuse_data(connection)
                refuse_newer(version_of(connection), name)
                migrate(connection, before_change=lambda old: _copy(connection, name, old))
            except duckdb.Error as error:
                connection.close()
                raise _unreadable(name, error) from error
            except BaseException:
                connection.close()
                raise
        if is_file(name):
            Path(name).chmod(0o600)
        return cls(connection, name)

    @classmethod
    def open_read_only(
        cls,
        location: str | Path,
        *,
        deadline_s: float = 60.0,
        on_wait: Callable[[str], None] = tell,
        may_write_files: bool = False,
    ) -> Self:
        """Opens the warehouse for reading only: no writes, network access or settings.

        Nor files, unless `may_write_files`, which is for our own statements. The database of a
        connection string may use files elsewhere, which only its server's permissions protect.
        Raises WarehouseMissing, WarehouseLocked, WarehouseNewer, WarehouseOlder and
        WarehouseUnreadable.
        """
        name = str(location)
        refuse_unsupported(name)
        if is_file(name) and _is_empty(Path(name)):
            raise WarehouseMissing(
                f"There is no warehouse at {name} yet. Run a session, or load what the journal "
                "holds with `multi-trader end-of-day`."
            )
        connection = _connect(name, read_only=True, deadline_s=deadline_s, on_wait=on_wait)
        try:
            version = version_of(connection)
            refuse_newer(version, name)
            refuse_older(version, name)
            if is_file(name) and not may_write_files:
                connection.execute("SET enable_external_access = false")
            connection.execute("SET lock_configuration = true")
        except BaseException:
            connection.close()
            raise
        return cls(connection, name)

    def rows(self, sql: str, parameters: Sequence[object]) -> list[Mapping[str, Any]]:
        """The answer to one of our own queries, a mapping for each row."""
        cursor = self.connection.execute(sql, list(parameters))
        names = [column[0] for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def close(self) -> None:
        """Closes the file, so that other processes can open it."""
        with private_files():
            self.connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @contextmanager
    def transaction(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """One transaction: commits at the end, or rolls back if the body raises.

        Raises WarehouseUnreadable if the file or the disk is at fault.
        """
        with private_files():  # the write-ahead log is created on demand
            try:
                self.connection.execute("BEGIN")
                yield self.connection
                self.connection.execute("COMMIT")
            except BaseException as error:
                with suppress(duckdb.Error):  # closing rolls back, too
                    self.connection.execute("ROLLBACK")
                if isinstance(error, duckdb.Error) and not isinstance(error, _OUR_FAULTS):
                    raise _unwritable(self.location, error) from error
                raise


@contextmanager
def private_files() -> Iterator[None]:
    """Files created in this context are private to the user (mode 600)."""
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)


def _is_empty(file: Path) -> bool:
    return not file.exists() or (file.is_file() and file.stat().st_size == 0)


def _make_file(file: Path) -> None:
    """Creates the warehouse under another name and renames it when complete, unless it exists."""
    if not _is_empty(file):
        return
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with _alone_in(file.parent):
            if _is_empty(file):  # again: another process may have created it meanwhile
                _make_alone(file)
    except (OSError, duckdb.IOException) as error:
        why = (error.strerror if isinstance(error, OSError) else None) or error
        raise WarehouseUnreadable(
            f"The warehouse {file} cannot be made: {why}. "
            "Name another place in MULTI_TRADER_WAREHOUSE."
        ) from error


def _make_alone(file: Path) -> None:
    beginning = file.with_name(f"{file.name}.{os.getpid()}.new")
    beginning.unlink(missing_ok=True)
    with duckdb.connect(str(beginning), config=dict(_CONFIG)) as connection:
        migrate(connection)
    for log in file.parent.glob(f"{glob.escape(file.name)}.wal*"):  # of a file that is gone
        if not log.name.endswith(_OLD):
            log.replace(log.with_name(log.name + _OLD))
    beginning.replace(file)


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Lets one process at a time create a warehouse in a folder."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _connect(
    location: str, *, read_only: bool, deadline_s: float, on_wait: Callable[[str], None]
) -> duckdb.DuckDBPyConnection:
    """Tries until no other process holds the file: DuckDB offers no lock to wait on."""
    deadline = time.monotonic() + deadline_s
    announced = False
    folder = Path(location).absolute().parent if is_file(location) else None
    with Turn(folder, to_write=not read_only) as turn:
        while True:
            connection, holder = (
                _try(location, read_only=read_only) if turn.came() else (None, _A_WRITER)
            )
            if connection is not None:
                return connection
            turn.missed()
            if time.monotonic() >= deadline:
                raise _locked(location, holder, deadline_s, read_only=read_only)
            if not announced:
                on_wait(
                    f"The warehouse {location} is in use by {holder}; "
                    f"waiting for up to {deadline_s:g} s."
                )
                announced = True
            time.sleep(_POLL_S)


def _try(location: str, *, read_only: bool) -> tuple[duckdb.DuckDBPyConnection | None, str]:
    """The connection, or None and the name of the file's holder."""
    try:
        ours = _CONFIG if read_only else _WRITING
        config = ours if is_file(location) else {}  # a server's client is an extension
        connection = duckdb.connect(location, read_only=read_only, config=dict(config))
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("SET enable_progress_bar = false")  # it would mix with the output
    except duckdb.Error as error:
        holder = _holder(error)
        if holder is None:
            raise _unreadable(location, error) from error
        return None, holder
    return connection, ""


def _refuse_data(connection: duckdb.DuckDBPyConnection) -> None:
    """Refuses a file of JSON or Parquet: DuckDB opens it as a view in memory, and keeps nothing.

    To read alone DuckDB does not open it.
    """
    current = "SELECT path FROM duckdb_databases() WHERE database_name = current_database()"
    if connection.execute(current).fetchone() == (None,):
        raise duckdb.IOException(_NO_DATABASE)


def _holder(error: duckdb.Error) -> str | None:
    """The file's holder, if the error names one."""
    text = str(error)
    if "Conflicting lock is held" in text:
        found = re.search(r"held in (.*?) \(PID (\d+)\)", text)
        return f"process {found[2]} ({found[1]})" if found else "another process"
    if "Could not set lock" in text:
        return "another process"
    if "different configuration than existing connections" in text:
        return "this process itself"
    return None


def _locked(location: str, holder: str, deadline_s: float, *, read_only: bool) -> WarehouseError:
    if read_only:
        return WarehouseLocked(
            f"The warehouse {location} was in use by {holder} for {deadline_s:g} s. A load holds "
            "it until its last session is in, any other program until it is closed, and everything "
            "in it stays whole: ask again then."
        )
    return WarehouseLocked(
        f"The warehouse {location} was in use by {holder} for {deadline_s:g} s. Nothing was "
        "changed; the journal keeps every session but a backtest's. Close the other program, then "
        "repeat `multi-trader end-of-day`, or the backtest."
    )


def _unreadable(location: str, error: duckdb.Error) -> WarehouseError:
    reason = _NO_DATABASE if "in-memory database in read-only" in str(error) else error
    return WarehouseUnreadable(
        f"The warehouse {location} cannot be opened: {reason}. The journal keeps every session but "
        "a backtest's. See what it is, and who may write it; if the file is damaged, move it "
        "aside. If only its log (.wal) does not match it, move that aside. Then repeat "
        "`multi-trader end-of-day`, or the backtest."
    )


def _unwritable(location: str, error: duckdb.Error) -> WarehouseError:
    return WarehouseUnreadable(
        f"The warehouse {location} cannot be written: {error}. The load was undone; the journal "
        "keeps every session but a backtest's. See whether the disk is full; if the file is "
        "damaged, move it aside. Then repeat `multi-trader end-of-day`, or the backtest."
    )


def _copy(connection: duckdb.DuckDBPyConnection, location: str, version: int) -> None:
    if is_file(location):
        copy_beside(connection, Path(location), version)
