"""The broker's clock, and what counts as quiet.

Rule: broker time moves only while somebody runs it, never past the limit it was given, and never
back. Real time enters as a number of seconds (monotonic) and is read nowhere here.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

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


class Quiet:
    """Whether anything has stirred: requests in service, frames received, updates sent.

    Time of quiet is counted in ticks that the loop really made, so that a machine too busy to run
    the loop (or the client, which shares it) is not taken for silence.
    """

    def __init__(self, waiting_frames: Callable[[], int]) -> None:
        self.in_flight = 0
        self.stirs = 0
        self.waiting_frames = waiting_frames
        self._stirred = asyncio.Event()

    def stir(self) -> None:
        """Something happened."""
        self.stirs += 1
        self._stirred.set()

    def enter(self) -> None:
        """A request begins."""
        self.stir()
        self.in_flight += 1

    def leave(self) -> None:
        """A request and what it set off are done."""
        self.stir()
        self.in_flight -= 1

    async def next_stir(self) -> None:
        """Return when something happens."""
        self._stirred.clear()
        await self._stirred.wait()

    async def settle(self, seconds: float) -> None:
        """Return once nothing has stirred for that long."""
        tick_s = min(0.005, max(0.001, seconds / 10))
        quiet_s, seen = 0.0, self.stirs
        while quiet_s < seconds:
            await asyncio.sleep(tick_s)
            if self.in_flight or self.stirs != seen or self.waiting_frames():
                quiet_s, seen = 0.0, self.stirs
            else:
                quiet_s += tick_s
