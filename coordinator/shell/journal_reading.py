"""Queries on a journal; a coordinator may be writing it meanwhile."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from coordinator.core import records as r
from coordinator.core.codec import decode
from coordinator.core.statement import TakenOver
from coordinator.core.values import UNASSIGNED, Bar
from coordinator.errors import JournalDamaged, StorageError
from coordinator.shell.journal_file import Reader
from coordinator.shell.journal_rows import GENESIS, End, Entry, entries_of

_OF_SESSION = (
    "SELECT seq, coordinator, session_id, kind, body, hash,"
    " (SELECT hash FROM records p WHERE p.seq = r.seq - 1) FROM records r"
    " WHERE session_id = ? ORDER BY seq"
)
_OPENED = "SELECT coordinator, session_id FROM records WHERE kind = 'SessionOpened' ORDER BY seq"
_NEWEST = "SELECT seq, coordinator, session_id, kind, body FROM records ORDER BY seq DESC LIMIT 1"
_LAST_OF = (
    "SELECT seq, coordinator, session_id, kind, body FROM records"
    " WHERE session_id = ? ORDER BY seq DESC LIMIT 1"
)
_NEWEST_OF = (
    "SELECT seq, coordinator, session_id, kind, body FROM records"
    " WHERE kind IN (SELECT value FROM json_each(?)) ORDER BY seq DESC LIMIT 1"
)
_ALL_OF = (
    "SELECT seq, coordinator, session_id, kind, body FROM records"
    " WHERE kind IN (SELECT value FROM json_each(?)) ORDER BY seq"
)
_OUTSIDE = (
    "SELECT seq, coordinator, session_id, kind, body FROM records WHERE session_id = ''"
    " ORDER BY seq"
)
_BARS_OF = (
    "SELECT seq, kind, body FROM records WHERE session_id = ? AND seq > ?"
    " AND kind IN ('BarsSeen', 'HistorySeen') ORDER BY seq"
)
# Who joined a session from another coordinator's, and whether that one had records afterwards.
_ARRIVALS = """
    WITH joined AS (
        SELECT o.value ->> '$.strategy' AS strategy, r.session_id, r.coordinator, min(r.seq) AS seq
        FROM records AS r, json_each(r.body, '$.openings') AS o
        WHERE r.kind = 'SessionOpened' AND o.value ->> '$.strategy' <> ?
        GROUP BY strategy, r.session_id
    ), runs AS (
        SELECT *, lag(coordinator) OVER earlier AS by, lag(session_id) OVER earlier AS origin
        FROM joined WINDOW earlier AS (PARTITION BY strategy ORDER BY seq)
    )
    SELECT session_id, strategy, origin, seq, EXISTS (
        SELECT 1 FROM records AS l WHERE l.session_id = origin AND l.seq > runs.seq)
    FROM runs WHERE by <> coordinator ORDER BY seq, strategy
"""
_AT = "SELECT kind, body FROM records WHERE seq = ?"
_RUN_LAST = """
    SELECT strategy, session_id FROM (
        SELECT o.value ->> '$.strategy' AS strategy, r.session_id, min(r.seq) AS joined
        FROM records AS r, json_each(r.body, '$.openings') AS o
        WHERE r.kind = 'SessionOpened' AND r.seq >= (
            SELECT min(seq) FROM records
            WHERE kind = 'SessionOpened' AND session_id IN (SELECT value FROM json_each(?)))
        GROUP BY strategy, r.session_id
    ) ORDER BY joined
