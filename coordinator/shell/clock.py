"""The broker's time as far as we can know it: what it last said, and what must have passed since.

At real speed the local monotonic clock carries it forward. A faster broker clock may stand still
at any moment, so there only the broker's own words move it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

SLACK_S = 60.0
"""Local seconds for which what the broker said may have been under way."""


class BrokerClock:
    """A lower bound of the broker's time. `speed` is how many times as fast as ours it may run."""

    def __init__(self, speed: float, monotonic: Callable[[], float]) -> None:
        self.speed = speed
        self._monotonic = monotonic
        self._said: datetime | None = None
        self._heard_at = 0.0

    def heard(self, moment: datetime) -> None:
        """The broker has shown that its time is at least `moment`."""
        if self._said is None or moment > self.now():
            self._said, self._heard_at = moment, self._monotonic()

    @property
    def said(self) -> datetime:
        """What the broker said last, however long ago; it must have been heard once."""
        assert self._said is not None, "the broker's clock was never read"
        return self._said

    def step_s(self, moment: datetime) -> float:
        """Broker seconds by which its clock, saying `moment`, is ahead of what must have passed.

        Only at real speed is there anything to expect; elsewhere it is zero.
        """
        if self.speed != 1 or self._said is None:
            return 0.0
        return (moment - self.now()).total_seconds()

    def now(self) -> datetime:
        """The broker's time, at least; it must have been heard once."""
        assert self._said is not None, "the broker's clock was never read"
        if self.speed != 1:
            return self._said
        return self._said + timedelta(seconds=self._monotonic() - self._heard_at)

    def may_have_reached(self, moment: datetime) -> bool:
        """Whether the broker's time can be `moment` already, at its highest speed."""
        assert self._said is not None, "the broker's clock was never read"
        passed_s = self._monotonic() - self._heard_at + SLACK_S
        return moment <= self._said + timedelta(seconds=passed_s * self.speed)

    def local_s(self, broker_s: float, *, least_s: float = 0.0) -> float:
        """Local seconds in which `broker_s` seconds of broker time can pass, at the soonest."""
        return max(broker_s / self.speed, least_s)
