"""The broker's time as far as we can know it: its last reading plus what must have passed since.

At real speed the local monotonic clock carries it forward. A broker's clock that runs faster may
stand still at any moment, so there only a new reading moves it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

SLACK_S = 60.0
"""Local seconds for which a reading may have been under way."""


class BrokerClock:
    """A lower bound of the broker's time. `speed` is how many times as fast as ours it may run."""

    def __init__(self, speed: float, monotonic: Callable[[], float]) -> None:
        self.speed = speed
        self._monotonic = monotonic
        self._reading: datetime | None = None
        self._read_at_s = 0.0

    def advance(self, moment: datetime) -> None:
        """Take a reading: the broker has shown that its time is at least `moment`."""
        if self._reading is None or moment > self.now():
            self._reading, self._read_at_s = moment, self._monotonic()

    @property
    def last_reading(self) -> datetime:
        """The newest reading, however old; there must have been one."""
        assert self._reading is not None, "the broker's clock was never read"
        return self._reading

    def step_s(self, moment: datetime) -> float:
        """Broker seconds by which a reading of `moment` is ahead of the time we expect.

        Zero at any speed but 1, because then no time can be expected.
        """
        if self.speed != 1 or self._reading is None:
            return 0.0
        return (moment - self.now()).total_seconds()

    def now(self) -> datetime:
        """The broker's time, at least; there must have been a reading."""
        reading = self.last_reading
        if self.speed != 1:
            return reading
        return reading + timedelta(seconds=self._monotonic() - self._read_at_s)

    def may_have_reached(self, moment: datetime) -> bool:
        """Whether the broker's time can be `moment` already, at its highest speed."""
        passed_s = self._monotonic() - self._read_at_s + SLACK_S
        return moment <= self.last_reading + timedelta(seconds=passed_s * self.speed)

    def local_s(self, broker_s: float, *, least_s: float = 0.0) -> float:
        """Local seconds in which `broker_s` seconds of broker time can pass, at the soonest."""
        return max(broker_s / self.speed, least_s)
