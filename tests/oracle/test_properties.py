"""What must hold on any market: the indicators agree with TA-Lib, the books add up."""

from __future__ import annotations

from decimal import Decimal, localcontext
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
import pytest
import talib
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.oracle import signals
from tests.oracle.bars import MINUTE, TICKS_PER_DOLLAR
from tests.oracle.book import Book
from tests.oracle.configs import OFTEN
from tests.oracle.market import DAY, OPEN, bars, config, market
from tests.oracle.predict import fill_price, predict
from tests.oracle.result import OracleResult

CENTS = st.lists(st.integers(900, 1100), min_size=1, max_size=60)
EXAMPLES = settings(max_examples=60, deadline=None)


def dollars(cents: list[int]) -> list[float]:
    """Whole cents as the floats that a bars file would hold."""
    return [cent / 100 for cent in cents]


@st.composite
def days(draw: st.DrawFn) -> tuple[dict[str, Any], pd.DataFrame]:
    """A few strategies with every kind of risk limit on two stocks and a pair, all close-knit."""
    frames = [
        bars(symbol, dollars(draw(CENTS)), history=dollars(draw(CENTS)), begin=OPEN)
        for symbol in ("AAA", "BBB", "BTC/USD")
    ]
    blocks = [draw(_block(number)) for number in range(draw(st.integers(1, 3)))]
    return config(*blocks), market(*frames)


@st.composite
def _block(draw: st.DrawFn, number: int) -> dict[str, Any]:
    kind = draw(st.sampled_from(sorted(OFTEN)))
    tickers = st.lists(
        st.sampled_from(["AAA", "BBB", "BTC/USD"]), min_size=1, max_size=3, unique=True
    )
    risk = st.fixed_dictionaries(
        {"max_position_size": st.sampled_from([0.3, 0.5, 1.0])},
        optional={
            "max_daily_trades": st.integers(0, 5),
            "max_daily_loss": st.sampled_from([1.0, 20.0, 300.0]),
            "stop_loss_pct": st.sampled_from([0.01, 0.05]),
            "take_profit_pct": st.sampled_from([0.01, 0.05]),
        },
    )
    return {
        "name": f"S{number}",
        "strategy_type": kind,
        "strategy_params": draw(st.sampled_from(OFTEN[kind])),
        "tickers": draw(tickers),
        "initial_cash": draw(st.sampled_from([500.0, 1234.56, 10000.0])),
        "min_warmup_bars": draw(st.integers(0, 70)),
        "risk_config": draw(risk),
    }


@EXAMPLES
@given(cents=st.lists(st.integers(100, 5000), min_size=3, max_size=200), period=st.integers(2, 30))
def test_rsi_is_ta_libs_to_a_billionth(cents: list[int], period: int) -> None:
    theirs = talib.RSI(np.array(cents, dtype=float), period)
    ours = signals.wilder(cents, period)
    assert len(ours) == len(theirs)
    for averages, other in zip(ours, theirs, strict=True):
        if averages is None:
            assert np.isnan(other)
        elif sum(averages) == 0:
            assert other == 0  # TA-Lib's way to say that nothing moved
        else:
            gain, loss = averages
            assert abs(float(Fraction(100 * gain, gain + loss)) - other) < 1e-9


@EXAMPLES
@given(
    cents=CENTS,
    window=st.integers(1, 20),
    entry=st.sampled_from([0, 0.5, 1, 1.5, 2]),
    leave=st.sampled_from([0, 0.25, 0.5, 1]),
)
def test_mean_reversion_is_the_textbook_z_score(
    cents: list[int], window: int, entry: float, leave: float
) -> None:
    params = {"lookback_period": window, "entry_threshold": entry, "exit_threshold": leave}
    found = signals.signals(
        "mean_reversion", signals.parameters("mean_reversion", params), cents, []
    )
    for t, signal in enumerate(found):
        if t + 1 < window:
            assert signal == 0
            continue
        z = _z_score(cents[t + 1 - window : t + 1])
        wished = 1 if z < -Decimal(str(entry)) else -1 if z > -Decimal(str(leave)) else 0
        assert signal == wished


def _z_score(window: list[int]) -> Decimal:
    """(C - mean) / population deviation to 40 digits; rational values come out exact."""
    mean = Fraction(sum(window), len(window))
    variance = Fraction(sum((x - mean) ** 2 for x in window)) / len(window)
    if variance == 0:
        return Decimal(0)
    square = (window[-1] - mean) ** 2 / variance
    with localcontext() as context:
        context.prec = 40
        root = (Decimal(square.numerator) / Decimal(square.denominator)).sqrt()
    return root if window[-1] > mean else -root


@EXAMPLES
@given(
    bars_=st.lists(st.tuples(st.integers(95, 105), st.integers(0, 4)), min_size=1, max_size=60),
    variant=st.sampled_from(OFTEN["adaptive"]),
)
def test_adaptive_is_the_textbook_vote(
    bars_: list[tuple[int, int]], variant: dict[str, Any]
) -> None:
    params = signals.parameters("adaptive", variant)
    closes, volumes = [c for c, _ in bars_], [v for _, v in bars_]
    short, long, span = (
        int(params[name]) for name in ("short_window", "long_window", "volume_window")
    )
    period = int(params["rsi_period"])
    rsi_votes = signals.rsi_votes(closes, params)
    for t, signal in enumerate(signals.signals("adaptive", params, closes, volumes)):
        if t + 1 < max(long, span, period + 1):
            assert signal == 0
            continue
        trend = _mean(closes, t, short) - _mean(closes, t, long)
        change = closes[t] - closes[t - 1] if volumes[t] > _mean(volumes, t, span) else 0
        votes = _sign(trend) + rsi_votes[t] + _sign(change)
        assert signal == (votes >= 2) - (votes <= -2)


