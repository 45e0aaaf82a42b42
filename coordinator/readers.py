"""Reading journals beside a coordinator that may be writing: for the warehouse and for `status`."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from pathlib import Path

from coordinator.core import records as r
from coordinator.core.books import Books
from coordinator.core.discrepancies import DiscrepancyKind
from coordinator.core.halts import Halts
from coordinator.core.live_view import LiveView, StrategyView, strategy_views
from coordinator.core.order_rows import Row
from coordinator.core.statement import Rows
from coordinator.core.values import SHADOW_MARK, UNASSIGNED, exactly
from coordinator.errors import JournalDamaged, MultiTraderError, StorageError
from coordinator.restating import Late, by_session, read_late, restated_rows
from coordinator.shell.control_client import NoAnswer, ask
from coordinator.shell.control_protocol import Request, addresses
from coordinator.shell.folders import JOURNAL
from coordinator.shell.journal_proof import prove
from coordinator.shell.journal_reading import read_kinds, read_session, read_sessions
from coordinator.shell.journal_rows import Entry
from coordinator.shell.lease import runs_as
from coordinator.shell.shadows import shadow_journal, shadow_journals, shadowed

log = logging.getLogger("coordinator")

A_WEEK = timedelta(days=7)
PATIENCE_S = 3.0
"""Local seconds for which a coordinator's own word is waited for."""


@dataclass(frozen=True, slots=True)
class JournalSource:
    """One session of one account's journal; `mark` changes whenever its records do.

    `late` is what later sessions booked that concerns it, and what it booked for earlier ones;
    `all_late` is that of every session, which is found once for all of them. `follows` is the
    session that its coordinator had before, and that one's mark.
    """

    journal: Path
    session_id: str
    mark: str
    late: tuple[Late, ...] = ()
    all_late: Sequence[Late] = ()
    follows: tuple[str, str] | None = None

    def rows(self) -> Rows:
        """The session as the warehouse's rows, by table; late bookings where they belong."""
        rows = restated_rows(self.journal, self.session_id, self.late, self.all_late)
        return marked(rows) if self.journal.name != JOURNAL else rows


@dataclass(frozen=True, slots=True)
class Loadable:
    """Sessions that can be loaded; `kept_out` says why those of other accounts cannot be."""

    sources: Sequence[JournalSource]
    kept_out: tuple[MultiTraderError, ...] = ()


def marked(rows: Rows) -> Rows:
    """The rows of shadows, each strategy under a name that none on the account can have.

    So a question by strategy alone never sums what was simulated into what was traded.
    """
    return {name: [_marked(row) for row in table] for name, table in rows.items()}


def _marked(row: Row) -> Row:
    if row.get("strategy") in (None, UNASSIGNED):
        return row
    return {**row, "strategy": f"{row['strategy']}{SHADOW_MARK}"}


@dataclass(frozen=True, slots=True)
class StatusView:
    """The latest session of one coordinator on one account.

    `state` is how it ended; until then `running`, or `not running` where its process is gone, which
    wrote its last record at `last_at`. `live` is what a coordinator that runs answered. `killed`
    and `frozen`, the discrepancies that stand, are the whole account's.
    """

    account: str
    session_id: str
    coordinator: str
    mode: str
    state: str
    strategies: Sequence[StrategyView] = ()
    killed: bool = False
    frozen: Mapping[str, str] = field(default_factory=dict)
    """What differs, by the id that `reconcile --accept` takes."""
    last_at: datetime | None = None
    live: LiveView | None = None
    shadows: Sequence[StrategyView] = ()
    """Strategies that only watch: simulated books, in no sum of the account's."""


@dataclass(slots=True)
class _Standing:
    """What stands in an account's journal, whichever session it was written in."""

    killed: bool = False
    frozen: dict[str, str] = field(default_factory=dict)
    halts: Halts = field(default_factory=Halts)


