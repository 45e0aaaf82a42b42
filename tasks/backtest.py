"""Backtests: recorded sessions, played beside the loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from prefect import task
from prefect.cache_policies import NO_CACHE


@task(name="play sessions", cache_policy=NO_CACHE, persist_result=False)
async def play_sessions(play: Callable[[], None]) -> None:
    """Plays to the end or to a stop, on a thread, so that the loop hears one meanwhile."""
    await asyncio.to_thread(play)
