"""When the account is looked at, and how deep: a clock of seconds is all that it takes."""

from __future__ import annotations

from coordinator.shell.clock import BrokerClock
from coordinator.shell.lookout import DEEP_LOOKS, LOOKS, SUSPICIOUS_LOOKS, Depth, Lookout
from tests.coordinator.bench import OPEN, PLAN


class Watch:
    """A lookout whose seconds pass when told to."""

    def __init__(self) -> None:
        self.now_s = 0.0
        clock = BrokerClock(1.0, lambda: self.now_s)
        clock.heard(OPEN)
        self.lookout = Lookout(PLAN, clock, lambda: self.now_s)
        assert self.look() is Depth.ACTIVITIES, "the first look asks for everything"

    def look(self, *, after_s: float = 0.0, suspicious: bool = False) -> Depth | None:
        self.now_s += after_s
        return self.lookout.next_look(suspicious=suspicious)


def test_fees_and_deposits_are_asked_for_now_and_then() -> None:
    watch = Watch()
    looks = [watch.look(after_s=LOOKS.total_seconds()) for _ in range(DEEP_LOOKS // LOOKS)]
    assert looks == [Depth.ACCOUNT] * (len(looks) - 1) + [Depth.ACTIVITIES]


def test_a_difference_is_looked_at_sooner_and_in_full_so_that_no_deposit_is_called_rounding() -> (
    None
):
    watch = Watch()
    soon_s = SUSPICIOUS_LOOKS.total_seconds()
    assert watch.look(after_s=soon_s) is None
    looks = [watch.look(after_s=soon_s, suspicious=True) for _ in range(5)]
    assert looks == [Depth.ACTIVITIES] * 5