def loadable(home: Path, session_id: str | None = None) -> Loadable:
    """Every session in the journals under `home`, oldest first; or the one that is named.

    Sessions of shadows come after all others; with the one that is named, those of its shadows.
    Each journal that is read out is proven to be whole before: what is loaded lacks nothing. One
    that is not keeps no other account out. To load the one that is named, no other is read.
    """
    journals = _journals(home)
    if session_id is not None:
        account = _account_of(session_id)
        journals = [one for one in journals if _account_folder(one).name == account] or journals
    proven, kept_out = list[Path](), list[MultiTraderError]()
    for journal in journals:
        try:
            prove(journal)
        except (JournalDamaged, StorageError) as error:
            if journal.name == JOURNAL:
                kept_out.append(error)
            else:
                log.warning("⚠ the shadows' journal is not loaded: %s", error)
        else:
            proven.append(journal)
    return Loadable(_sources(proven, session_id), tuple(kept_out))


def session_sources(home: Path, session_id: str | None = None) -> list[JournalSource]:
    """What is `loadable`, where all of it is.

    Raises:
        JournalDamaged: the journal of an account is damaged.
        StorageError: it cannot be read just now.
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
        newest: dict[str, tuple[str, str]] = {}
        for found, mark in read_sessions(journal):
            mine = tuple(concerning.get(found, ()))
            known = f"{mark}+{mine[-1].booking.seq}" if mine else mark
            _, _, whose = found.partition(".")  # <date>.<coordinator>.<account>
            if session_id in (None, found, shadowed(found)):
                before = newest.get(whose)
                sources.append(JournalSource(journal, found, known, mine, late, before))
            newest[whose] = found, known
    return sources


def running_sessions(home: Path, leases_folder: Path | None = None) -> dict[str, str]:
    """The sessions that are being traded now, and the coordinator of each.

    Such a session has no end in its journal, and a process holds its coordinator's lease. One
    without an end whose process is gone is as whole as it gets before its next start. A journal
    that cannot be read tells of none: nothing of it is loaded anyway.
    """
    found = dict[str, str]()
    for journal in _journals(home):
        open_now: dict[str, str] = {}
        for entry in _turns(journal):
            open_now.pop(entry.coordinator, None)
            if not isinstance(entry.record, r.SessionEnded):
                open_now[entry.coordinator] = entry.session_id
        account = _account_folder(journal).name
        alive = {name for name in open_now if runs_as(account, name, leases_folder)}
        found |= {session: name for name, session in open_now.items() if name in alive}
    return found


def _turns(journal: Path) -> list[Entry]:
    """Where sessions begin, go on and end; nothing where the journal cannot be read."""
    try:
        return read_kinds(journal, r.SessionOpened, r.SessionResumed, r.SessionEnded)
    except (JournalDamaged, StorageError):
        return []  # whoever loads it is told why


def sources_beside(home: Path, sessions: Collection[str]) -> list[JournalSource]:
    """The other sessions of the accounts of these ones, from a week before the first of them on.

    They are looked at and not loaded, and their journals were proven with those that were.
    """
    accounts = {_account_of(session) for session in sessions}
    oldest = min(map(shadowed, sessions), default=date.max.isoformat())[: len("2026-03-17")]
    since = (date.fromisoformat(oldest) - A_WEEK).isoformat()
    journals = [one for one in sorted(home.glob(f"*/{JOURNAL}")) if one.parent.name in accounts]
    found = [one for one in _sources(journals) if one.session_id not in sessions]
    return [one for one in found if one.session_id >= since]


def _journals(home: Path) -> list[Path]:
    """The journals of all accounts, and after them those of their shadows that can be read."""
    shadows = []
    for journal in shadow_journals(home):
        try:
            read_sessions(journal)
        except (JournalDamaged, StorageError) as error:
            log.warning("⚠ the shadows' journal cannot be read: %s", error)
        else:
            shadows.append(journal)
    return [*sorted(home.glob(f"*/{JOURNAL}")), *shadows]


def _account_of(session_id: str) -> str:
    """The account of <date>.<coordinator>.<account>, of a shadow's the one that it watches."""
    return shadowed(session_id).rpartition(".")[2]


def _account_folder(journal: Path) -> Path:
    """The state folder of the account that a journal, its own or its shadows', belongs to."""
    return journal.parent if journal.name == JOURNAL else journal.parent.parent


