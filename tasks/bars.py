"""Bars: one session's history, fetched before it starts."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from prefect import task
from prefect.cache_policies import NO_CACHE

from coordinator.bootstrap import WarmUp, WarmupOutcome
from tasks.repeats import may_pass


@task(
    name="fetch history",
    task_run_name="fetch {tickers}",
    retries=3,
    retry_delay_seconds=[5, 20, 60],
    retry_condition_fn=may_pass,
    cache_policy=NO_CACHE,
    persist_result=False,
)
async def fetch_history(warm_up: WarmUp, tickers: Sequence[str]) -> Mapping[str, int]:
    """Some tickers' bars; answers how many there are of each."""
    return await asyncio.to_thread(warm_up.fetch, tickers)


@task(name="write warm-up file", cache_policy=NO_CACHE, persist_result=False)
async def write_history(warm_up: WarmUp) -> WarmupOutcome:
    """Everything that was fetched, in the account's warm-up file, whole or not at all."""
    return await asyncio.to_thread(warm_up.write)
