"""What machine code computes in 64 bits is what exact arithmetic says, part by part."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coordinator.backtest.compiled import columns, judging, kernel
from coordinator.backtest.compiled.judging import judge
from coordinator.backtest.compiled.layout import Histories, Rows, Whole
from coordinator.core import risk
from coordinator.core.lane_form import WIDTH, banked_form_of, in_ticks, lane_form_of, places_of
from coordinator.core.ledger import Position
from coordinator.core.risk import Asset, Limits
from coordinator.core.values import Reason, exactly
from coordinator.strategies.adaptive import AdaptiveStrategy
from coordinator.strategies.base import Step
from coordinator.strategies.bollinger import BollingerStrategy
from coordinator.strategies.buy_and_hold import BuyAndHoldStrategy
from coordinator.strategies.donchian import DonchianStrategy
from coordinator.strategies.ma_crossover import MovingAverageCrossoverStrategy
from coordinator.strategies.macd import MacdStrategy
from coordinator.strategies.mean_reversion import MeanReversionStrategy
from coordinator.strategies.momentum import MomentumStrategy
from coordinator.strategies.rsi import RsiStrategy
from coordinator.strategies.series import Prices, Series
from coordinator.strategies.vwap_reversion import VwapReversionStrategy
from tests.coordinator.reading import bars
from tests.coordinator.test_kernels import DATA, USUAL

MANY = settings(deadline=None, max_examples=300)
AMOUNTS = st.integers(1, (1 << 60) - 1)
SHARE = Asset.stock("SPY", fractionable=True)
PLACES = 6
"""Decimals of a price here; a share's has four, and money both."""
PRICES = st.integers(1, 10**10)
FRACTIONS = st.decimals("0.0001", "0.9999", places=4)


@pytest.mark.thorough
@MANY
@given(st.integers(1, 10**6), AMOUNTS, st.integers(1, 10**6), st.integers(1, 10**12))
def test_a_quotient_of_products_is_exact_where_the_products_are_too_large(
    factor: int, amount: int, divisor: int, price: int
) -> None:
    if divisor * price < 1 << 60 and factor * amount // (divisor * price) < 1 << 62:
        found = kernel._quotient(factor, amount, divisor, price)
        assert found == divmod(factor * amount, divisor * price)


@pytest.mark.thorough
@MANY
@given(AMOUNTS, AMOUNTS, AMOUNTS, st.integers(-3, 3))
def test_products_are_compared_in_128_bits(a: int, b: int, c: int, off: int) -> None:
    near = a * b // c + off
    for d in (near, b):
        if 0 <= d < 1 << 62:
            assert kernel._less(a, b, c, d) == (a * b < c * d)


