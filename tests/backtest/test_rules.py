"""A user's own strategy in a backtest: its parameters may be anything, and have no hash."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, ROUND_UP, Decimal, getcontext
from typing import Any, cast

import pytest

from coordinator.backtest.rules import fit_for_lanes
from coordinator.core.lane import StrategySpec
from coordinator.core.lanes import Lanes
from coordinator.core.together import JointStep
from coordinator.core.values import EXACT, Bar, exactly
from coordinator.strategies.registry import BUILT_IN
from tests.coordinator.isolating import WAYS, Does, Turns, bars, isolated, named


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


def rounds(bar: Bar) -> int:
    """Tells how many digits its context allows, and makes them one fewer at each bar."""
    digits = len((bar.close / 7).as_tuple().digits)
    context = getcontext()
    context.prec, context.rounding = digits - 1, ROUND_UP
    return 1 if digits > 98 else -1


@exactly
def test_what_it_changes_in_its_decimal_context_stays_there() -> None:
    here = same_here_and_behind_walls(named("Rounds", Does(rounds)), "SPY")
    assert here == [(1, ""), (1, ""), (-1, ""), (-1, ""), (-1, "")]
    assert (EXACT.prec, EXACT.rounding) == (100, ROUND_HALF_EVEN)


ODD = [way for way in WAYS if way.startswith("says ")] + ["raises", "leaves"]
"""The ways to go wrong that end no process."""


def same_here_and_behind_walls(bad: StrategySpec, *tickers: str) -> list[tuple[int, str]]:
    """Signals and faults, bar by bar, which must be those of a session."""
    here = told(Lanes([fit := fit_for_lanes(bad)]), fit, *tickers)
    with isolated([bad], BUILT_IN) as [walled]:
        assert here == told(Lanes([walled]), walled, *tickers)
    return here


def told(lanes: Lanes, one: StrategySpec, *tickers: str) -> list[tuple[int, str]]:
    found = []
    for minute in range(5):
        lanes.feed_all(bars(*tickers, minutes=[minute]))
        found.append((lanes.lane(one, tickers[0]).signal, lanes.fault(one)))
    return found


@pytest.mark.parametrize("way", ODD)
def test_what_stops_a_strategy_in_a_session_stops_it_in_a_backtest_with_the_same_words(
    way: str,
) -> None:
    here = same_here_and_behind_walls(named("Bad", Turns(way)), "SPY")
    assert [signal for signal, _ in here] == [1, -1, 0, 0, 0]
    assert [bool(fault) for _, fault in here] == [False, False, False, True, True]


@dataclass(frozen=True)
class Pair:
    """Empties what it is given, and is long of its tickers; at its third minute it goes wrong."""

    way: str
    longest_window: int = 1

    def start_together(self, tickers: Sequence[str]) -> JointStep:
        minutes = itertools.count()

        def step(bars: Mapping[str, Bar]) -> Any:
            cast(dict[str, Bar], bars).clear()
            odd = next(minutes) == 2
            return {**dict.fromkeys(tickers, 1), **({"SPY": WAYS[self.way]()} if odd else {})}

        return step


@pytest.mark.parametrize("way", ODD)
def test_so_it_is_with_one_on_several_tickers_together(way: str) -> None:
    here = same_here_and_behind_walls(named("Bad", Pair(way), "SPY", "QQQ"), "SPY", "QQQ")
    assert [signal for signal, _ in here] == [1, 1, 0, 0, 0]
    assert [bool(fault) for _, fault in here] == [False, False, True, True, True]