"""


def read_session(path: Path, session_id: str) -> list[Entry]:
    """All entries of one session, verified by their hashes.

    Raises:
        JournalDamaged: an entry is not the one that was written.
    """
    return list(session_entries(path, session_id))


def session_entries(path: Path, session_id: str) -> Iterator[Entry]:
    """The same, one by one, for who keeps none of them.

    Raises:
        JournalDamaged: an entry is not the one that was written.
    """
    with Reader(path) as connection:
        for *row, before in connection.execute(_OF_SESSION, (session_id,)):
            End(row[0] - 1, before or GENESIS).then(tuple(row), path)
            yield from entries_of(*row[:-1])


def read_sessions(path: Path) -> list[tuple[str, str]]:
    """(session id, hash of its last record) of every session that was opened, oldest first."""
    with Reader(path) as connection:
        return connection.execute(
            "SELECT o.session_id, (SELECT hash FROM records l WHERE l.session_id = o.session_id"
            " ORDER BY l.seq DESC LIMIT 1) FROM records o"
            " WHERE o.kind = 'SessionOpened' GROUP BY o.session_id ORDER BY min(o.seq)"
        ).fetchall()


def newest_sessions(path: Path) -> dict[str, str]:
    """The id of the session that each coordinator opened last, by the coordinator's name.

    No opening is decoded: each has all strategies of its day.
    """
    with Reader(path) as connection:
        return dict(connection.execute(_OPENED))


@dataclass(frozen=True, slots=True)
class Arrival:
    """A strategy joined a session with the journal's row `seq`.

    Another coordinator had run it last, in the session `origin`, which `went_on` after that row.
    """

    strategy: str
    origin: str
    seq: int
    went_on: bool


@dataclass(frozen=True, slots=True)
class Departure:
    """Some of a session's strategies run elsewhere from the journal's row `seq` on."""

    seq: int
    taken: TakenOver


def arrivals(path: Path) -> dict[str, list[Arrival]]:
    """The strategies that each session took over from another coordinator; by session id."""
    found: dict[str, list[Arrival]] = {}
    with Reader(path) as connection:
        for session_id, name, origin, seq, on in connection.execute(_ARRIVALS, (UNASSIGNED,)):
            found.setdefault(session_id, []).append(Arrival(name, origin, seq, bool(on)))
    return found


def departures(path: Path, arrived: Iterable[Arrival]) -> dict[str, list[Departure]]:
    """Who left each session that went on, or had further records, without them; by session id."""
    names: dict[tuple[str, int], set[str]] = {}
    for one in arrived:
        if one.went_on:
            names.setdefault((one.origin, one.seq), set()).add(one.strategy)
    found: dict[str, list[Departure]] = {}
    with Reader(path) as connection:
        for (session_id, seq), left in sorted(names.items(), key=lambda item: item[0][1]):
            opened = decode(*connection.execute(_AT, (seq,)).fetchone())
            assert isinstance(opened, r.SessionOpened)
            taken = TakenOver(opened.at, frozenset(left), opened.marks)
            found.setdefault(session_id, []).append(Departure(seq, taken))
    return found


def run_last(path: Path, sessions: Iterable[str]) -> dict[str, str]:
    """The session that each strategy joined last, since the first of these sessions opened; by the
    strategy's name."""
    with Reader(path) as connection:
        return dict(connection.execute(_RUN_LAST, (json.dumps(list(sessions)),)))


def read_last(path: Path, session_id: str) -> Entry | None:
    """The last entry of one session; None if it has none."""
    with Reader(path) as connection:
        row = connection.execute(_LAST_OF, (session_id,)).fetchone()
        return None if row is None else entries_of(*row)[-1]


def read_newest(path: Path, *kinds: type[r.Record]) -> Entry | None:
    """The newest entry of these kinds of record (none named: of any); None if there is none."""
    asked = (_NEWEST_OF, _named(kinds)) if kinds else (_NEWEST, ())
    with Reader(path) as connection:
        row = connection.execute(*asked).fetchone()
        return None if row is None else entries_of(*row)[-1]


def newest_opening(path: Path) -> r.SessionOpened | None:
    """The opening that was written last, of any session; None if there is none."""
    newest = read_newest(path, r.SessionOpened)
    return newest.record if newest and isinstance(newest.record, r.SessionOpened) else None


def read_kinds(path: Path, *kinds: type[r.Record]) -> list[Entry]:
    """All entries of these kinds of record, oldest first, of all sessions."""
    with Reader(path) as connection:
        rows = connection.execute(_ALL_OF, _named(kinds)).fetchall()
        return [entry for row in rows for entry in entries_of(*row)]


def read_outside_sessions(path: Path) -> list[Entry]:
    """All entries of no session, oldest first: those from before an account's first session, and
    later ones of commands such as `kill`.
    """
    with Reader(path) as connection:
        return [entry for row in connection.execute(_OUTSIDE) for entry in entries_of(*row)]


def bars_seen(path: Path, session_id: str, *, after: int) -> tuple[int, list[Bar]]:
    """The last record's number, and the bars that a session decided on after record `after`.

    They are in the order of the records, without late corrections.

    Raises:
        StorageError: the journal cannot be read.
    """
    try:
        with Reader(path) as connection:
            rows = connection.execute(_BARS_OF, (session_id, after)).fetchall()
    except JournalDamaged as error:
        raise StorageError(f"{path} could not be read ({error}); look at the disk") from error
    found: list[Bar] = []
    for _, kind, body in rows:
        match decode(kind, body):
            case r.BarsSeen(origin=r.Origin.CORRECTED):
                pass
            case r.BarsSeen() | r.HistorySeen() as record:
                found += record.bars
            case _:
                pass
    return (rows[-1][0] if rows else after), found


def _named(kinds: Iterable[type[r.Record]]) -> tuple[str]:
    return (json.dumps([kind.__name__ for kind in kinds]),)
