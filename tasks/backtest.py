"""Backtests: recorded sessions, played on a thread or in processes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from prefect import task
from prefect.cache_policies import NO_CACHE

from coordinator.backtest import BacktestOptions, play_part


@task(name="play sessions", cache_policy=NO_CACHE, persist_result=False)
async def play_sessions(play: Callable[[], None]) -> None:
    """Plays to the end or to a stop, on a thread, so that the loop can receive the stop."""
    await asyncio.to_thread(play)


@task(
    name="play part",
    task_run_name="part {part} of {parts}",
    cache_policy=NO_CACHE,
    persist_result=False,
)
def play_part_of_sweep(options: BacktestOptions, part: int, parts: int, folder: Path) -> int:
    """Plays one part of a sweep in a process of its own; returns the number of sessions."""
    return play_part(options, part, parts, folder)
