"""Finds sessions in journals for the warehouse, also while a coordinator writes to them."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import chain
from pathlib import Path

from coordinator.core import records as r
from coordinator.core.order_rows import Row
from coordinator.core.restatement import Late
from coordinator.core.statement import Rows
from coordinator.core.values import SHADOW_MARK, UNASSIGNED
from coordinator.errors import JournalDamaged, MultiTraderError, OperatorError, StorageError
from coordinator.restating import Known, by_session, restated_rows
from coordinator.shell.folders import JOURNAL, account_journals
from coordinator.shell.journal_proof import prove
from coordinator.shell.journal_reading import arrivals, departures, read_kinds, read_sessions
from coordinator.shell.journal_rows import Entry
from coordinator.shell.late import read_late
from coordinator.shell.lease import runs_as
from coordinator.shell.shadows import shadow_journals, shadowed

log = logging.getLogger("coordinator")

A_WEEK = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class JournalSource:
    """One session of one account's journal; `mark` changes whenever its records do.

    `late` holds the late bookings that concern it: those of later sessions for it, and its own for
    earlier ones. `known` is of every session, read once for all of them. `follows` is the
    coordinator's previous session and that one's mark; None if there is none, or if another
    coordinator has run one of the strategies meanwhile.
    """

    journal: Path
    session_id: str
    mark: str
    late: tuple[Late, ...] = ()
    known: Known = field(default_factory=Known)
    follows: tuple[str, str] | None = None

    def rows(self) -> Rows:
        """The session as the warehouse's rows, by table, with late bookings where they belong."""
        rows = restated_rows(self.journal, self.session_id, self.late, self.known)
        return as_shadows(rows) if self.journal.name != JOURNAL else rows


@dataclass(frozen=True, slots=True)
class Loadable:
    """Sessions that can be loaded; `kept_out` says why those of other accounts cannot."""

    sources: Sequence[JournalSource]
    kept_out: tuple[MultiTraderError, ...] = ()


def as_shadows(rows: Rows) -> Rows:
    """The rows of shadows, each strategy under a name that no live strategy can have.

    A query by strategy alone therefore never mixes simulated and real trades.
    """
    return {name: [_as_shadow(row) for row in table] for name, table in rows.items()}


def _as_shadow(row: Row) -> Row:
    if row.get("strategy") in (None, UNASSIGNED):
        return row
    return {**row, "strategy": f"{row['strategy']}{SHADOW_MARK}"}


def loadable(home: Path, session_id: str | None = None) -> Loadable:
    """Every session in the journals under `home`, oldest first, or only the one that is named.

    Sessions of shadows come last; a named session includes its shadows. Each journal is proved
    whole before it is read; a damaged one keeps no other account out. For a named session, only
    its account's journals are read.
    """
    journals = _journals(home)
    if session_id is not None:
        account = _account_of(session_id)
        journals = [one for one in journals if _account_folder(one).name == account] or journals
    proved, kept_out = list[Path](), list[MultiTraderError]()
    for journal in journals:
        try:
            prove(journal)
        except (JournalDamaged, StorageError) as error:
            if journal.name == JOURNAL:
                kept_out.append(error)
            else:
                log.warning("⚠ the shadows' journal is not loaded: %s", error)
        else:
            proved.append(journal)
    return Loadable(_sources(proved, session_id), tuple(kept_out))


def unknown_session(home: Path, session_id: str) -> OperatorError:
    """The error of who asks for a session that no journal under `home` has; names those it has."""
    known = ", ".join(source.session_id for source in loadable(home).sources)
    there = f"Those there are: {known}." if known else "There is none at all."
    return OperatorError(f"No journal under {home} holds a session '{session_id}'. {there}")


def session_sources(home: Path, session_id: str | None = None) -> list[JournalSource]:
    """The sources of `loadable`, if every account's journal can be read.

    Raises:
        JournalDamaged: an account's journal is damaged.
        StorageError: an account's journal cannot be read just now.
    """
    found = loadable(home, session_id)
    if found.kept_out:
        raise found.kept_out[0]
    return list(found.sources)


def _sources(journals: Sequence[Path], session_id: str | None = None) -> list[JournalSource]:
    sources = []
    for journal in journals:
        late = read_late(journal)
        concerning = by_session(late)
        newest = dict[str, tuple[str, str]]()
        came = arrivals(journal)
        known = Known(late, departures(journal, chain.from_iterable(came.values())), came)
        for found, mark in read_sessions(journal):
            mine = tuple(concerning.get(found, ()))
            full_mark = f"{mark}+{mine[-1].booking.seq}" if mine else mark
            full_mark += "".join(f"&{one.seq}" for one in came.get(found, ()) if one.went_on)
            _, _, coordinator = found.partition(".")  # <date>.<coordinator>.<account>
            if session_id in (None, found, shadowed(found)):
                before = None if found in came else newest.get(coordinator)
                sources.append(JournalSource(journal, found, full_mark, mine, known, before))
            newest[coordinator] = found, full_mark
    return sources


def running_sessions(home: Path, leases_folder: Path | None = None) -> dict[str, str]:
    """The sessions that are being traded now, and the coordinator of each.

    Such a session has not ended in its journal, and a process holds its coordinator's lease. A
    session whose process is gone can be loaded as it is. An unreadable journal counts as having
    none: nothing of it is loaded anyway.
    """
    found = dict[str, str]()
    for journal in _journals(home):
        open_now: dict[str, str] = {}
        for entry in _openings_and_ends(journal):
            open_now.pop(entry.coordinator, None)
            if not isinstance(entry.record, r.SessionEnded):
                open_now[entry.coordinator] = entry.session_id
        account = _account_folder(journal).name
        alive = {name for name in open_now if runs_as(account, name, leases_folder)}
        found |= {session: name for name, session in open_now.items() if name in alive}
    return found


def _openings_and_ends(journal: Path) -> list[Entry]:
    """The records of sessions opened, resumed and ended; none if the journal cannot be read."""
    try:
        return read_kinds(journal, r.SessionOpened, r.SessionResumed, r.SessionEnded)
    except (JournalDamaged, StorageError):
        return []  # loading it reports why


def sources_beside(home: Path, sessions: Collection[str]) -> list[JournalSource]:
    """The other sessions of the same accounts, from a week before the oldest of `sessions` on.

    They are compared with, not loaded; loading `sessions` has proved their journals.
    """
    accounts = {_account_of(session) for session in sessions}
    oldest = min(map(shadowed, sessions), default=date.max.isoformat())[: len("2026-03-17")]
    since = (date.fromisoformat(oldest) - A_WEEK).isoformat()
    journals = [one for one in account_journals(home) if one.parent.name in accounts]
    found = [one for one in _sources(journals) if one.session_id not in sessions]
    return [one for one in found if one.session_id >= since]


def _journals(home: Path) -> list[Path]:
    """The journals of all accounts, followed by the readable journals of their shadows."""
    shadows = []
    for journal in shadow_journals(home):
        try:
            read_sessions(journal)
        except (JournalDamaged, StorageError) as error:
            log.warning("⚠ the shadows' journal cannot be read: %s", error)
        else:
            shadows.append(journal)
    return [*account_journals(home), *shadows]


def _account_of(session_id: str) -> str:
    """The account in <date>.<coordinator>.<account>, or in that of a shadow session."""
    return shadowed(session_id).rpartition(".")[2]


def _account_folder(journal: Path) -> Path:
    """The state folder of the account of a journal, the account's own or its shadows'."""
    return journal.parent if journal.name == JOURNAL else journal.parent.parent
