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
    """Fetches some tickers' bars; returns the number of each."""
    return await asyncio.to_thread(warm_up.fetch, tickers)


@task(name="write warm-up file", cache_policy=NO_CACHE, persist_result=False)
async def write_history(warm_up: WarmUp) -> WarmupOutcome:
    """Writes all fetched bars to the account's warm-up file, atomically."""
    return await asyncio.to_thread(warm_up.write)
