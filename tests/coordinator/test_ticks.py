"""The loop's lag: how late it was for what it does at least every half second."""

from __future__ import annotations

import pytest

from coordinator.shell.ticks import Ticks


# when the loop came round, in local seconds after its beginning -> the lag it tells, in ms
@pytest.mark.parametrize(
    ("came", "lag_ms"),
    [
        ([], 0),
        ([0.5, 1.0, 1.5], 0),
        ([0.1, 0.2, 0.7], 0),  # sooner than it must is not late
        ([0.5, 1.25], 250),
        ([0.5, 1.25, 1.75, 2.25], 250),  # the worst of the last minute
        ([2.5, 30.0, *(30.5 + n / 2 for n in range(59))], 27_000),
        ([2.5, *(3 + n / 2 for n in range(120))], 2000),  # remembered for a minute
        ([2.5, *(3 + n / 2 for n in range(300))], 0),  # and forgotten after two
    ],
)
def test_the_lag_is_how_late_the_loop_was_at_most_in_the_last_minute(
    came: list[float], lag_ms: int
) -> None:
    now_s = 100.0
    ticks = Ticks(0.5, lambda: now_s)
    for at_s in came:
        now_s = 100 + at_s
        ticks.tick()
    assert round(ticks.lag_s * 1000) == lag_ms


def test_the_next_tick_is_due_half_a_second_after_the_last() -> None:
    now_s = 100.0
    ticks = Ticks(0.5, lambda: now_s)
    now_s = 100.4
    assert not ticks.is_due
    assert ticks.due_s == 100.5
    now_s = 100.5
    assert ticks.is_due
