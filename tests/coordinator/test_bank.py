"""Lanes in a bank say what lanes say that step, to the bit, a frame at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coordinator.core.codec import encode
from coordinator.core.lane import StrategySpec
from coordinator.core.lane_form import KEPT
from coordinator.core.lanes import Lanes
from coordinator.core.orders import OrderStatus
from coordinator.core.risk import Limits
from coordinator.core.values import Bar, wire_bar
from coordinator.strategies import MomentumStrategy, RsiStrategy, Strategy
from tests.coordinator.bench import Bench
from tests.coordinator.reading import bars
from tests.coordinator.test_kernels import DATA, SHORT, USUAL, StepsOtherwise, cents

RULES = [*SHORT, *USUAL, StepsOtherwise(lookback_period=2)]
walks = st.lists(cents, min_size=1, max_size=3)
lots = st.lists(st.integers(0, 5), min_size=60, max_size=60)


def specs_of(tickers: Sequence[str], rules: Sequence[Strategy] = RULES) -> list[StrategySpec]:
    return [
        StrategySpec(f"S{n}", rule.strategy_type, {}, rule, tuple(tickers), Decimal(1), 0)
        for n, rule in enumerate(rules)
    ]


def raw(bar: Bar, symbol: str) -> Bar:
    """The bar as the wire has it."""
    prices = [float(v) for v in (bar.open, bar.high, bar.low, bar.close, bar.volume)]
    return wire_bar(symbol, bar.start, (*prices, None, None))  # type: ignore[arg-type]


def signals_of(lanes: Lanes, specs: Sequence[StrategySpec]) -> list[int]:
    return [lanes.lane(spec, ticker).signal for spec in specs for ticker in spec.tickers]


def said(lanes: Lanes, specs: Sequence[StrategySpec]) -> list[tuple[int, object]]:
    every = [lanes.lane(spec, ticker) for spec in specs for ticker in spec.tickers]
    return [(lane.signal, lane.explain()) for lane in every]


@pytest.mark.thorough
@given(walks=walks, lots=lots, history=st.integers(0, 60), wire=st.booleans())
@settings(max_examples=60, deadline=None)
def test_walks_in_cents_with_all_their_ties(
    walks: list[list[Decimal]], lots: list[int], history: int, *, wire: bool
) -> None:
    tickers = [f"T{n}" for n in range(len(walks))]
    specs = specs_of(tickers)
    stepping, banked = Lanes(specs), Lanes(specs, banked_from=1)
    known = {
        ticker: [
            raw(bar, ticker) if wire else replace(bar, symbol=ticker)
            for bar in bars(walk, [Decimal(lot) for lot in lots[: len(walk)]])
        ]
        for ticker, walk in zip(tickers, walks, strict=True)
    }
    play(stepping, banked, specs, known, history)


def play(
    stepping: Lanes,
    banked: Lanes,
    specs: Sequence[StrategySpec],
    known: dict[str, list[Bar]],
    history: int,
) -> None:
    """Warm both with so many bars, and feed both the rest; they say the same after each minute."""
    for ticker, own in known.items():
        for lanes in (stepping, banked):
            lanes.warm(ticker, own[:history])
    assert said(stepping, specs) == said(banked, specs)
    for minute in range(history, max(map(len, known.values()))):
        frame = [own[minute] for own in known.values() if minute < len(own)]
        banked.rest()
        for lanes in (stepping, banked):
            lanes.feed_all(frame)
        assert signals_of(stepping, specs) == signals_of(banked, specs)
        if minute % 3:
            assert said(stepping, specs) == said(banked, specs)


@given(
    closes=st.lists(st.decimals("1e-9", "1e12", places=9), min_size=2, max_size=30),
    places=st.sampled_from([0, 0, 5, 7, 12]),
    lots=st.lists(st.decimals(0, 1000, places=4), min_size=30, max_size=30),
    history=st.integers(0, 10),
)
@settings(max_examples=60, deadline=None)
def test_numbers_that_are_too_fine_or_too_large_are_left_to_the_steps(
    closes: list[Decimal], places: int, lots: list[Decimal], history: int
) -> None:
    closes = [close.scaleb(-places) for close in closes]
    own = [replace(bar, symbol="T") for bar in bars(closes, lots[: len(closes)])]
    specs = specs_of(["T"])
    play(Lanes(specs), Lanes(specs, banked_from=1), specs, {"T": own}, history)


@pytest.mark.thorough
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_prices_that_become_finer_by_and_by(data: st.DataObject) -> None:
    places = sorted(data.draw(st.lists(st.integers(0, 10), min_size=2, max_size=25)))
    closes = [
        Decimal(10) + data.draw(st.decimals(0, 1, places=each)).quantize(Decimal(1).scaleb(-each))
        for each in places
    ]
    specs = specs_of(["T"])
    own = [replace(bar, symbol="T") for bar in bars(closes)]
    wire = [raw(bar, "T") for bar in own]
    for each in (own, wire):
        play(Lanes(specs), Lanes(specs, banked_from=1), specs, {"T": each}, 3)


@pytest.mark.parametrize("odd", ["1000.000000001", "200000"], ids=["too fine", "too far"])
def test_a_ticker_that_outgrows_its_ticks_is_left_to_the_steps(odd: str) -> None:
    closes = [Decimal(1000 + n * 7 % 11) for n in range(30)]
    closes[20] = Decimal(odd)
    own = [raw(bar, "T") for bar in bars(closes)]
    specs = specs_of(["T"])
    stepping, banked = Lanes(specs), Lanes(specs, banked_from=1)
    play(stepping, banked, specs, {"T": own[:20]}, 10)
    assert banked.lane(specs[0], "T").banked
    play(stepping, banked, specs, {"T": own[20:]}, 0)
    assert not banked.lane(specs[0], "T").banked


def test_a_bound_that_is_met_exactly_is_decided_in_whole_numbers() -> None:
    """RSI is 100 x 2 / (2 + 3) = 40 at the seed, and stays there while nothing moves."""
    closes = [Decimal(price) for price in (10, 12, 9, 9, 9)]
    rules = [
        RsiStrategy(rsi_period=2, rsi_oversold=Decimal(low), rsi_overbought=Decimal(high))
        for low, high in ((40, 90), (41, 90), (10, 40), (10, 39))
    ]
    specs = specs_of(["SPY"], rules)
    lanes = Lanes(specs, banked_from=1)
    lanes.warm("SPY", bars(closes)[:2])
    for bar in bars(closes)[2:]:
        lanes.feed_all([bar])
        assert [lanes.lane(spec, "SPY").signal for spec in specs] == [0, 1, 0, -1]


@pytest.mark.thorough
def test_an_rsi_that_has_forgotten_its_first_changes_is_decided_as_its_step_decides() -> None:
    """Up and down in turn, the RSI comes to 66.666..., nearer to its bound than floats are trusted.

    By then it has seen twice as many changes as are kept to decide a bound exactly.
    """
    bound = Decimal("66.66666666")
    rule = RsiStrategy(rsi_period=2, rsi_oversold=Decimal(20), rsi_overbought=bound)
    specs = specs_of(["T"], [rule])
    stepping, banked = Lanes(specs), Lanes(specs, banked_from=1)
    before = [Decimal(100 + n * 7 % 11) for n in range(2 * KEPT)]
    walk = [*before, *(Decimal(100 + n % 2) for n in range(100))]
    for number, bar in enumerate(bars(walk)):
        for lanes in (stepping, banked):
            lanes.feed_all([raw(bar, "T")])
        assert signals_of(stepping, specs) == signals_of(banked, specs), number
    assert signals_of(banked, specs) == [-1]


def orders_of(closes: Sequence[Sequence[Decimal]], *, banked: bool, stop: bool) -> Bench:
    """A session on these walks, a ticker each, that fills every second order, a minute later."""
    tickers = [f"T{n}" for n in range(len(closes))]
    limits = Limits(stop_loss_pct=Decimal("0.001")) if stop else Limits()
    own = [replace(spec, limits=limits) for spec in specs_of(tickers)]
    own += [replace(spec, name=f"{spec.name}X", tickers=spec.tickers[:1]) for spec in own]
    specs = [replace(spec, initial_cash=Decimal(1000)) for spec in own]
    bench = Bench(*specs, banked_from=1 if banked else None)
    assert bench.engine.lanes.lane(specs[0], tickers[0]).banked is banked
    for minute in range(max(map(len, closes))):
        frame = {
            ticker: str(walk[minute])
            for ticker, walk in zip(tickers, closes, strict=True)
            if minute < len(walk)
        }
        bench.minute(minute, frame)
        for number, order in enumerate(bench.books.orders.open()):
            if number % 2 and order.status is OrderStatus.SUBMITTED:
                bench.fill(order, str(order.decision_price))
    return bench


@given(walks=walks, stop=st.booleans())
@settings(max_examples=25, deadline=None)
def test_the_journal_of_a_session_is_the_same_with_lanes_and_with_steps(
    walks: list[list[Decimal]], *, stop: bool
) -> None:
    lanes, steps = (orders_of(walks, banked=banked, stop=stop) for banked in (True, False))
    assert [encode(one) for one in lanes.records] == [encode(one) for one in steps.records]
    assert lanes.commands == steps.commands


def test_a_strategy_that_joins_or_leaves_changes_nothing_of_the_others() -> None:
    closes = [Decimal(1000 + (n * 7) % 11 + n // 3).scaleb(-2) for n in range(40)]
    own = [replace(bar, symbol="T") for bar in bars(closes)]
    specs = specs_of(["T"])
    kept = [*specs[3:], *specs_of(["T"], [MomentumStrategy(lookback_period=7)])]
    stepping, banked = Lanes(specs), Lanes(specs, banked_from=1)
    for lanes in (stepping, banked):
        lanes.warm("T", own[:10])
        for bar in own[10:20]:
            lanes.feed_all([bar])
        lanes.change(kept, {"T": own[:10]}, {"T": own[10:20]})
    for bar in own[20:]:
        for lanes in (stepping, banked):
            lanes.feed_all([bar])
        assert said(stepping, kept) == said(banked, kept)
        wishing = {rank for rank, spec in enumerate(kept) if stepping.lane(spec, "T").signal}
        assert stepping.may_act(["T"]) == banked.may_act(["T"]) == wishing, "nobody is content yet"


@pytest.mark.slow
@pytest.mark.recorded
@pytest.mark.timeout(1200)
def test_every_recorded_bar_says_the_same() -> None:
    path = DATA / "stocks_1min.parquet"
    if not path.exists():
        pytest.skip("the recorded bars are not here")
    table = pd.read_parquet(path)
    specs = specs_of(["T"], USUAL)
    for _, day in table.groupby(["source", "symbol"]):
        rows = day.sort_values("timestamp").tail(2000)
        own = [
            wire_bar("T", at.to_pydatetime(), (o, h, low, c, float(v), None, None))
            for at, o, h, low, c, v in zip(
                rows.timestamp, rows.open, rows.high, rows.low, rows.close, rows.volume, strict=True
            )
        ]
        stepping, banked = Lanes(specs), Lanes(specs, banked_from=1)
        for number, bar in enumerate(own):
            if number % 4:
                banked.rest()
            for lanes in (stepping, banked):
                lanes.feed_all([bar])
            for spec in specs:
                assert stepping.lane(spec, "T").signal == banked.lane(spec, "T").signal, bar
