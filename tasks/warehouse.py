"""The warehouse: journaled sessions become rows in DuckDB, each in one transaction."""

from __future__ import annotations

from collections.abc import Sequence

from prefect import task
from prefect.cache_policies import NO_CACHE

from coordinator.bootstrap import warehouse_path
from tasks.repeats import may_pass
from warehouse import LoadResult, SessionSource, Store, load_sessions


@task(
    name="load warehouse",
    retries=3,
    retry_delay_seconds=[10, 30, 60],
    retry_condition_fn=may_pass,
    cache_policy=NO_CACHE,
    persist_result=False,
)
def load_warehouse(sources: Sequence[SessionSource]) -> list[LoadResult]:
    """Loads every session that is not loaded, or changed since."""
    with Store.open(warehouse_path()) as store:
        return load_sessions(store, sources)
