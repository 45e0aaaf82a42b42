"""Every boundary of twenty short sessions is survived; here a few of each, all in `make prove`."""

from __future__ import annotations

import pytest

from tests.proof.crashes import SCENARIOS, Crash, play


def test_there_are_twenty_scenarios_some_of_them_killed_in_recovery() -> None:
    assert len({crash.name for crash in SCENARIOS}) == len(SCENARIOS) >= 20
    assert sum(crash.in_recovery for crash in SCENARIOS) >= 3


@pytest.mark.thorough
@pytest.mark.parametrize("crash", SCENARIOS, ids=lambda crash: crash.name)
def test_a_scenario_trades_and_survives_a_kill(crash: Crash) -> None:
    outcome = play(crash, (150,))
    assert not outcome.passed
    assert outcome.violations == ()
    assert outcome.orders >= 3


@pytest.mark.thorough
@pytest.mark.parametrize("kills", [(120, 121), (200, 230), (300, 340)])
def test_a_kill_in_recovery_is_survived(kills: tuple[int, ...]) -> None:
    outcome = play(SCENARIOS[1], kills)
    assert not outcome.passed
    assert outcome.violations == ()
