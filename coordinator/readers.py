"""Reading journals beside a coordinator that may be writing: for the warehouse and for `status`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from coordinator.core import records as r
from coordinator.core.books import JUMP, Books
from coordinator.core.statement import Rows
from coordinator.core.values import exactly
from coordinator.core.view import StrategyView, strategy_views
from coordinator.restating import Late, concerns, read_late, restated_rows
from coordinator.shell.journal import Entry, read_kinds, read_session, read_sessions
from coordinator.shell.lease import runs_as
from coordinator.shell.session import JOURNAL


@dataclass(frozen=True, slots=True)
class JournalSource:
    """One session of one account's journal; `mark` changes whenever its records do.

    `late` is what later sessions booked that concerns it, and what it booked for earlier ones.
    """

    journal: Path
    session_id: str
    mark: str
    late: tuple[Late, ...] = ()

    def rows(self) -> Rows:
        """The session as the warehouse's rows, by table; late bookings where they belong."""
        return restated_rows(self.journal, self.session_id, self.late)


@dataclass(frozen=True, slots=True)
class StatusView:
    """The latest session of one coordinator on one account; `state` is running until it ended.

    `killed` and `frozen`, the discrepancies that stand, are the whole account's.
    """

    account: str
    session_id: str
    coordinator: str
    mode: str
    state: str
    strategies: list[StrategyView] = field(default_factory=list)
    killed: bool = False
    frozen: Mapping[str, str] = field(default_factory=dict)
    """What differs, by the id that `reconcile --accept` takes."""


def session_sources(home: Path, session_id: str | None = None) -> list[JournalSource]:
    """Every session in the journals under `home`, oldest first; or the one that is named."""
    sources = []
    for journal in sorted(home.glob(f"*/{JOURNAL}")):
        late = read_late(journal)
        for found, mark in read_sessions(journal):
            if session_id in (None, found):
                mine = tuple(one for one in late if concerns(one, found))
                known = f"{mark}+{mine[-1].booking.seq}" if mine else mark
                sources.append(JournalSource(journal, found, known, mine))
    return sources


def running_sessions(home: Path, leases_folder: Path | None = None) -> dict[str, str]:
    """The sessions that are being traded now, and the coordinator of each.

    Such a session has no end in its journal, and a process holds its coordinator's lease. One
    without an end whose process is gone is as whole as it gets before its next start.
    """
    found = dict[str, str]()
    kinds = r.SessionOpened, r.SessionResumed, r.SessionEnded
    for journal in sorted(home.glob(f"*/{JOURNAL}")):
        open_now: dict[str, str] = {}
        for entry in read_kinds(journal, *kinds):
            open_now.pop(entry.coordinator, None)
            if not isinstance(entry.record, r.SessionEnded):
                open_now[entry.coordinator] = entry.session_id
        account = journal.parent.name
        alive = {name for name in open_now if runs_as(account, name, leases_folder)}
        found |= {session: name for name, session in open_now.items() if name in alive}
    return found


def read_status(home: Path) -> list[StatusView]:
    """The latest session of every coordinator on every account under `home`."""
    latest: dict[tuple[Path, str], StatusView] = {}
    for journal in sorted(home.glob(f"*/{JOURNAL}")):
        for session, _ in read_sessions(journal):
            view = _view(read_session(journal, session))
            latest[journal, view.coordinator] = view
    current = {view.session_id for view in latest.values()}
    standing = {path: _standing(path, current) for path, _ in latest}
    return [
        replace(view, killed=standing[path][0], frozen=standing[path][1])
        for (path, _), view in latest.items()
    ]


def _standing(path: Path, current: Collection[str]) -> tuple[bool, dict[str, str]]:
    """Whether an account is killed, and what differs in it; a price's leap lasts one session."""
    killed, frozen = False, dict[str, str]()
    kinds = r.Killed, r.Revived, r.DiscrepancyFound, r.DiscrepancyResolved
    for entry in read_kinds(path, *kinds):
        match entry.record:
            case r.Killed():
                killed = True
            case r.Revived():
                killed = False
            case r.DiscrepancyFound(discrepancy_id=name) as found if name:
                if found.kind != JUMP or entry.session_id in current:
                    frozen[name] = found.note
            case r.DiscrepancyResolved():
                frozen.pop(entry.record.discrepancy_id, None)
    return killed, frozen


@exactly
def _view(entries: list[Entry]) -> StatusView:
    books = Books()
    for entry in entries:
        if books.session is not None or type(entry.record).__name__ == "SessionOpened":
            books.apply(entry.record)
    opened = books.session
    assert opened is not None, "a session that was opened has its opening in the journal"
    state = books.ended.status if books.ended else "running"
    return StatusView(
        opened.account,
        opened.session_id,
        opened.coordinator,
        opened.mode,
        state,
        strategy_views(books),
    )
