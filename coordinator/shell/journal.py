"""The journal: one SQLite file per account, in which every record is durable before it counts.

Rows are appended and never changed; orders of one minute share one. Each carries the hash of the
row before it, so that a missing or altered row is found at the next start: SQLite's own check does
not notice a changed digit.
Coordinators of one account share the file; an append hands back what the others wrote meanwhile. A
posting stands under the session of the book that it moves, whichever of them attributes it.
"""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from coordinator.core.codec import encode_all
from coordinator.core.records import ActivityBooked, BarsSeen, HistorySeen, Record, SessionOpened
from coordinator.core.values import UNASSIGNED
from coordinator.errors import SafetyRefusal, StorageError
from coordinator.shell.journal_file import HOLDS_NOTHING, SCHEMA, connect, is_unbegun
from coordinator.shell.journal_file import reading as reading
from coordinator.shell.journal_log import Log
from coordinator.shell.journal_rows import GENESIS as GENESIS
from coordinator.shell.journal_rows import Entry as Entry
from coordinator.shell.journal_rows import broken, chained, entries_of, unusable

log = logging.getLogger("coordinator")
SCHEMA_VERSION = 2
"""Since 2 several records of a kind may share a row."""
_BAR_KINDS = {BarsSeen.__name__, HistorySeen.__name__}


