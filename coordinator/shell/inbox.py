"""The queue of a session's loop: bars, messages of the engine, and operators' requests.

Bars pass through here on their way to a decision, so it is faster than `asyncio.Queue` under
`wait_for`: no lock, and no timer that cancels a task.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from coordinator.core import messages as m
from coordinator.core.values import Bar


@dataclass(frozen=True, slots=True)
class Stop:
    """End the session; `lost` names a stream that ended by itself."""

    lost: str = ""


@dataclass(frozen=True, slots=True)
class OperatorRequest:
    """An operator's request, and the future that its answer goes to."""

    message: m.OperatorAsked
    answer: asyncio.Future[m.Answer]


@dataclass(frozen=True, slots=True)
class ConfigChange:
    """An edited configuration; `complete`, called at its turn, adds the newest bars to it."""

    complete: Callable[[datetime], m.Reload]
    answer: asyncio.Future[m.Answer]


Item = tuple[Bar, ...] | m.Message | Stop | OperatorRequest | ConfigChange


class Inbox:
    """A first-in, first-out queue for one consumer; use it on the loop only."""

    def __init__(self) -> None:
        self._items: deque[Item] = deque()
        self._awaited: asyncio.Future[None] | None = None

    def __len__(self) -> int:
        return len(self._items)

    def put(self, item: Item) -> None:
        """Append an item, and wake the consumer."""
        self._items.append(item)
        self.wake()

    def take(self) -> Item | None:
        """The oldest item, if there is one."""
        return self._items.popleft() if self._items else None

    async def wait(self, timeout_s: float | None) -> Item | None:
        """The oldest item, or None after `timeout_s` local seconds or a `wake`.

        If the queue is empty, the loop runs other tasks at least once.
        """
        if self._items:
            return self.take()
        loop = asyncio.get_running_loop()
        self._awaited = loop.create_future()
        timer = None if timeout_s is None else loop.call_later(timeout_s, self.wake)
        try:
            await self._awaited
        finally:
            self._awaited = None
            if timer is not None:
                timer.cancel()
        return self.take()

    def wake(self) -> None:
        """End a `wait` even without an item: an earlier timer has been set meanwhile."""
        if self._awaited is not None and not self._awaited.done():
            self._awaited.set_result(None)
