"""The waits of a session for its broker while it starts, which a stop ends."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from contextlib import ExitStack, suppress
from typing import Any, TypeVar

from coordinator.errors import BrokerUnavailable
from coordinator.shell.ports import Ports

log = logging.getLogger("coordinator")
T = TypeVar("T")
SILENT_S = 3600.0
"""Local seconds for which a session that starts again waits for a silent broker."""
AGAIN_S = 30.0
"""Local seconds between two starts."""


async def answered(
    start: Callable[[], T | None],
    ports: Ports,
    resources: ExitStack,
    stop: asyncio.Event,
    *,
    waits: bool,
) -> T | None:
    """What `start` returns; if it `waits`, it is repeated while the broker does not answer it.

    Each failed start's `resources` are closed. None if it is to stop meanwhile.

    Raises:
        BrokerUnavailable: the broker does not answer, or if it `waits` not for SILENT_S.
    """
    until_s = ports.monotonic() + (SILENT_S if waits else 0.0)
    while True:
        try:
            return await ports.workers.run(start)
        except BrokerUnavailable as error:
            if ports.monotonic() >= until_s:
                raise
            resources.close()
            log.warning("%s. The session starts again in %.0f s", error, AGAIN_S)
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), AGAIN_S)
        if stop.is_set():
            return None


async def unless_stopped(wait: Coroutine[Any, Any, None], stop: asyncio.Event) -> None:
    """Wait for `wait`, and raise what it raises; if it is to stop meanwhile, it is abandoned."""
    waiting, stopped = asyncio.ensure_future(wait), asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait((waiting, stopped), return_when=asyncio.FIRST_COMPLETED)
        if waiting.done():
            waiting.result()
    finally:
        waiting.cancel()
        stopped.cancel()
        await asyncio.gather(waiting, stopped, return_exceptions=True)


async def when_stopped(stop: asyncio.Event, act: Callable[[], object]) -> None:
    """Call `act` once it is to stop."""
    await stop.wait()
    act()
