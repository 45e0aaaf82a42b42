"""Work beside the loop: whatever becomes of it is told on the loop, not on the worker's thread."""

from __future__ import annotations

import asyncio
import threading

from coordinator.shell.workers import Threads


def test_a_result_and_an_error_are_both_told_on_the_loop() -> None:
    told: list[tuple[object, bool]] = []

    async def story() -> None:
        loop, worker, over = threading.get_ident(), Threads().one("line"), asyncio.Event()
        handed_in = threading.Event()

        def hear(what: object) -> None:
            told.append((what, threading.get_ident() == loop))

        worker.submit(handed_in.wait, lambda _: None, hear)
        worker.submit(lambda: 1 // 0, hear, lambda error: hear(type(error)))
        worker.submit(threading.get_ident, lambda at: hear(at != loop), hear)
        worker.submit(lambda: None, lambda _: over.set(), hear)
        handed_in.set()
        await over.wait()
        await worker.stop()

    asyncio.run(story())
    assert told == [(ZeroDivisionError, True), (True, True)]
