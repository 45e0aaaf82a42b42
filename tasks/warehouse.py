"""The warehouse: journaled sessions become rows in DuckDB, each in one transaction."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from coordinator.bootstrap import ask_broker, home_folder, running_sources, warehouse_path
from tasks.repeats import may_pass
from warehouse import LoadResult, SessionSource, Store, load_sessions, reconcile


@task(
    name="load warehouse",
    retries=3,
    retry_delay_seconds=[10, 30, 60],
    retry_condition_fn=may_pass,
    cache_policy=NO_CACHE,
    persist_result=False,
)
def load_warehouse(
    sources: Sequence[SessionSource], *, running: Collection[str] = ()
) -> list[LoadResult]:
    """Loads every session that is not loaded, or changed since, and reconciles the newest.

    `running` were still traded when the sources were chosen: what they do is judged after them.
    """
    log = get_run_logger()
    with Store.open(warehouse_path()) as store:
        results = load_sessions(store, sources)
        beside = running_sources(home_folder(), running, beside=[s.session_id for s in sources])
        for agreement in reconcile(store, sources, ask_broker(), running=beside):
            (log.warning if agreement.found else log.info)(agreement.message)
    return results
