"""The journal: one SQLite file per account, in which every record is durable before it counts.

Rows are appended and never changed; the orders of one minute share one. Each carries the hash of
the row before it, so that the next start finds a missing or altered row: SQLite's own check does
not notice a changed digit. Coordinators of one account share the file; an append returns what the
others wrote meanwhile. A posting is filed under the session of the book that it moves, whichever
coordinator attributes it.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from coordinator.core.codec import encode_all
from coordinator.core.neighbours import joining
from coordinator.core.records import (
    ActivityBooked,
    BarsSeen,
    FillBooked,
    HistorySeen,
    OrderAdopted,
    OrderMoved,
    Record,
    SessionOpened,
    SessionResumed,
)
from coordinator.core.sequences import strategy_of
from coordinator.errors import SafetyRefusal, StorageError
from coordinator.shell.journal_file import (
    HOLDS_NOTHING,
    SCHEMA,
    as_ours,
    connect,
    in_place,
    is_unbegun,
    keep_log,
)
from coordinator.shell.journal_log import Log
from coordinator.shell.journal_rows import End, Entry, Row, entries_of, unusable

log = logging.getLogger("coordinator")
SCHEMA_VERSION = 2
"""Since 2 several records of a kind may share a row."""
_LATER = (
    "SELECT seq, coordinator, session_id, kind, body, hash FROM records WHERE seq > ? ORDER BY seq"
)
_BAR_KINDS = {BarsSeen.__name__, HistorySeen.__name__}
_BEGINNINGS = {SessionOpened.__name__, SessionResumed.__name__}


class Journal:
    """An account's journal, open for one coordinator.

    Raises:
        SafetyRefusal: the file belongs to another account or to a newer program; later, another
            process began to write as this coordinator.
        JournalDamaged: it is no journal, or its hash chain is broken; nothing may be traded on it.
        StorageError: it cannot be opened just now, which says nothing about its content.
    """

    def __init__(self, path: Path, account: str, coordinator: str) -> None:
        self.path = path
        self._coordinator = coordinator
        was_there = path.exists()
        self._connection = connect(path)
        self._log = Log(self._connection, path)
        self._end = End()
        self._data_version = 0
        self._session_of: dict[str, str] = {}
        """The last session that each strategy joined."""
        self._opened: dict[str, SessionOpened] = {}
        """The last opening of each coordinator."""
        self._adopted_for: dict[str, str] = {}
        """The strategy of each adopted order, whose client order id does not name it."""
        self._newest_session = ""
        try:
            self._check_info(account)
            if is_unbegun(self._connection, path) and was_there:
                log.warning(HOLDS_NOTHING, path)
            _prepare(self._connection, account)
            self._files = in_place(path)
        except (sqlite3.DatabaseError, ValueError) as error:
            self._connection.close()
            raise (as_ours(path, error) or error) from error
        except BaseException:
            self._connection.close()
            raise

    def close(self) -> None:
        """Close the file. What was appended is durable already."""
        self._connection.close()

    def replay(self) -> Iterator[Entry]:
        """Every entry in order, the chain verified; bars only of each coordinator's last session.

        Later sessions carry on the marks and equity of earlier ones.

        Raises:
            JournalDamaged: the file is damaged.
        """
        last = dict(
            self._read(
                "SELECT coordinator, session_id FROM records NOT INDEXED"  # no hash protects those
                " WHERE kind = 'SessionOpened' ORDER BY seq"
            )
        )
        for row in self._read(
            "SELECT seq, coordinator, session_id, kind, body, hash FROM records ORDER BY seq"
        ):
            self._end = self._end.then(row, self.path)
            seq, coordinator, session_id, kind, body, _ = row
            if kind not in _BAR_KINDS or last.get(coordinator) == session_id:
                for entry in entries_of(seq, coordinator, session_id, kind, body):
                    self._note(entry.record)
                    yield entry

    def skip_to_end(self) -> None:
        """Skip all entries, to append records that depend on none of them."""
        newest = self._connection.execute(
            "SELECT seq, hash FROM records ORDER BY seq DESC LIMIT 1"
        ).fetchone()
        if newest is not None:
            self._end = End(*newest)

    def has_news(self) -> bool:
        """Whether another process has written since the last call."""
        (version,) = self._connection.execute("PRAGMA data_version").fetchone()
        changed, self._data_version = version != self._data_version, version
        return bool(changed)

    def tidy(self, *, at_rest: bool = True) -> None:
        """Maintain SQLite's log if the session is `at_rest`, so that no commit has to."""
        if at_rest:
            self._log.tidy()

    def append(self, session_id: str, records: Sequence[Record]) -> list[Entry]:
        """Make records durable in one commit; returns what other coordinators wrote before it.

        Raises:
            StorageError: nothing was written, and no record may be acted on.
        """
        others: list[Entry] = []

        def given(entries: list[Entry]) -> Sequence[Record]:
            others.extend(entries)
            return records

        self.append_decided(session_id, given)
        return others

    def append_decided(
        self, session_id: str, decide: Callable[[list[Entry]], Sequence[Record]]
    ) -> None:
        """Append what `decide` returns for the others' latest entries, while nobody else can write.

        Raises:
            StorageError, or what `decide` raises: nothing was written.
        """
        before = self._end
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            self._check_place()
            records = decide(self._catch_up())
            self._connection.executemany(
                "INSERT INTO records VALUES (?, ?, ?, ?, ?, ?)",
                [
                    self._row(self._session_for(first, session_id), kind, body, first)
                    for kind, body, first in encode_all(records)
                ],
            )
            self._connection.execute("COMMIT")
            self._log.add_commit()
        except sqlite3.Error as error:
            self._undo(before)
            raise StorageError(
                f"{self.path} could not be written ({error}), so nothing was sent that depends on"
                " it. Make room on the disk, or repair it, and start again: the session goes on"
                " where the journal ends."
            ) from error
        except BaseException:
            self._undo(before)
            raise

    def _check_place(self) -> None:
        """SQLite goes on with a deleted or emptied file, but no start would find what is in it."""
        if in_place(self.path) != self._files:
            raise StorageError(
                f"{self.path} or its log {self.path.name}-wal was deleted, emptied, moved or"
                " replaced while it was in use, so nothing more was sent. Put both back, or restore"
                " them from a backup, and start again. Without them a start begins new books from"
                " the broker's account, and `multi-trader import-account` gives strategies what it"
                " holds."
            )

    def _read(self, query: str) -> Iterator[tuple[Any, ...]]:
        try:
            yield from self._connection.execute(query)
        except sqlite3.Error as error:
            raise unusable(self.path, error) from error

    def _undo(self, before: End) -> None:
        self._end = before
        if self._connection.in_transaction:  # a full disk has rolled back already
            self._connection.execute("ROLLBACK")

    def _catch_up(self) -> list[Entry]:
        found: list[Entry] = []
        for row in self._connection.execute(_LATER, (self._end.seq,)).fetchall():
            self._end = self._end.then(row, self.path)
            if row[1] == self._coordinator and row[3] in _BEGINNINGS:
                raise SafetyRefusal(
                    f"another process trades as {self._coordinator} in {self.path}, with leases of"
                    " another home, or after ours were removed. It has the session now; this one"
                    " ends, for two would place every order twice."
                )
            entries = entries_of(*row[:-1])
            for entry in entries:
                self._note(entry.record)
            found += entries
        return found

    def _session_for(self, record: Record, session_id: str) -> str:
        """The session to file a record under: of a posting, an order's new state or an order that
        replaced one, the last one that the strategy joined; of any other, `session_id`.

        What a coordinator finds before its first session is filed under the account's newest.
        """
        session_id = session_id or self._newest_session
        match record:
            case ActivityBooked() | FillBooked():
                return self._session_of.get(record.strategy, session_id)
            case OrderMoved():
                return self._session_of.get(self._owner(record.client_order_id), session_id)
            case OrderAdopted():
                return self._session_of.get(self._owner(record.replaces), session_id)
            case _:
                return session_id

    def _note(self, record: Record) -> None:
        """Remember the newest session, each strategy's last one, and whose an adopted order is."""
        match record:
            case SessionOpened():
                self._newest_session = record.session_id
                joined = joining(record, self._opened.get(record.coordinator))
                self._session_of.update(dict.fromkeys(joined, record.session_id))
                self._opened[record.coordinator] = record
            case OrderAdopted():
                self._adopted_for[record.client_order_id] = self._owner(record.replaces)

    def _owner(self, client_order_id: str) -> str:
        return self._adopted_for.get(client_order_id) or strategy_of(client_order_id)

    def _row(self, session_id: str, kind: str, body: str, first: Record) -> Row:
        """Make the next row, which becomes the end; a SessionOpened never shares one."""
        row = self._end.next_row(self._coordinator, session_id, kind, body)
        self._end = End(row[0], row[-1])
        self._note(first)
        self._log.add_row(body)
        return row

    def _check_info(self, account: str) -> None:
        info = _read_info(self._connection)
        if int(info.get("schema", SCHEMA_VERSION)) > SCHEMA_VERSION:
            raise SafetyRefusal(
                f"{self.path} was written by a newer Multi-Trader; update this one to use it."
            )
        if info.get("account", account) != account:
            raise SafetyRefusal(
                f"{self.path} holds the books of account {info['account']}, but the keys belong to"
                f" account {account}. Use each account's own MULTI_TRADER_HOME."
            )


def _read_info(connection: sqlite3.Connection) -> dict[str, str]:
    """The file's schema version and account; empty if it is new."""
    named = "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'info'"
    if not connection.execute(named).fetchone()[0]:
        return {}
    return dict(connection.execute("SELECT key, value FROM info").fetchall())


def _prepare(connection: sqlite3.Connection, account: str) -> None:
    keep_log(connection)
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA wal_autocheckpoint = 4000")  # pages, if `tidy` found no quiet moment
    connection.executescript(SCHEMA)
    connection.executemany(
        "INSERT OR IGNORE INTO info VALUES (?, ?)",
        [("schema", str(SCHEMA_VERSION)), ("account", account)],
    )
    connection.execute(
        "UPDATE info SET value = :ours WHERE key = 'schema' AND CAST(value AS INTEGER) < :ours",
        {"ours": SCHEMA_VERSION},
    )
