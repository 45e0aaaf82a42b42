"""Virtual time: a loop that jumps to its next timer, and blocking work that runs in greenlets.

Nothing waits for real. A greenlet that must wait gives the loop a timer and goes on when virtual
time has come there, so whatever else happens in between happens, always in the same order.
"""

from __future__ import annotations

import asyncio
from asyncio import base_events
from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar

from greenlet import getcurrent, greenlet

T = TypeVar("T")


class Killed(BaseException):
    """The process is gone, as by SIGKILL: nothing of it may reach the outside any more."""


class Stuck(Exception):
    """Nothing is scheduled and nobody can go on."""


class Endless(Exception):
    """Far more happened than can have been meant to."""


class _Jump:
    """A selector without sockets, whose waiting is done at once."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.turns_left = 1_000_000

    def select(self, timeout_s: float | None) -> list[Any]:
        if timeout_s is None:
            raise Stuck("nothing is scheduled, and the session has not ended")
        self.turns_left -= 1
        if self.turns_left < 0:
            raise Endless("a million turns of the loop in one seed")
        self.now_s += timeout_s
        return []


class VirtualLoop(base_events.BaseEventLoop):
    """An asyncio loop in virtual time, which begins at 0 s."""

    def __init__(self) -> None:
        super().__init__()
        self._selector = _Jump()
        self._clock_resolution = 1e-9

    def time(self) -> float:
        """Virtual seconds."""
        return self._selector.now_s

    def _process_events(self, event_list: list[Any]) -> None:
        pass

    def _write_to_self(self) -> None:
        pass


class Fibers:
    """The workers of one process, each piece of blocking work a greenlet. A kill ends them all.

    `on_failure` is told of what work on a line of its own raised.
    """

    def __init__(self, loop: VirtualLoop, on_failure: Callable[[BaseException], None]) -> None:
        self._loop = loop
        self.on_failure = on_failure
        self._hub = getcurrent()
        self._asleep: dict[greenlet, None] = {}
        self.dead = False

    def one(self, name: str) -> _Line:
        """A line of work, as a thread of this name would be."""
        return _Line(self)

    async def run(self, work: Callable[[], T]) -> T:
        """Do one piece of blocking work and wait for its result."""
        future: asyncio.Future[T] = self._loop.create_future()

        def failed(error: BaseException) -> None:
            if not future.done():
                future.set_exception(error)

        def done(result: T) -> None:
            if not future.done():
                future.set_result(result)

        self.start(work, done, failed)
        return await future

    def start(
        self,
        work: Callable[[], T],
        done: Callable[[T], None],
        failed: Callable[[BaseException], None],
    ) -> None:
        """Begin `work` at the loop's next turn; one of the two is called when it has ended."""

        def whole() -> None:
            try:
                result = work()
            except Killed:
                return
            except BaseException as error:
                self._loop.call_soon(self._unless_dead, failed, error)
            else:
                self._loop.call_soon(self._unless_dead, done, result)

        def begin() -> None:
            if not self.dead:
                greenlet(whole).switch()

        self._loop.call_soon(begin)

    def pause(self, seconds: float) -> None:
        """Let `seconds` pass. For blocking work only."""
        self._loop.call_later(seconds, self.wake, self.here())
        self.sleep_until_woken()

    def here(self) -> greenlet:
        """The piece of work that is running, to be woken later."""
        running = getcurrent()
        assert running is not self._hub, "blocking work on the loop"
        return running

    def sleep_until_woken(self) -> None:
        """Wait for somebody to call `wake`."""
        self._asleep[self.here()] = None
        self._hub.switch()

    def wake(self, sleeper: greenlet) -> None:
        """Let a sleeper go on; called on the loop."""
        if sleeper in self._asleep:
            del self._asleep[sleeper]
            sleeper.switch()

    def bury(self) -> None:
        """End every sleeper where it stands; called on the loop, once dead."""
        while self._asleep:
            sleeper, _ = self._asleep.popitem()
            sleeper.throw(Killed)

    def _unless_dead(self, call: Callable[[Any], None], value: Any) -> None:
        if not self.dead:
            call(value)


class _Line:
    """One piece of work at a time, in order."""

    def __init__(self, fibers: Fibers) -> None:
        self._fibers = fibers
        self._waiting: deque[tuple[Any, Any, Any]] = deque()
        self._busy = False
        self._idle = asyncio.Event()
        self._idle.set()

    def submit(
        self,
        work: Callable[[], T],
        deliver: Callable[[T], None],
        failed: Callable[[BaseException], None],
    ) -> None:
        self._waiting.append((work, deliver, failed))
        if not self._busy:
            self._next()

    async def stop(self) -> None:
        self._waiting.clear()
        if not self._fibers.dead:
            await self._idle.wait()

    def _next(self) -> None:
        self._busy = bool(self._waiting)
        if not self._busy:
            self._idle.set()
            return
        self._idle.clear()
        work, deliver, failed = self._waiting.popleft()

        def delivered(result: Any) -> None:
            self._next()
            deliver(result)

        def told(error: BaseException) -> None:
            self._fibers.on_failure(error)
            self._next()
            failed(error)

        self._fibers.start(work, delivered, told)
