"""Blocking work beside the loop: on other threads, with the results handed back to the loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol, TypeVar

T = TypeVar("T")


class Worker(Protocol):
    """A queue of blocking work, done one piece at a time in the order of submission."""

    def submit(
        self,
        work: Callable[[], T],
        deliver: Callable[[T], None],
        failed: Callable[[BaseException], None],
    ) -> None:
        """Do `work` later; `deliver` is called with its result, or `failed` with what it raised.

        Both are called on the loop.
        """

    async def stop(self) -> None:
        """Finish the piece under way, drop those that wait, and end."""


class Workers(Protocol):
    """Where blocking work is done."""

    def one(self, name: str) -> Worker:
        """A new worker."""

    async def run(self, work: Callable[[], T]) -> T:
        """Do one piece of blocking work and wait for its result."""


class Threads:
    """Workers that are threads."""

    def one(self, name: str) -> Worker:
        """A thread of this name."""
        return _Thread(name)

    async def run(self, work: Callable[[], T]) -> T:
        """Do one piece of work on some thread."""
        return await asyncio.to_thread(work)


class _Thread:
    def __init__(self, name: str) -> None:
        self._executor = ThreadPoolExecutor(1, thread_name_prefix=name)

    def submit(
        self,
        work: Callable[[], T],
        deliver: Callable[[T], None],
        failed: Callable[[BaseException], None],
    ) -> None:
        loop = asyncio.get_running_loop()

        def finished(future: Future[T]) -> None:
            if future.cancelled():
                return
            error = future.exception()
            if error is None:
                loop.call_soon_threadsafe(deliver, future.result())
            else:
                loop.call_soon_threadsafe(failed, error)

        self._executor.submit(work).add_done_callback(finished)

    async def stop(self) -> None:
        await asyncio.to_thread(self._executor.shutdown, wait=True, cancel_futures=True)
