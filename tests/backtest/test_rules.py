"""A user's own strategy in a backtest: its parameters may be anything, and have no hash."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal

import pytest

from coordinator.backtest.rules import fit_for_lanes
from coordinator.core.lane import StrategySpec
from coordinator.core.lanes import Lanes
from coordinator.core.values import Bar


@dataclass
class Loose:
    """Parameters in a list."""

    windows: list[int] = field(default_factory=lambda: [3, 5])

    @property
    def longest_window(self) -> int:
        return max(self.windows)

    def start(self) -> Callable[[Bar], int]:
        return lambda bar: 1


def spec(name: str) -> StrategySpec:
    return StrategySpec(name, "loose", {}, Loose(), ("SPY",), Decimal(1000), 0)


def test_a_rule_without_a_hash_has_lanes_of_its_own() -> None:
    with pytest.raises(TypeError):
        Lanes([spec("A")])
    one, other = fit_for_lanes(spec("A")), fit_for_lanes(spec("B"))
    lanes = Lanes([one, other])
    assert lanes.lane(one, "SPY") is not lanes.lane(other, "SPY")
    assert one.history_bars == 50


def test_a_rule_that_is_fit_already_is_taken_as_it_is() -> None:
    made = fit_for_lanes(spec("A"))
    assert fit_for_lanes(made) is made
