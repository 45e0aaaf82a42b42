"""How long what went unheard can stay so, in broker seconds of virtual time."""

from __future__ import annotations

import pytest

from benchmarks.detection import lags

FOUND_WITHIN_S = 60


@pytest.mark.slow
@pytest.mark.parametrize(("seeds", "loss"), [(15, 0.02), (10, 0.4)])
def test_a_fill_that_a_healthy_stream_lost_is_booked_within_a_minute(
    seeds: int, loss: float
) -> None:
    found = lags({"update lost": loss}, seeds)
    assert found
    assert max(found) <= FOUND_WITHIN_S
