"""Loads sessions into the warehouse, and warns of each that is incomplete."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cli.faults import complain
from coordinator.bootstrap import (
    ask_broker,
    home_folder,
    session_sources,
    sources_beside,
    warehouse_path,
)
from coordinator.errors import JournalDamaged, StorageError
from coordinator.readers import JournalSource, loadable, running_sessions
from warehouse import (
    LoadStatus,
    SessionSource,
    Store,
    WarehouseError,
    WarehouseLocked,
    WarehouseMissing,
    ask_beforehand,
    is_loaded,
    load_session,
    reconcile,
)

if TYPE_CHECKING:
    from coordinator.backtest import PlayedSession

AFTER_SESSION_DEADLINE_S = 30.0  # shorter, because a user waits for the prompt

log = logging.getLogger("cli.loading")


def load_all(
    warehouse: Path | str,
    sources: Sequence[SessionSource],
    *,
    deadline_s: float = 60.0,
    speed: float = 1.0,
) -> int:
    """Load new and changed sessions, and compare the newest with the broker.

    Returns the number of incomplete sessions. Waits up to `deadline_s` seconds for another process
    to release the file, which is not held while the broker is asked. `speed` is how many times as
    fast as the local clock the broker's clock may run. Raises WarehouseError; sessions loaded
    before the failing one stay loaded.
    """
    with Store.open(warehouse, deadline_s=deadline_s) as store:
        statuses = [_load(store, source) for source in sources]
        asked = ask_beforehand(store, sources)
    answers = asked(ask_broker(speed=speed))
    others = sources_beside(home_folder(), [source.session_id for source in sources])
    try:
        with Store.open(warehouse, deadline_s=deadline_s) as store:
            for agreement in reconcile(store, sources, answers, others=others):
                if agreement.found:
                    complain(f"Warning: {agreement.message} The table `discrepancies` names them.")
                else:
                    log.info(agreement.message)
    except WarehouseLocked as error:
        complain(f"Warning: loaded, and not compared with the broker. {error}")
    return statuses.count(LoadStatus.INCOMPLETE)


def load_after(
    session_id: str, *, deadline_s: float = AFTER_SESSION_DEADLINE_S, speed: float = 1.0
) -> None:
    """Load a session that has just ended, and those that died before it.

    What to do next is printed, and so are errors.
    """
    missing, repeat = "the session", f"multi-trader end-of-day --session {session_id}"
    try:
        sources = session_sources(home_folder(), session_id)
        load_all(warehouse_path(), sources, deadline_s=deadline_s, speed=speed)
        missing, repeat = "an earlier session", "multi-trader end-of-day"
        if left := _left_behind(session_id):
            with Store.open(warehouse_path(), deadline_s=deadline_s) as store:
                for source in left:
                    _load(store, source)
        complain(f"Look at it: multi-trader report --session {session_id}")
    except (WarehouseError, JournalDamaged, StorageError, OSError) as error:
        complain(f"Warning: {missing} is not in the warehouse. {error}")
        complain(f"Repeat with: {repeat}")


def tell_what_is_not_loaded() -> None:
    """Name the sessions that nobody trades now and that the warehouse lacks, on stderr."""
    running = running_sessions(home_folder())
    sources = [s for s in loadable(home_folder()).sources if s.session_id not in running]
    try:
        missing = _missing(sources)
    except (WarehouseError, OSError) as error:
        complain(f"Warning: it is not known whether the warehouse has every session. {error}")
        return
    if missing:
        names = ", ".join(source.session_id for source in missing)
        complain(f"Not in the warehouse, or changed since they were loaded: {names}.")
        complain("Load with: multi-trader end-of-day")


def _missing(sources: Sequence[JournalSource]) -> list[JournalSource]:
    """Those that are not in the warehouse as their journals have them now."""
    try:
        with Store.open_read_only(warehouse_path(), deadline_s=AFTER_SESSION_DEADLINE_S) as store:
            return [source for source in sources if not is_loaded(store, source)]
    except WarehouseMissing:
        return list(sources)


def _left_behind(ended: str) -> list[JournalSource]:
    """The account's other sessions of a week that nobody trades now."""
    beside, running = sources_beside(home_folder(), [ended]), running_sessions(home_folder())
    return [one for one in beside if one.session_id not in running]


def _load(store: Store, source: SessionSource) -> LoadStatus:
    """Load a session and tell of it, unless it is unchanged."""
    result = load_session(store, source)
    match result.status:
        case LoadStatus.LOADED:
            log.info(result.message)
        case LoadStatus.UNCHANGED:
            log.debug(result.message)
        case LoadStatus.INCOMPLETE:
            complain(f"Warning: {result.message}")
    return result.status


def load_played(session: PlayedSession, place: Path | str) -> None:
    """Load a session of a backtest; warns on stderr if a row of it was refused.

    Raises WarehouseError.
    """
    with Store.open(place) as store:
        result = load_session(store, session)
    if result.status is LoadStatus.INCOMPLETE:
        complain(f"Warning: {result.message}")
