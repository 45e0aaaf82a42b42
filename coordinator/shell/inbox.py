"""What reaches a session's loop, one after the other: bars, messages, and what somebody wants.

A frame's bars pass through here on their way to a decision, so that no queue with a lock and no
timer with a task's cancellation stands in their way.
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
    """The session shall end; `lost` names a stream that ended by itself."""

    lost: str = ""


@dataclass(frozen=True, slots=True)
class Wish:
    """Somebody asked for something, and waits for the answer."""

    asked: m.OperatorAsked
    answer: asyncio.Future[m.Answer]


@dataclass(frozen=True, slots=True)
class Change:
    """An edited configuration; when its turn comes, `asked` completes it with the newest bars."""

    asked: Callable[[datetime], m.Reload]
    answer: asyncio.Future[m.Answer]


Item = tuple[Bar, ...] | m.Message | Stop | Wish | Change


class Inbox:
    """Takes from anybody on the loop, and gives to the one who waits, in the order of coming."""

    def __init__(self) -> None:
        self._items: deque[Item] = deque()
        self._awaited: asyncio.Future[None] | None = None

    def __len__(self) -> int:
        return len(self._items)

    def put(self, item: Item) -> None:
        """Append an item; whoever waits goes on when the loop comes round to it."""
        self._items.append(item)
        self.wake()

    def take(self) -> Item | None:
        """The oldest item, if there is one."""
        return self._items.popleft() if self._items else None

    async def wait(self, timeout_s: float | None) -> Item | None:
        """The oldest item, or None after `timeout_s` local seconds or a `wake`.

        If there is none yet, the loop goes round at least once.
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
        """Whoever waits goes on, even with nothing: a time that it did not know of has come up."""
        if self._awaited is not None and not self._awaited.done():
            self._awaited.set_result(None)