class Journal:
    """An account's journal, open for one coordinator.

    Raises:
        SafetyRefusal: the file belongs to another account or to a newer program.
        JournalDamaged: it is no journal, or its hash chain is broken; nothing may be traded on it.
    """

    def __init__(self, path: Path, account: str, coordinator: str) -> None:
        self.path = path
        self._coordinator = coordinator
        was_there = path.exists()
        self._connection = connect(path)
        self._log = Log(self._connection, path)
        self._seq = 0
        self._hash = GENESIS
        self._data_version = 0
        self._homes: dict[str, str] = {}
        try:
            self._check_info(account)
            if is_unbegun(self._connection, path) and was_there:
                log.warning(HOLDS_NOTHING, path)
            _prepare(self._connection, account)
        except (sqlite3.DatabaseError, ValueError) as error:
            self._connection.close()
            raise unusable(path, error) from error
        except BaseException:
            self._connection.close()
            raise

    def close(self) -> None:
        """Close the file. What was appended is durable already."""
        self._connection.close()

    def replay(self) -> Iterator[Entry]:
        """Every entry in order, the chain verified; bars only of each coordinator's last session.

        Marks and equity of earlier sessions are carried by the sessions that followed them.

        Raises:
            JournalDamaged: the file is damaged, wherever that shows.
        """
        last = dict(
            self._read(
                "SELECT coordinator, session_id FROM records NOT INDEXED"  # it has no hashes
                " WHERE kind = 'SessionOpened' ORDER BY seq"
            )
        )
        for seq, coordinator, session_id, kind, body, digest in self._read(
            "SELECT seq, coordinator, session_id, kind, body, hash FROM records ORDER BY seq"
        ):
            self._verify(seq, coordinator, session_id, kind, body, digest)
            if kind not in _BAR_KINDS or last.get(coordinator) == session_id:
                for entry in entries_of(seq, coordinator, session_id, kind, body):
                    self._note(entry.record)
                    yield entry

    def skip_to_end(self) -> None:
        """Go to the newest entry unread, to append what depends on none of them."""
        newest = self._connection.execute(
            "SELECT seq, hash FROM records ORDER BY seq DESC LIMIT 1"
        ).fetchone()
        if newest is not None:
            self._seq, self._hash = newest

    def has_news(self) -> bool:
        """Whether another process has written since this was asked last."""
        (version,) = self._connection.execute("PRAGMA data_version").fetchone()
        changed, self._data_version = version != self._data_version, version
        return bool(changed)

    def tidy(self, at_rest: bool = True) -> None:
        """Do what a commit, and orders behind it, would wait for otherwise, if nothing waits."""
        if at_rest:
            self._log.tidy()

    def append(self, session_id: str, records: Sequence[Record]) -> list[Entry]:
        """Make records durable in one commit; returns what other coordinators wrote before it.

        Raises:
            StorageError: nothing was written, and nothing may be done about the records.
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
        """Append what `decide` makes of the others' latest entries, while nobody else can write.

        Raises:
            StorageError, or what `decide` raises: nothing was written.
        """
        before = self._seq, self._hash
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            records = decide(self._catch_up())
            self._connection.executemany(
                "INSERT INTO records VALUES (?, ?, ?, ?, ?, ?)",
                [
                    self._row(self._home(first, session_id), kind, body, first)
                    for kind, body, first in encode_all(records)
                ],
            )
            self._connection.execute("COMMIT")
            self._log.add_commit()
        except sqlite3.Error as error:
            self._forget(before)
            raise StorageError(
                f"{self.path} could not be written ({error}), so nothing was sent that depends on"
                " it. Make room on the disk, or repair it, and start again: the session goes on"
                " where the journal ends."
            ) from error
        except BaseException:
            self._forget(before)
            raise

    def _read(self, query: str) -> Iterator[tuple[Any, ...]]:
        try:
            yield from self._connection.execute(query)
        except sqlite3.Error as error:
            raise unusable(self.path, error) from error

    def _forget(self, before: tuple[int, str]) -> None:
        self._seq, self._hash = before
        if self._connection.in_transaction:  # a full disk has rolled back already
            self._connection.execute("ROLLBACK")

    def _catch_up(self) -> list[Entry]:
        found: list[Entry] = []
        for seq, coordinator, session_id, kind, body, digest in self._connection.execute(
            "SELECT seq, coordinator, session_id, kind, body, hash FROM records"
            " WHERE seq > ? ORDER BY seq",
            (self._seq,),
        ).fetchall():
            self._verify(seq, coordinator, session_id, kind, body, digest)
            entries = entries_of(seq, coordinator, session_id, kind, body)
            for entry in entries:
                self._note(entry.record)
            found += entries
        return found

    def _home(self, record: Record, session_id: str) -> str:
        """The session of the book that a posting moves, whichever coordinator attributes it."""
        if not isinstance(record, ActivityBooked):
            return session_id
        return self._homes.get(record.strategy, session_id)

    def _note(self, record: Record) -> None:
        """Remember which session each strategy was opened in last."""
        if isinstance(record, SessionOpened):
            for opening in record.openings:
                if opening.strategy != UNASSIGNED:
                    self._homes[opening.strategy] = record.session_id

    def _row(
        self, session_id: str, kind: str, body: str, first: Record
    ) -> tuple[int, str, str, str, str, str]:
        """The next row, which the chain goes on from; a SessionOpened is alone in its."""
        seq = self._seq + 1
        digest = chained(self._hash, seq, self._coordinator, session_id, kind, body)
        self._seq, self._hash = seq, digest
        self._note(first)
        self._log.add_row(body)
        return seq, self._coordinator, session_id, kind, body, digest

    def _verify(
        self, seq: int, coordinator: str, session_id: str, kind: str, body: str, digest: str
    ) -> None:
        expected = chained(self._hash, self._seq + 1, coordinator, session_id, kind, body)
        if seq != self._seq + 1 or digest != expected:
            raise broken(self.path, seq, self._seq)
        self._seq, self._hash = seq, digest

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


def read_session(path: Path, session_id: str) -> list[Entry]:
    """All entries of one session, read beside a coordinator that may be writing.

    Raises:
        JournalDamaged: an entry is not the one that was written.
    """
    with reading(path) as connection:
        rows = connection.execute(
            "SELECT seq, coordinator, session_id, kind, body, hash,"
            " (SELECT hash FROM records p WHERE p.seq = r.seq - 1) FROM records r"
            " WHERE session_id = ? ORDER BY seq",
            (session_id,),
        ).fetchall()
        found: list[Entry] = []
        for seq, coordinator, session, kind, body, digest, previous in rows:
            if digest != chained(previous or GENESIS, seq, coordinator, session, kind, body):
                raise broken(path, seq, seq - 1)
            found += entries_of(seq, coordinator, session, kind, body)
    return found


def read_sessions(path: Path) -> list[tuple[str, str]]:
    """(session id, hash of its last record) of every session that was opened, oldest first."""
    with reading(path) as connection:
        return connection.execute(
            "SELECT o.session_id, (SELECT hash FROM records l WHERE l.session_id = o.session_id"
            " ORDER BY l.seq DESC LIMIT 1) FROM records o"
            " WHERE o.kind = 'SessionOpened' GROUP BY o.session_id ORDER BY min(o.seq)"
        ).fetchall()


def read_newest(path: Path, *kinds: type[Record]) -> Entry | None:
    """The newest entry of these kinds of record, or of any kind; None if there is none."""
    asked = (_NEWEST_OF, _named(kinds)) if kinds else (_NEWEST, ())
    with reading(path) as connection:
        row = connection.execute(*asked).fetchone()
        return None if row is None else entries_of(*row)[-1]


def read_kinds(path: Path, *kinds: type[Record]) -> list[Entry]:
    """All entries of these kinds of record, oldest first, whatever session they belong to."""
    with reading(path) as connection:
        rows = connection.execute(_ALL_OF, _named(kinds)).fetchall()
        return [entry for row in rows for entry in entries_of(*row)]


_NEWEST = "SELECT seq, coordinator, session_id, kind, body FROM records ORDER BY seq DESC LIMIT 1"
_NEWEST_OF = (
    "SELECT seq, coordinator, session_id, kind, body FROM records"
    " WHERE kind IN (SELECT value FROM json_each(?)) ORDER BY seq DESC LIMIT 1"
)
_ALL_OF = (
    "SELECT seq, coordinator, session_id, kind, body FROM records"
    " WHERE kind IN (SELECT value FROM json_each(?)) ORDER BY seq"
)


def _named(kinds: Iterable[type[Record]]) -> tuple[str]:
    return (json.dumps([kind.__name__ for kind in kinds]),)


def _read_info(connection: sqlite3.Connection) -> dict[str, str]:
    """What the file says of itself; nothing if it is new."""
    named = "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'info'"
    if not connection.execute(named).fetchone()[0]:
        return {}
    return dict(connection.execute("SELECT key, value FROM info").fetchall())


def _prepare(connection: sqlite3.Connection, account: str) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA wal_autocheckpoint = 4000")  # pages; by then in any commit
    connection.executescript(SCHEMA)
    connection.executemany(
        "INSERT OR IGNORE INTO info VALUES (?, ?)",
        [("schema", str(SCHEMA_VERSION)), ("account", account)],
    )
    connection.execute(
        "UPDATE info SET value = ?1 WHERE key = 'schema' AND CAST(value AS INTEGER) < ?1",
        (SCHEMA_VERSION,),
    )
