"""Bars: one session's history, fetched before it starts."""

from __future__ import annotations

from prefect import task
from prefect.cache_policies import NO_CACHE

from coordinator.bootstrap import RunOptions, WarmupOutcome, warm_up
from tasks.repeats import may_pass


@task(
    name="fetch history",
    retries=3,
    retry_delay_seconds=[5, 20, 60],
    retry_condition_fn=may_pass,
    cache_policy=NO_CACHE,
    persist_result=False,
)
async def fetch_history(options: RunOptions) -> WarmupOutcome:
    """Each ticker's bars, fetched once and written to the account's warm-up file."""
    return await warm_up(options)
