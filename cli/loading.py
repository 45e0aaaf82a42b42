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
from coordinator.readers import running_sessions
from warehouse import (
    LoadStatus,
    SessionSource,
    Store,
    WarehouseError,
    WarehouseLocked,
    ask_beforehand,
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
    incomplete = 0
    with Store.open(warehouse, deadline_s=deadline_s) as store:
        for source in sources:
            result = load_session(store, source)
            if result.status is LoadStatus.INCOMPLETE:
                incomplete += 1
                complain(f"Warning: {result.message}")
            else:
                log.info(result.message)
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
    return incomplete


def load_after(
    session_id: str, *, deadline_s: float = AFTER_SESSION_DEADLINE_S, speed: float = 1.0
) -> None:
    """Load a session that has just ended, and those that died before it; errors are printed."""
    try:
        load_all(warehouse_path(), _due(session_id), deadline_s=deadline_s, speed=speed)
    except (WarehouseError, JournalDamaged, StorageError, OSError) as error:
        complain(f"Warning: the session is not in the warehouse. {error}")
        complain(f"Repeat with: multi-trader end-of-day --session {session_id}")


def _due(ended: str) -> list[SessionSource]:
    """The session that has ended, after the account's others of a week that nobody trades now."""
    home = home_folder()
    own = session_sources(home, ended)
    beside = sources_beside(home, [source.session_id for source in own])
    running = running_sessions(home)
    return [*(one for one in beside if one.session_id not in running), *own]


def load_played(session: PlayedSession, place: Path | str) -> None:
    """Load a session of a backtest; warns on stderr if a row of it was refused.

    Raises WarehouseError.
    """
    with Store.open(place) as store:
        result = load_session(store, session)
    if result.status is LoadStatus.INCOMPLETE:
        complain(f"Warning: {result.message}")
