"""What `status` shows: the latest sessions, asked of their coordinators or read from journals."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from coordinator.core import records as r
from coordinator.core.books import Books
from coordinator.core.discrepancies import DiscrepancyKind
from coordinator.core.halts import Halts
from coordinator.core.live_view import LiveView, StrategyView, strategy_views
from coordinator.core.values import exactly
from coordinator.errors import JournalDamaged, MultiTraderError, StorageError
from coordinator.shell.control_client import NoAnswer, ask_coordinator
from coordinator.shell.control_protocol import Request
from coordinator.shell.folders import account_journals
from coordinator.shell.journal_reading import (
    newest_sessions,
    read_kinds,
    read_last,
    read_sessions,
    run_last,
    session_entries,
)
from coordinator.shell.journal_rows import Entry
from coordinator.shell.lease import runs_as
from coordinator.shell.shadows import shadow_journal, shadowed

PATIENCE_S = 3.0
"""Local seconds to wait for a running coordinator's answer."""


class Unended(StrEnum):
    """The state of a session that has not ended: whether its process still lives."""

    RUNNING = "running"
    NOT_RUNNING = "not running"


@dataclass(frozen=True, slots=True)
class StatusView:
    """The latest session of one coordinator on one account.

    `state` is how it ended, or that it has not. `last_at` is the time of its last record, `live`
    the answer of a running coordinator. `killed` and `frozen` (the open discrepancies) are those of
    the whole account.
    """

    account: str
    session_id: str
    coordinator: str
    mode: str
    state: r.SessionEnd | Unended
    strategies: Sequence[StrategyView] = ()
    killed: bool = False
    frozen: Mapping[str, str] = field(default_factory=dict)
    """Notes on the discrepancies, by the id that `reconcile --accept` takes."""
    last_at: datetime | None = None
    live: LiveView | None = None
    shadows: Sequence[StrategyView] = ()
    """Shadow strategies: simulated books, in none of the account's sums."""

    @property
    def is_running(self) -> bool:
        """Whether it has not ended, and its process lives."""
        return self.state is Unended.RUNNING


@dataclass(slots=True)
class _Standing:
    """What is in force on an account, whichever session wrote it."""

    frozen: dict[str, str] = field(default_factory=dict)
    halts: Halts = field(default_factory=Halts)


def read_status(
    home: Path,
    leases_folder: Path | None = None,
    *,
    unreadable: Callable[[MultiTraderError], object] | None = None,
) -> list[StatusView]:
    """The latest session of every coordinator on every account under `home`.

    A running coordinator is asked; otherwise the view is the journal's. `unreadable` is called with
    the error of each account whose journal cannot be read; without it the error is raised.

    Raises:
        JournalDamaged: an account's journal is damaged.
        StorageError: an account's journal cannot be read just now, or `home` not be listed.
    """
    views = []
    for path in account_journals(home):
        try:
            views += _latest(path, leases_folder)
        except (JournalDamaged, StorageError) as error:
            if unreadable is None:
                raise
            unreadable(error)
    return views


def _latest(path: Path, leases_folder: Path | None) -> list[StatusView]:
    """The latest session of every coordinator on one account, each strategy where it ran last.

    A session that has ended, and of which another runs all strategies by now, is left out.
    """
    newest = newest_sessions(path)
    standing, runs = _standing(path, newest.values()), run_last(path, newest.values())
    views = []
    for name, session in newest.items():
        view = _running(path, name, session) or _kept(path, session, standing, leases_folder)
        kept = [one for one in view.strategies if runs.get(one.name, session) == session]
        if kept or view.shadows or not view.strategies or view.is_running:
            views.append(replace(view, strategies=kept))
    return views


def _running(path: Path, coordinator: str, session: str) -> StatusView | None:
    """A session by the answer of its coordinator; None if that does not trade it."""
    live = _ask(path.parent, coordinator)
    if live is None or live.session_id != session:
        return None
    last = read_last(path, session)
    return StatusView(
        account=live.account,
        session_id=session,
        coordinator=coordinator,
        mode=live.mode,
        state=Unended.RUNNING,
        strategies=live.strategies,
        killed=live.killed,
        frozen=live.frozen,
        last_at=last.record.at if last else None,
        live=live,
        shadows=live.shadows,
    )


def _kept(path: Path, session: str, standing: _Standing, leases_folder: Path | None) -> StatusView:
    """A session as its journal tells it."""
    view = _view(session_entries(path, session), standing)
    view = replace(view, shadows=_shadows(path.parent, view))
    if view.is_running and not runs_as(view.account, view.coordinator, leases_folder):
        return replace(view, state=Unended.NOT_RUNNING)
    return view


def _shadows(account: Path, view: StatusView) -> Sequence[StrategyView]:
    """The shadows beside a session, from their journal."""
    path = shadow_journal(account, view.coordinator)
    if not path.exists():
        return ()
    beside = [name for name, _ in read_sessions(path) if shadowed(name) == view.session_id]
    return _view(session_entries(path, beside[-1]), _Standing()).strategies if beside else ()


def _ask(account: Path, coordinator: str) -> LiveView | None:
    request = Request(do="status", by="status")
    try:
        reply = ask_coordinator(account, coordinator, request, patience_s=PATIENCE_S)
    except NoAnswer:
        return None
    return None if reply is None else reply.status


def _standing(path: Path, current: Collection[str]) -> _Standing:
    """What is in force on an account; a price collar's freeze ends with its session."""
    found = _Standing()
    halts = r.Killed, r.Revived, r.Paused, r.FlattenRequested, r.Resumed
    for entry in read_kinds(path, r.DiscrepancyFound, r.DiscrepancyResolved, *halts):
        match entry.record:
            case r.DiscrepancyFound(discrepancy_id=name) as differs if name:
                if not differs.is_of(DiscrepancyKind.PRICE) or entry.session_id in current:
                    found.frozen[name] = differs.note
            case r.DiscrepancyResolved():
                found.frozen.pop(entry.record.discrepancy_id, None)
            case r.Killed() | r.Revived() | r.Paused() | r.FlattenRequested() | r.Resumed():
                found.halts.apply(entry.record)
    return found


@exactly
def _view(entries: Iterable[Entry], standing: _Standing) -> StatusView:
    books = Books()
    for entry in entries:
        if books.session is not None or isinstance(entry.record, r.SessionOpened):
            books.apply(entry.record)
    books.halts = standing.halts
    opened = books.session
    assert opened is not None, "the journal has the opening of every session"
    return StatusView(
        account=opened.account,
        session_id=opened.session_id,
        coordinator=opened.coordinator,
        mode=opened.mode,
        state=books.ended.status if books.ended else Unended.RUNNING,
        strategies=strategy_views(books),
        killed=standing.halts.killed,
        frozen=standing.frozen,
        last_at=books.last_at,
    )
