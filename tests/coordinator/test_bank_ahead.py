"""What a bank's lanes say of a bar from what was found before it came is what their steps say."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coordinator.core.bank_steps import Steps
from coordinator.core.lane import StrategySpec
from coordinator.core.lanes import Lanes
from coordinator.core.values import Bar
from coordinator.strategies import (
    AdaptiveStrategy,
    BollingerStrategy,
    MeanReversionStrategy,
    MomentumStrategy,
    MovingAverageCrossoverStrategy,
    RsiStrategy,
    Strategy,
)
from tests.coordinator.reading import bars
from tests.coordinator.test_bank import raw, said, signals_of, specs_of
from tests.coordinator.test_kernels import SHORT, cents

TICKERS = ("T0", "T1", "T2")
WARM = 12
lots = st.lists(st.sampled_from([0, 1, 2, 5, 100]), min_size=60, max_size=60)
moves = st.lists(st.integers(-40, 40), min_size=WARM + 5, max_size=60)
comings = st.lists(
    st.tuples(st.booleans(), st.sampled_from([TICKERS, TICKERS, TICKERS[:2], TICKERS[1:]])),
    min_size=60,
    max_size=60,
)
"""Of each minute, whether there was a rest before it, and whose bars come."""

whole = st.integers
share = st.decimals
rules = st.lists(
    st.one_of(
        st.builds(
            MomentumStrategy,
            lookback_period=whole(1, 12),
            momentum_threshold=share(0, "0.02", places=4),
        ),
        st.builds(
            lambda short, more: MovingAverageCrossoverStrategy(
                short_window=short, long_window=short + more
            ),
            whole(1, 5),
            whole(1, 7),
        ),
        st.builds(
            RsiStrategy,
            rsi_period=whole(2, 9),
            rsi_oversold=st.sampled_from([Decimal(0), Decimal(30), Decimal(50)]),
            rsi_overbought=share("50.1", 100, places=1),
        ),
        st.builds(
            lambda bars, leave, more: MeanReversionStrategy(
                lookback_period=bars, entry_threshold=leave + more, exit_threshold=leave
            ),
            whole(2, 12),
            share(0, 1, places=1),
            share(0, 3, places=1),
        ),
        st.builds(
            BollingerStrategy, lookback_period=whole(2, 12), band_width=share("0.1", 4, places=1)
        ),
        st.builds(
            lambda short, more, period, window: AdaptiveStrategy(
                short_window=short,
                long_window=short + more,
                rsi_period=period,
                volume_window=window,
            ),
            whole(1, 5),
            whole(1, 6),
            whole(2, 7),
            whole(1, 8),
        ),
    ),
    min_size=1,
    max_size=6,
)


def wired(ticker: str, closes: Sequence[Decimal], volumes: Sequence[int]) -> list[Bar]:
    own = bars(closes, [Decimal(lot) for lot in volumes[: len(closes)]])
    return [raw(bar, ticker) for bar in own]


def play(
    known: dict[str, list[Bar]],
    coming: Sequence[tuple[bool, tuple[str, ...]]],
    rules: Sequence[Strategy] = SHORT,
) -> None:
    """Both say the same at each minute; in the end they stand where the others stand."""
    specs = specs_of(TICKERS, rules)
    stepping, banked = Lanes(specs), Lanes(specs, banked_from=1)
    for ticker, own in known.items():
        for lanes in (stepping, banked):
            lanes.warm(ticker, own[:WARM])
    for minute in range(WARM, max(map(len, known.values()))):
        rested, tickers = coming[minute]
        frame = [known[ticker][minute] for ticker in tickers if minute < len(known[ticker])]
        if rested:
            banked.rest()
        for lanes in (stepping, banked):
            lanes.feed_all(frame)
        assert signals_of(stepping, specs) == signals_of(banked, specs)
    assert said(stepping, specs) == said(banked, specs)


@pytest.mark.thorough
@given(walks=st.tuples(cents, cents, cents), lots=lots, coming=comings)
@settings(max_examples=60, deadline=None)
def test_walks_in_cents_with_all_their_ties(
    walks: tuple[list[Decimal], ...],
    lots: list[int],
    coming: list[tuple[bool, tuple[str, ...]]],
) -> None:
    known = {t: wired(t, walk, lots) for t, walk in zip(TICKERS, walks, strict=True)}
    play(known, coming)


@pytest.mark.thorough
@given(
    moved=st.tuples(moves, moves, moves),
    first=st.tuples(*[st.sampled_from([1, 300, 25_000, 4_000_000, 10**11])] * 3),
    places=st.tuples(*[st.integers(0, 9)] * 3),
    lots=lots,
    coming=comings,
)
@settings(max_examples=60, deadline=None)
def test_prices_large_and_small_in_ticks_fine_and_coarse(
    moved: tuple[list[int], ...],
    first: tuple[int, ...],
    places: tuple[int, ...],
    lots: list[int],
    coming: list[tuple[bool, tuple[str, ...]]],
) -> None:
    known = {}
    for ticker, steps, begin, fine in zip(TICKERS, moved, first, places, strict=True):
        width = max(1, begin // 5_000)
        ticks = [max(1, begin + width * sum(steps[: n + 1])) for n in range(len(steps))]
        known[ticker] = wired(ticker, [Decimal(tick).scaleb(-fine) for tick in ticks], lots)
    play(known, coming)


@given(rules=rules, walks=st.tuples(cents, cents, cents), lots=lots, coming=comings)
@settings(max_examples=60, deadline=None)
def test_rules_with_any_parameters(
    rules: list[Strategy],
    walks: tuple[list[Decimal], ...],
    lots: list[int],
    coming: list[tuple[bool, tuple[str, ...]]],
) -> None:
    known = {t: wired(t, walk, lots) for t, walk in zip(TICKERS, walks, strict=True)}
    play(known, coming, rules)


def test_after_a_rest_lanes_speak_before_they_step_and_the_next_rest_takes_the_step() -> None:
    closes = [Decimal(1000 + (n * 7) % 11).scaleb(-2) for n in range(40)]
    own = wired("T0", closes, [100] * 40)
    specs = specs_of(["T0"], SHORT)
    banked = Lanes(specs, banked_from=1)
    banked.warm("T0", own[:30])
    banked.feed_all([own[30]])
    with patch.object(Steps, "step", autospec=True, side_effect=Steps.step) as step:
        for bar in own[31:]:
            banked.rest()
            taken = step.call_count
            banked.feed_all([bar])
            signals_of(banked, specs)
            assert step.call_count == taken
    assert taken == len(own) - 32


@pytest.mark.parametrize(
    ("low", "high", "told"), [(40, 90, 0), (41, 90, 1), (10, 40, 0), (10, 39, -1)]
)
def test_an_rsi_that_stands_at_its_bound_is_not_told_by_its_float(
    low: int, high: int, told: int
) -> None:
    """RSI is 100 x 2 / (2 + 3) = 40 at the seed, and stays there while nothing moves."""
    rule = RsiStrategy(rsi_period=2, rsi_oversold=Decimal(low), rsi_overbought=Decimal(high))
    specs: list[StrategySpec] = specs_of(["T0"], [rule])
    own = wired("T0", [Decimal(price) for price in (10, 12, 9, 9, 9, 9)], [100] * 6)
    lanes = Lanes(specs, banked_from=1)
    lanes.warm("T0", own[:3])
    for bar in own[3:]:
        lanes.rest()
        lanes.feed_all([bar])
        assert signals_of(lanes, specs) == [told]


@pytest.mark.parametrize(
    ("low", "high", "told"),
    [("50.00000001", "90", 1), ("50", "90", 0), ("10", "50", 0), ("10", "49.99999999", -1)],
)
def test_a_close_that_brings_an_rsi_close_to_its_bound_is_left_to_the_step(
    low: str, high: str, told: int
) -> None:
    """RSI is 100 x 2 / (2 + 3) at the seed; half a dollar more makes gains equal to losses."""
    rule = RsiStrategy(rsi_period=2, rsi_oversold=Decimal(low), rsi_overbought=Decimal(high))
    specs: list[StrategySpec] = specs_of(["T0"], [rule])
    own = wired("T0", [Decimal(price) for price in ("10", "12", "9", "9.5")], [100] * 4)
    lanes = Lanes(specs, banked_from=1)
    lanes.warm("T0", own[:3])
    lanes.rest()
    lanes.feed_all(own[3:])
    assert signals_of(lanes, specs) == [told]