@MANY
@given(AMOUNTS, AMOUNTS, AMOUNTS, st.integers(-3, 3))
def test_products_too_large_for_steps_are_told_apart_by_a_float_or_left_in_doubt(
    a: int, b: int, c: int, off: int
) -> None:
    for d in (min(max(a * b // c + off, 0), 1 << 61), b):
        one, other = a * b, c * d
        is_far = abs(one - other) * 10**11 > max(one, other)
        known = is_far or max(one, other) < 1 << 61
        assert judging._less(a, b, c, d) in ((one < other), *(() if known else (judging.DOUBT,)))


@MANY
@given(st.lists(st.integers(-(1 << 61), 1 << 61)), st.integers(4, 13))
def test_steps_become_decimals_without_a_digit_lost(steps: list[int], places: int) -> None:
    array = columns.money(np.array(steps, np.int64), places)
    assert array.to_pylist() == [Decimal(step).scaleb(-places) for step in steps]


@exactly
def entry(limits: Limits, equity: int, cash: int, close: int) -> int:
    """What `core/risk.py` buys, in ten-thousandths."""
    money = [Decimal(amount).scaleb(-PLACES - 4) for amount in (equity, cash)]
    qty = risk.entry_qty(SHARE, limits, money[0], money[1], Decimal(close).scaleb(-PLACES))
    return int(qty.scaleb(4))


@MANY
@given(FRACTIONS, st.integers(0, 10**17), st.integers(0, 10**17), PRICES)
def test_an_entry_is_as_large_as_the_limits_say(
    size: Decimal, equity: int, cash: int, close: int
) -> None:
    numerator, denominator = size.as_integer_ratio()
    by_size, _ = kernel._quotient(numerator, equity, denominator, close)
    by_cash, _ = kernel._quotient(100, cash, 101, close)
    qty = min(by_size, by_cash)
    found = qty if qty * close >= 10 ** (PLACES + 4) else 0
    assert found == entry(Limits(max_position_size=size), equity, cash, close)


@exactly
def reason(limits: Limits, qty: int, cost: int, close: int) -> Reason | None:
    """Why `core/risk.py` sells."""
    position = Position(Decimal(qty).scaleb(-4), Decimal(cost).scaleb(-PLACES - 4))
    return risk.exit_reason(limits, position, Decimal(close).scaleb(-PLACES), 0)


@MANY
@given(FRACTIONS, FRACTIONS, st.integers(1, 10**8), st.integers(10**4, 10**9), st.data())
def test_stops_and_targets_are_closes(
    stop: Decimal, target: Decimal, qty: int, price: int, data: st.DataObject
) -> None:
    cost = qty * price
    part, whole = stop.as_integer_ratio()
    floor, _ = kernel._quotient(whole - part, cost, whole, qty)
    part, whole = target.as_integer_ratio()
    above, rest = kernel._quotient(whole + part, cost, whole, qty)
    ceiling = above + (rest > 0)
    limits = Limits(stop_loss_pct=stop, take_profit_pct=target)
    for close in (floor, floor + 1, ceiling - 1, ceiling, data.draw(st.integers(1, 2 * price))):
        expected = {True: Reason.STOP}.get(close <= floor) or (
            Reason.TARGET if close >= ceiling else None
        )
        assert reason(limits, qty, cost, close) is expected


SPANS = st.integers(1, 9)
RULES: dict[type, st.SearchStrategy[Any]] = {
    BuyAndHoldStrategy: st.builds(BuyAndHoldStrategy),
    MomentumStrategy: st.builds(
        MomentumStrategy,
        lookback_period=SPANS,
        momentum_threshold=st.sampled_from([Decimal(0), Decimal("0.0007"), Decimal("0.01")]),
    ),
    MovingAverageCrossoverStrategy: st.builds(
        MovingAverageCrossoverStrategy, short_window=SPANS, long_window=st.integers(10, 20)
    ),
    RsiStrategy: st.builds(
        RsiStrategy,
        rsi_period=st.integers(2, 9),
        rsi_oversold=st.sampled_from([Decimal(0), Decimal(30), Decimal(50)]),
        rsi_overbought=st.sampled_from([Decimal("50.5"), Decimal(70), Decimal(100)]),
    ),
    AdaptiveStrategy: st.builds(
        AdaptiveStrategy,
        short_window=SPANS,
        long_window=st.integers(10, 20),
        rsi_period=st.integers(2, 9),
        volume_window=SPANS,
        rsi_oversold=st.just(Decimal(45)),
        rsi_overbought=st.just(Decimal(55)),
    ),
    MeanReversionStrategy: st.builds(
        MeanReversionStrategy,
        lookback_period=st.integers(2, 9),
        entry_threshold=st.sampled_from([Decimal(0), Decimal("0.5"), Decimal("1.25")]),
        exit_threshold=st.sampled_from([Decimal(0), Decimal("0.5"), Decimal(2)]),
    ),
    BollingerStrategy: st.builds(
        BollingerStrategy,
        lookback_period=st.integers(2, 9),
        band_width=st.sampled_from([Decimal(0), Decimal("0.7"), Decimal(1)]),
    ),
    MacdStrategy: st.builds(
        MacdStrategy,
        fast_window=st.integers(2, 6),
        slow_window=st.integers(7, 12),
        signal_window=SPANS,
    ),
    DonchianStrategy: st.builds(DonchianStrategy, entry_window=SPANS, exit_window=SPANS),
    VwapReversionStrategy: st.builds(
        VwapReversionStrategy,
        lookback_period=SPANS,
        entry_threshold=st.sampled_from([Decimal(0), Decimal("0.0007"), Decimal(1)]),
        exit_threshold=st.sampled_from([Decimal(0), Decimal("0.0004"), Decimal("1e-15")]),
    ),
}
FINER = 10
"""Highs and lows have one decimal more than closes here."""


def judged(rule: Any, bars: Histories, history: int) -> list[int] | None:
    """What machine code says of a rule at a session's bars; None if it refuses."""
    form = lane_form_of(rule)
    assert form is not None
    rows = Rows(
        np.array([form.kind.value]),
        np.array([form.whole + (0,) * (WIDTH - len(form.whole))]),
        np.array([form.real_bounds]),
        np.array([form.limits()]),
        np.array([0]),
        np.array([history]),
    )
    found, refused = np.zeros(int(bars.end[0] - bars.first[0]), np.int8), np.zeros(1, np.bool_)
    judge(bars, rows, np.array([0]), found, refused)
    return None if refused[0] else found.tolist()


@pytest.mark.thorough
@pytest.mark.parametrize("kind", RULES, ids=lambda kind: kind.strategy_type)
@settings(deadline=None, max_examples=80)
@given(st.data())
def test_built_in_rules_say_in_machine_code_what_they_say_at_once(
    kind: type, data: st.DataObject
) -> None:
    rule = data.draw(RULES[kind])
    shortest = data.draw(st.sampled_from([5, 30]))
    moves = data.draw(st.lists(st.integers(-3, 3), min_size=shortest, max_size=60))
    closes = 1_000 + np.cumsum(moves)
    volumes = np.array(data.draw(st.lists(st.integers(0, 4), min_size=len(moves), max_size=60)))
    volumes = np.resize(volumes, len(moves))
    reach = st.lists(st.integers(0, FINER), min_size=5, max_size=60)
    above, below = (np.resize(data.draw(reach), len(moves)) for _ in range(2))
    prices = Prices(closes * FINER, closes * FINER + above, closes * FINER - below)
    session = data.draw(st.integers(1, len(moves)))
    history = data.draw(st.integers(0, len(moves)))
    edges = tuple(np.array([place]) for place in (0, len(moves) - session, len(moves)))
    known = Histories(
        closes, prices.highs, prices.lows, volumes, *edges, np.array([True]), 100.0, FINER
    )
    found = judged(rule, known, history)
    told = rule.over(Series.of(prices, volumes, 3).last(history + session))
    if found is None:
        near = RsiStrategy | AdaptiveStrategy | VwapReversionStrategy
        assert isinstance(rule, near), "only these have floats near a bound"
    else:
        assert found == told[len(told) - session :].tolist()


def whole(values: list[Decimal], places: int) -> Whole:
    """Values as whole numbers of the last decimal."""
    return np.array([in_ticks(one, places) for one in values])


@pytest.mark.slow
@pytest.mark.recorded
def test_every_recorded_bar_is_judged_in_machine_code_as_a_step_judges_it() -> None:
    path = DATA / "stocks_1min.parquet"
    if not path.exists():
        pytest.skip("the recorded bars are not here")
    for _, rows in pd.read_parquet(path).groupby(["source", "symbol"]):
        own = rows.sort_values("timestamp").tail(2000)
        closes, highs, lows, volumes = (
            [Decimal(repr(float(one))) for one in own[name]]
            for name in ("close", "high", "low", "volume")
        )
        ticks, fine, lots = (
            max(map(places_of, column)) for column in (closes, closes + highs + lows, volumes)
        )
        wicks = [(high - c, c - low) for c, high, low in zip(closes, highs, lows, strict=True)]
        edges = (np.array([place]) for place in (0, 500, len(own)))
        known = Histories(
            whole(closes, ticks),
            whole(highs, fine),
            whole(lows, fine),
            whole(volumes, lots),
            *edges,
            np.array([True]),
            10.0**ticks,
            10 ** (fine - ticks),
        )
        for rule in USUAL:
            step = rule.start()
            said = [step(bar) for bar in bars(closes, volumes, wicks)][500:]
            assert judged(rule, known, 500) == said, rule


def test_a_rule_that_steps_otherwise_than_the_built_in_one_it_is_made_from_has_no_form() -> None:
    class Mine(MomentumStrategy):
        def start(self) -> Step:
            return lambda _bar: 1

    assert banked_form_of(Mine()) is None
    fine = MomentumStrategy(momentum_threshold=Decimal("1e-19"))
    assert banked_form_of(fine) is None, "its numbers need more than 64 bits"
    assert banked_form_of(MomentumStrategy(momentum_threshold=Decimal("0.0007"))) is not None


def test_a_form_that_no_bank_steps_is_for_machine_code_alone() -> None:
    for rule in (MacdStrategy(), DonchianStrategy(), VwapReversionStrategy()):
        assert banked_form_of(rule) is None
        assert lane_form_of(rule) is not None
