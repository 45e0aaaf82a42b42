"""Engines are compared on the same work: the reference decides as our strategies do, and only a run
whose fills are the reference's counts.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from benchmarks.peers.engines import rules
from benchmarks.peers.judging import difference
from benchmarks.peers.reference import Adaptive, Bars, Fill, Momentum, Rule, expected
from benchmarks.peers.work import Case
from coordinator.core.values import MINUTE, Bar
from coordinator.strategies import Strategy
from coordinator.strategies.adaptive import AdaptiveStrategy
from coordinator.strategies.momentum import MomentumStrategy

OPEN = datetime(2026, 3, 17, 13, 30, tzinfo=UTC)
# Steps of few cents around prices that meet their averages again and again: ties are common.
STEPS = some.lists(
    some.tuples(some.sampled_from([-3, -1, 0, 0, 1, 3, 20, -20]), some.integers(1, 4)),
    min_size=40,
    max_size=90,
)


def bars(steps: list[tuple[int, int]], session: int = 390) -> Bars:
    closes = [5000]
    for step, _ in steps[1:]:
        closes.append(max(closes[-1] + step, 1))
    return Bars(closes, [volume * 100 for _, volume in steps], session)


def ours(strategy: Strategy, given: Bars) -> list[int]:
    step = strategy.start()
    return [
        step(_bar(number, close, volume))
        for number, (close, volume) in enumerate(zip(given.closes, given.volumes, strict=True))
    ]


def _bar(number: int, cents: int, volume: int) -> Bar:
    close = Decimal(cents) / 100
    return Bar("SPY", OPEN + number * MINUTE, close, close, close, close, Decimal(volume))


@settings(max_examples=30, deadline=None)
@given(STEPS, some.integers(1, 12))
def test_momentum_of_the_reference_is_our_momentum(
    steps: list[tuple[int, int]], lookback: int
) -> None:
    strategy = MomentumStrategy(lookback_period=lookback, momentum_threshold=Decimal("0.002"))
    assert list(Momentum(lookback).signals(bars(steps))) == ours(strategy, bars(steps))


@settings(max_examples=30, deadline=None)
@given(STEPS, some.integers(1, 5), some.integers(6, 12), some.integers(2, 14))
def test_adaptive_of_the_reference_is_our_adaptive(
    steps: list[tuple[int, int]], short: int, long: int, volume: int
) -> None:
    strategy = AdaptiveStrategy(short_window=short, long_window=long, volume_window=volume)
    wanted = ours(strategy, bars(steps))
    assert list(Adaptive(short, long, volume=volume).signals(bars(steps))) == wanted


@settings(max_examples=30, deadline=None)
@given(STEPS, some.sampled_from([Momentum(5), Adaptive(3, 9)]))
def test_a_users_rule_in_python_decides_as_the_reference(
    steps: list[tuple[int, int]], rule: Rule
) -> None:
    users, data = rules.rule_of(rule.as_document()), bars(steps)
    told = [users.signal(*one) for one in zip(data.closes, data.volumes, strict=True)]
    assert told == list(rule.signals(data))


def test_a_buy_takes_all_cash_but_a_part_in_101_and_a_sale_takes_all() -> None:
    data = Bars([10_000, 10_100, 10_100, 10_000, 10_000], [1] * 5, 390)
    assert expected(Momentum(1), data, 1_000_000, lots=1) == [
        Fill(0, 1, 98, 98 * 10_100),  # 1,000,000 / (1.01 x 10,100) = 98.03
        Fill(0, 3, -98, -98 * 10_000),
    ]
    [bought, _] = expected(Momentum(1), data, 1_000_000, lots=10_000)
    assert bought.lots == 980_296


def test_nothing_is_ordered_at_the_close_at_which_the_market_shuts() -> None:
    data = Bars([10_000, 10_100, 10_300, 10_500], [1] * 4, session=2)
    assert [fill.bar for fill in expected(Momentum(1), data, 1_000_000, lots=1)] == [2]


@pytest.mark.parametrize(
    ("found", "says"),
    [
        ([Fill(0, 3, 10, 1000)], None),
        ([], "1 of 1 fills are missing and 0 are not the reference's; first: strategy 0 at bar 3"),
        ([Fill(0, 3, 10, 1001)], "+10 for 1001 instead of +10 for 1000"),
        (
            [Fill(0, 3, 10, 1000), Fill(1, 0, 5, 5)],
            "strategy 1 at bar 0 +5 for 5 instead of nothing",
        ),
        ([Fill(0, 3, 10, 1000)] * 2, "0 of 1 fills are missing and 1 are not"),
    ],
)
def test_a_run_counts_only_with_the_fills_of_the_reference(
    found: list[Fill], says: str | None
) -> None:
    told = difference(found, [Fill(0, 3, 10, 1000)])
    assert told is None if says is None else says in (told or "")


def test_no_two_strategies_on_a_ticker_have_the_same_rule() -> None:
    case = Case.of("1000,100,390")
    told = [(case.ticker_of(number), rule) for number, rule in enumerate(case.rules())]
    assert len(set(told)) == 1000
