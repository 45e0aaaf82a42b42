"""The broker's clock, and what counts as quiet.

Rule: broker time moves only while somebody runs it, never past the limit it was given, and never
back. Real time enters as a number of seconds (monotonic) and is read nowhere here.
"""

import asyncio
import math
from collections.abc import Callable
from datetime import datetime, timedelta

from simulator.stillness import Stillness

_SMALLEST = timedelta(microseconds=1)


class BrokerClock:
    """Broker time: stands, or runs at `speed` times real time up to a limit."""

    def __init__(self, start: datetime, speed: float) -> None:
        self.speed = speed
        self._base = start
        self._limit = start
        self._since_s: float | None = None
        self._stamped = start - _SMALLEST

    def now(self, real_s: float) -> datetime:
        """Broker time at that real second."""
        if self._since_s is None:
            return self._base
        passed = timedelta(seconds=max(0.0, real_s - self._since_s) * self.speed)
        return min(self._base + passed, self._limit)

    def stand(self, at: datetime) -> None:
        """Stand at that broker time."""
        self._base, self._since_s = at, None

    def run(self, since_s: float, limit: datetime) -> None:
        """Run from where it stands, as if released at real second `since_s`, up to `limit`."""
        self._since_s, self._limit = since_s, limit

    def stamp(self, real_s: float) -> datetime:
        """Now, but later than every stamp before: what happens in order has times in order."""
        self._stamped = max(self.now(real_s), self._stamped + _SMALLEST)
        return self._stamped


_STILL_LOOKS = 3
"""Looks in a row that must find the clients idle: a single one may find a thread that waits for a
lock of its own process."""
_LATELY = 3
"""Settling times for which a client that asked for the time counts as awake. One question proves
nothing: another thread of the client may ask while the one that decides hangs."""
_ABSORBED_S = 6.0
"""Long enough for a client to give up on something that hangs without missing a minute by it."""


class Quiet:
    """Whether anything has stirred: requests in service, frames received, updates sent.

    Quiet time is counted in ticks that the loop really made, and then confirmed by looking whether
    the clients' processes are idle: a machine too busy to run the loop or the client does not count
    as quiet.
    """

    def __init__(self, waiting_frames: Callable[[], int], stillness: Stillness) -> None:
        self.in_flight = 0
        self.stirs = 0
        self.acts = 0
        """Stirs other than by requests that only read."""
        self.times_asked = 0
        """Requests for the clock: no stirs, but signs of life."""
        self.waiting_frames = waiting_frames
        self._stillness = stillness
        self._absorbed_s = _ABSORBED_S
        self._awake_s = 0.0
        """How long clients that are awake were waited for since the last act."""
        self._stirred = asyncio.Event()

    def stir(self, *, looks: bool = False) -> None:
        """Something happened; `looks`: a request that only reads."""
        self.stirs += 1
        self.acts += not looks
        self._stirred.set()

    def enter(self, *, looks: bool = False) -> None:
        """A request begins."""
        self.stir(looks=looks)
        self.in_flight += 1

    def leave(self, *, looks: bool = False) -> None:
        """A request and its effects are done."""
        self.stir(looks=looks)
        self.in_flight -= 1

    def watch(self, port: int) -> None:
        """A client has connected to that port: its idleness counts from now on."""
        self._stillness.find(port)

    async def next_stir(self) -> None:
        """Return when something happens."""
        self._stirred.clear()
        await self._stirred.wait()

    async def settle(self, seconds: float, *, least_s: float | None = None) -> None:
        """Return once nothing has stirred for that long and the clients are idle.

        After ten times as long with requests that only read, `least_s` of quiet suffice.

        A client that is never idle but awake, because it asks for the time, is waited for ten times
        as long at most; requests that only read do not begin that wait anew, for on a busy machine
        the client might never seem idle between them. One that does not even ask for the time is
        waited for longer (_ABSORBED_S), until that was in vain once.
        """
        tick_s = min(0.005, max(0.001, seconds / 10))
        acts, self._awake_s = self.acts, 0.0
        while True:
            await self._pause(seconds, seconds if least_s is None else least_s, tick_s)
            if acts != self.acts:
                acts, self._awake_s = self.acts, 0.0
            idle = await self._are_idle(seconds, tick_s)
            if idle is not None:
                self._stillness.tell(exhausted=not idle)
                return

    async def _are_idle(self, seconds: float, tick_s: float) -> bool | None:
        """Whether the clients became idle before the wait ended; None if something stirred."""
        seen, asked, still = self.stirs, self.times_asked, 0
        waited_s, asked_s = 0.0, -math.inf
        self._stillness.begin()
        while waited_s <= max(10 * seconds, self._absorbed_s):
            await asyncio.sleep(tick_s)
            waited_s += tick_s
            if self._has_stirred(seen):
                return None
            still = still + 1 if self._stillness.is_still() else 0
            if still == _STILL_LOOKS:
                self._absorbed_s = _ABSORBED_S
                return True
            if asked != self.times_asked:
                asked, asked_s = self.times_asked, waited_s
            if waited_s - asked_s <= _LATELY * seconds:
                self._awake_s += tick_s
            if self._awake_s > 10 * seconds:
                return False
        self._absorbed_s = 0.0
        return False

    async def _pause(self, seconds: float, least_s: float, tick_s: float) -> None:
        quiet_s, looked_s, seen, acts = 0.0, 0.0, self.stirs, self.acts
        while quiet_s < (seconds if looked_s < 10 * seconds else least_s):
            await asyncio.sleep(tick_s)
            looked_s += tick_s
            if acts != self.acts:
                looked_s, acts = 0.0, self.acts
            if self._has_stirred(seen):
                quiet_s, seen = 0.0, self.stirs
            else:
                quiet_s += tick_s

    def _has_stirred(self, seen: int) -> bool:
        return self.in_flight > 0 or self.stirs != seen or self.waiting_frames() > 0
