"""The warehouse: journaled sessions become rows in DuckDB, each in one transaction."""

from __future__ import annotations

from collections.abc import Sequence

from prefect import get_run_logger

from coordinator.bootstrap import ask_broker, home_folder, sources_beside, warehouse_path
from tasks.repeats import on_the_warehouse
from warehouse import (
    AskBroker,
    LoadResult,
    SessionSource,
    Store,
    WarehouseLocked,
    ask_beforehand,
    load_sessions,
    reconcile,
)


@on_the_warehouse("load warehouse")
def load_warehouse(sources: Sequence[SessionSource]) -> list[LoadResult]:
    """Loads every session that is not loaded or has changed since, and reconciles the newest.

    Doings of other sessions that are not loaded yet are judged after those sessions' own load.
    """
    with Store.open(warehouse_path()) as store:
        results = load_sessions(store, sources)
        ask_all = ask_beforehand(store, sources)
    _reconcile(sources, ask_all(ask_broker()))
    return results


def _reconcile(sources: Sequence[SessionSource], answers: AskBroker) -> None:
    """Compares the loaded sessions with the broker's answers, and logs the differences.

    A locked warehouse is no failure here: a retry would find everything loaded and no day to show.
    """
    log = get_run_logger()
    others = sources_beside(home_folder(), [source.session_id for source in sources])
    try:
        with Store.open(warehouse_path()) as store:
            for agreement in reconcile(store, sources, answers, others=others):
                (log.warning if agreement.found else log.info)(agreement.message)
    except WarehouseLocked as error:
        log.warning("Loaded, and not compared with the broker: %s", error)
