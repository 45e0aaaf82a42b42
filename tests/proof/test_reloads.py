"""Edits of a running configuration, in peace and among faults; and a bug in them is noticed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import pytest

from coordinator.core.lane import StrategySpec
from coordinator.core.lanes import Lanes
from coordinator.core.reports import Reports
from coordinator.core.values import Bar
from tests.proof.reloads import among_faults, in_peace

pytestmark = pytest.mark.thorough


@pytest.mark.parametrize("seed", [2, 8], ids=["each ticker alone", "several together"])
def test_who_is_not_touched_by_edits_does_the_same_and_who_joins_says_what_it_should(
    seed: int,
) -> None:
    wrong, edits = in_peace(seed)
    assert wrong == []
    assert edits > 5


def test_edits_among_faults_and_crashes_violate_nothing() -> None:
    wrong, edits = among_faults(20)
    assert wrong == []
    assert edits > 5


def test_that_a_humans_order_in_the_place_of_ours_counts_as_nobodys_is_noticed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Reports, "_adopted", lambda *_: None)
    wrong, _ = among_faults(7)
    assert any("invariant 5" in line for line in wrong)


def test_a_strategy_that_joins_without_its_history_is_noticed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    change = Lanes.change

    def cold(
        self: Lanes,
        specs: Iterable[StrategySpec],
        history: Mapping[str, Sequence[Bar]],
        so_far: Mapping[str, Sequence[Bar]],
    ) -> None:
        change(self, specs, {}, {})

    monkeypatch.setattr(Lanes, "change", cold)
    wrong, _ = in_peace(3)
    assert any("should say" in line for line in wrong)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seed", range(8, 28))
def test_many_edits_of_many_seeds(seed: int) -> None:
    assert in_peace(seed)[0] == []
    assert among_faults(seed)[0] == []