def read_status(
    home: Path,
    leases_folder: Path | None = None,
    *,
    unreadable: Callable[[MultiTraderError], object] | None = None,
) -> list[StatusView]:
    """The latest session of every coordinator on every account under `home`.

    Of one that runs and answers, as it stands now; else as the journal has it. `unreadable` is
    told of each account whose journal cannot be read; without it that is raised.

    Raises:
        JournalDamaged: the journal of an account is damaged.
        StorageError: it cannot be read just now.
    """
    views = []
    for path in sorted(home.glob(f"*/{JOURNAL}")):
        try:
            views += _latest(path, leases_folder)
        except (JournalDamaged, StorageError) as error:
            if unreadable is None:
                raise
            unreadable(error)
    return views


def _latest(path: Path, leases_folder: Path | None) -> list[StatusView]:
    """The latest session of every coordinator on one account."""
    openings = read_kinds(path, r.SessionOpened)
    newest = {entry.coordinator: entry.session_id for entry in openings}
    standing = _standing(path, newest.values())
    return [
        _now(path, _view(read_session(path, session), standing), leases_folder)
        for session in newest.values()
    ]


def _now(path: Path, view: StatusView, leases_folder: Path | None) -> StatusView:
    """A view with what its coordinator says, if one runs."""
    live = _ask(path.parent, view.coordinator)
    if live is not None and live.session_id == view.session_id:
        return replace(
            view,
            state="running",
            strategies=live.strategies,
            killed=live.killed,
            frozen=live.frozen,
            live=live,
            shadows=live.shadows,
        )
    view = replace(view, shadows=_shadows(path.parent, view))
    if view.state == "running" and not runs_as(view.account, view.coordinator, leases_folder):
        return replace(view, state="not running")
    return view


def _shadows(account: Path, view: StatusView) -> Sequence[StrategyView]:
    """The shadows beside a session, as their journal has them."""
    path = shadow_journal(account, view.coordinator)
    if not path.exists():
        return ()
    beside = [name for name, _ in read_sessions(path) if shadowed(name) == view.session_id]
    return _view(read_session(path, beside[-1]), _Standing()).strategies if beside else ()


def _ask(account: Path, coordinator: str) -> LiveView | None:
    for address in addresses(account):
        if address.coordinator == coordinator:
            with suppress(NoAnswer):
                reply = ask(address, Request(do="status", by="status"), patience_s=PATIENCE_S)
                return reply.status if reply is not None else None
    return None


def _standing(path: Path, current: Collection[str]) -> _Standing:
    """What stands in an account; a price's leap lasts one session."""
    found = _Standing()
    kinds = r.Killed, r.Revived, r.DiscrepancyFound, r.DiscrepancyResolved
    for entry in read_kinds(path, *kinds, r.Paused, r.FlattenRequested, r.Resumed):
        match entry.record:
            case r.Killed():
                found.killed = True
            case r.Revived():
                found.killed = False
            case r.DiscrepancyFound(discrepancy_id=name) as differs if name:
                if not differs.is_of(DiscrepancyKind.PRICE) or entry.session_id in current:
                    found.frozen[name] = differs.note
            case r.DiscrepancyResolved():
                found.frozen.pop(entry.record.discrepancy_id, None)
            case r.Paused() | r.FlattenRequested() | r.Resumed():
                found.halts.apply(entry.record)
    return found


@exactly
def _view(entries: list[Entry], standing: _Standing) -> StatusView:
    books = Books()
    for entry in entries:
        if books.session is not None or type(entry.record).__name__ == "SessionOpened":
            books.apply(entry.record)
    books.halts = standing.halts
    opened = books.session
    assert opened is not None, "a session that was opened has its opening in the journal"
    return StatusView(
        account=opened.account,
        session_id=opened.session_id,
        coordinator=opened.coordinator,
        mode=opened.mode,
        state=books.ended.status if books.ended else "running",
        strategies=strategy_views(books),
        killed=standing.killed,
        frozen=standing.frozen,
        last_at=books.last_at,
    )