def _sign(value: Fraction | int) -> int:
    return 1 if value > 0 else -1 if value < 0 else 0


def _mean(values: list[int], t: int, n: int) -> Fraction:
    return Fraction(sum(values[t + 1 - n : t + 1]), n)


@EXAMPLES
@given(cents=CENTS, kind=st.sampled_from(sorted(OFTEN)), factor=st.sampled_from([3, 10, 1000]))
def test_a_price_in_another_unit_gives_the_same_signals(
    cents: list[int], kind: str, factor: int
) -> None:
    params = signals.parameters(kind, OFTEN[kind][0])
    volumes = [cent % 7 for cent in cents]
    scaled = [cent * factor * TICKS_PER_DOLLAR for cent in cents]
    assert signals.signals(kind, params, scaled, volumes) == signals.signals(
        kind, params, cents, volumes
    )


@pytest.mark.thorough
@EXAMPLES
@given(day=days(), cut=st.integers(0, 60))
def test_nothing_is_decided_on_what_comes_later(
    day: tuple[dict[str, Any], pd.DataFrame], cut: int
) -> None:
    document, frame = day
    until = OPEN + cut * MINUTE
    whole = predict(document, frame, DAY)
    part = predict(document, frame[frame["timestamp"] < until], DAY)
    assert part.fills == tuple(fill for fill in whole.fills if fill.minute < until)
    assert part.signals == tuple(s for s in whole.signals if s.minute < until)


@pytest.mark.thorough
@EXAMPLES
@given(day=days())
def test_no_strategy_changes_another(day: tuple[dict[str, Any], pd.DataFrame]) -> None:
    document, frame = day
    together = predict(document, frame, DAY)
    for block in document["strategies"]:
        alone = predict(config(block), frame, DAY)
        name = block["name"]
        assert alone.fills == tuple(f for f in together.fills if f.strategy == name)
        assert alone.equity[name] == together.equity[name]


@pytest.mark.thorough
@EXAMPLES
@given(day=days())
def test_the_books_add_up_exactly(day: tuple[dict[str, Any], pd.DataFrame]) -> None:
    document, frame = day
    result = predict(document, frame, DAY)
    with localcontext() as context:
        context.prec = 60
        for block in document["strategies"]:
            check_book(result, block["name"], Decimal(str(block["initial_cash"])))


def check_book(result: OracleResult, name: str, initial_cash: Decimal) -> None:
    """Cash and P&L from the fills alone, without the book that the oracle kept."""
    fills = [fill for fill in result.fills if fill.strategy == name]
    cash, held = initial_cash, dict.fromkeys({fill.symbol for fill in fills}, Decimal(0))
    for fill in fills:
        buying = fill.side == "buy"
        cash += (-1 if buying else 1) * fill.qty * fill.price - (0 if buying else fill.fee)
        held[fill.symbol] += fill.qty - fill.fee / fill.price if buying else -fill.qty
        # Holds are qty x C: entries of one minute may overdraw a book by the half-spread.
        assert cash > -initial_cash / 5000
        assert held[fill.symbol] >= 0
    assert cash == result.cash[name]
    assert {s: q for s, q in held.items() if q} == result.positions[name]
    assert sum((fill.fee for fill in fills), Decimal(0)) == result.fees[name]
    worth = result.equity[name] - cash
    unrealized = worth - sum(result.costs[name].values(), Decimal(0))
    assert result.pnl[name] == result.realized[name] + unrealized - result.fees[name]


@EXAMPLES
@given(
    lots=st.lists(st.tuples(st.integers(1, 10**9), st.integers(1, 10**12)), min_size=1, max_size=8)
)
def test_a_book_that_is_sold_empty_has_no_cost_left(lots: list[tuple[int, int]]) -> None:
    book = Book(Decimal(0))
    with localcontext() as context:
        context.prec = 60
        for qty, price in lots:
            book.buy("AAA", Decimal(qty).scaleb(-4), Decimal(price).scaleb(-9))
        for _ in range(2):
            part = (book.held("AAA") / 3).quantize(Decimal("0.0001"))
            book.sell("AAA", part, Decimal(1))
        book.sell("AAA", book.held("AAA"), Decimal(1))
        assert book.held("AAA") == book.cost["AAA"] == 0
        assert book.cash == book.realized


@given(close=st.integers(1, 10**15))
def test_a_market_order_pays_one_basis_point_on_either_side(
    close: int,
) -> None:
    price = Decimal(close).scaleb(-9)
    bought, sold = fill_price(price, "buy", "spread"), fill_price(price, "sell", "spread")
    half_a_unit = Decimal("0.0000000005")
    assert sold <= price <= bought
    assert abs(bought - price * Decimal("1.0001")) <= half_a_unit
    assert abs(sold - price * Decimal("0.9999")) <= half_a_unit


def test_the_days_that_are_drawn_do_have_fills() -> None:
    zigzag = [1000 + (37 * i * i) % 90 for i in range(60)]
    frame = bars("AAA", dollars(zigzag), history=dollars(zigzag), begin=OPEN)
    for kind in OFTEN:
        block = {
            "name": kind,
            "strategy_type": kind,
            "strategy_params": OFTEN[kind][0],
            "tickers": ["AAA"],
        }
        assert predict(config(block), frame, DAY).fills, kind
