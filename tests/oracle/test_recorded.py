"""The oracle on the recorded days: against TA-Lib, against itself, and that enough happens."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable
from decimal import Decimal, localcontext
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import talib

from tests.oracle import configs, exchange, signals
from tests.oracle.bars import MINUTE, Series, series
from tests.oracle.predict import predict
from tests.oracle.recorded import recorded_bars
from tests.oracle.result import OracleResult
from tests.oracle.test_properties import check_book

pytestmark = [pytest.mark.recorded, pytest.mark.usefixtures("recorded_data")]

STOCK_DAY = dt.date(2026, 3, 17)
CRYPTO_DAY = dt.date(2026, 3, 18)
STOCKS, PAIRS = "yahoo_2026_03", "tiingo_crypto_2026_03"


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("make", "sources", "day", "fills"),
    [
        (lambda: configs.single("momentum"), (STOCKS,), STOCK_DAY, 10),
        (lambda: configs.single("rsi"), (STOCKS,), STOCK_DAY, 20),
        (lambda: configs.single("mean_reversion"), (STOCKS,), STOCK_DAY, 40),
        (lambda: configs.single("adaptive"), (STOCKS,), STOCK_DAY, 10),
        (configs.one_of_each, (STOCKS,), STOCK_DAY, 80),
        (configs.twenty_six, (STOCKS,), STOCK_DAY, 500),
        (configs.hundred, (STOCKS,), STOCK_DAY, 3000),
        (configs.crypto, (PAIRS,), CRYPTO_DAY, 800),
        (configs.mixed, (STOCKS, PAIRS), CRYPTO_DAY, 500),
    ],
    ids=["momentum", "rsi", "reversion", "adaptive", "four", "26", "100", "crypto", "mixed"],
)
def test_a_recorded_day_has_many_fills_and_books_that_add_up(
    make: Callable[[], dict[str, Any]], sources: tuple[str, ...], day: dt.date, fills: int
) -> None:
    document = make()
    result = predict(document, recorded_bars(*sources), day)
    assert len(result.fills) >= fills
    assert len(result.orders) == len(result.fills)
    with localcontext() as context:
        context.prec = 60
        for block in document["strategies"]:
            check_book(result, block["name"], Decimal(str(block["initial_cash"])))


def test_the_days_of_26_strategies_show_every_reason_and_every_denial() -> None:
    result = predict(configs.twenty_six(), recorded_bars(STOCKS), STOCK_DAY)
    assert set(Counter(order.reason for order in result.orders)) == {"signal", "stop", "target"}
    causes = {denial.cause for denial in result.denials}
    assert causes == {"max_daily_trades", "max_daily_loss", "minimum"}
    assert _opposite_orders(result) >= 20


def _opposite_orders(result: OracleResult) -> int:
    """Minutes and tickers in which one strategy buys what another sells."""
    sides: dict[tuple[dt.datetime, str], set[str]] = {}
    for fill in result.fills:
        sides.setdefault((fill.minute, fill.symbol), set()).add(fill.side)
    return sum(len(found) == 2 for found in sides.values())


@pytest.mark.thorough
def test_what_was_recorded_later_changes_nothing() -> None:
    document, frame = configs.twenty_six(), recorded_bars(STOCKS)
    until = frame[frame["timestamp"].dt.date <= STOCK_DAY]
    assert predict(document, until, STOCK_DAY) == predict(document, frame, STOCK_DAY)


def _recorded_series() -> list[Series]:
    stocks, pairs = recorded_bars(STOCKS), recorded_bars(PAIRS)
    return [series(stocks, symbol, STOCK_DAY) for symbol in configs.THIRTY] + [
        series(pairs, symbol, CRYPTO_DAY) for symbol in configs.PAIRS
    ]


@pytest.mark.thorough
def test_rsi_of_every_recorded_bar_is_ta_libs_to_a_billionth() -> None:
    compared = 0
    for bars in _recorded_series():
        closes = np.array([float(close) for close in bars.closes])
        for period in (2, 14):
            theirs = talib.RSI(closes, period)
            for pair, other in zip(signals.wilder(bars.ticks, period), theirs, strict=True):
                gain, loss = pair or (0, 0)
                if gain + loss:
                    exact = float(Fraction(100 * gain, gain + loss))
                    assert abs(exact - other) < 1e-9, (bars.symbol, period)
                    compared += 1
    assert compared > 50_000


@pytest.mark.thorough
def test_signals_of_every_recorded_bar_are_ta_libs_wherever_floats_can_tell() -> None:
    compared = 0
    for bars in _recorded_series():
        closes = np.array([float(close) for close in bars.closes])
        volumes = np.array(bars.volumes, dtype=float)
        for kind, theirs in (("mean_reversion", _reversion), ("adaptive", _adaptive)):
            ours = signals.signals(kind, signals.parameters(kind, {}), bars.ticks, bars.volumes)
            wished, certain = theirs(closes, volumes)
            assert certain.sum() > 0.9 * len(ours), (bars.symbol, kind)
            assert (np.array(ours)[certain] == wished[certain]).all(), (bars.symbol, kind)
            compared += int(certain.sum())
    assert compared > 60_000


Guess = tuple[np.ndarray, np.ndarray]


def _reversion(closes: np.ndarray, _volumes: np.ndarray) -> Guess:
    """The default rule in floats, and where no comparison is close to a tie."""
    # TA-Lib's STDDEV cancels badly on small windows of large prices: take off the level first.
    level = closes - closes[0]
    deviation = talib.STDDEV(level, 20)
    with np.errstate(all="ignore"):
        z = np.where(deviation > 0, (level - talib.SMA(level, 20)) / deviation, 0.0)
        certain = (np.abs(z + 2) > 1e-5) & (np.abs(z + 0.5) > 1e-5) & (deviation > 1e-6)
    return np.where(z < -2, 1, np.where(z > -0.5, -1, 0)), certain


def _adaptive(closes: np.ndarray, volumes: np.ndarray) -> Guess:
    """The default rule in floats, and where no comparison is close to a tie."""
    trend = talib.SMA(closes, 10) - talib.SMA(closes, 30)
    rsi, usual = talib.RSI(closes, 14), talib.SMA(volumes, 20)
    change = np.sign(np.diff(closes, prepend=closes[0]))
    with np.errstate(all="ignore"):
        votes = (
            np.sign(trend)
            + np.where(rsi < 30, 1, np.where(rsi > 70, -1, 0))
            + np.where(volumes > usual, change, 0)
        )
        certain = (
            (np.abs(trend) > 1e-9 * closes)
            & (np.abs(volumes - usual) > 1e-9 * usual)
            & (np.abs(rsi - 30) > 1e-9)
            & (np.abs(rsi - 70) > 1e-9)
            & (rsi > 0)
        )
    return np.where(votes >= 2, 1, np.where(votes <= -2, -1, 0)), certain


def test_christmas_eve_ends_at_one_and_the_bar_stamped_at_the_close_is_left_out() -> None:
    frame = recorded_bars("etf_2019_12")
    close = dt.datetime(2019, 12, 24, 18, tzinfo=dt.UTC)
    assert (frame["timestamp"] == close).any()
    document = configs.single("mean_reversion", "TLT")
    result = predict(document, frame, close.date())
    assert result.fills
    assert max(signal.minute for signal in result.signals) < close
    assert max(order.minute for order in result.orders) < close - MINUTE


def test_extended_hours_do_not_count() -> None:
    day = dt.date(2026, 1, 28)
    frame = recorded_bars("firstrate_2026_01", last=day)
    hours = exchange.session(day)
    assert hours is not None
    assert (frame["timestamp"] >= hours[1]).any()
    minutes = series(frame, "SPY", day).minutes
    assert all(exchange.is_regular(minute) for minute in minutes)
    assert sum(minute >= hours[0] for minute in minutes) == 390


def test_the_recorded_calendar_is_the_librarys() -> None:
    recorded = exchange.recorded_sessions()
    assert len(recorded) > 4000
    days = [day for day in recorded if day >= dt.date(2023, 1, 1)]
    assert all(exchange.library_session(day) == recorded[day] for day in days)


def test_an_unknown_source_is_named_with_those_there_are() -> None:
    with pytest.raises(LookupError, match="yahoo_2026_03"):
        recorded_bars("yahoo_2062_03")


def test_a_range_of_days_keeps_both_ends(recorded_data: Path) -> None:
    frame = recorded_bars(PAIRS, first=CRYPTO_DAY, last=CRYPTO_DAY, symbols=["BTC/USD"])
    assert len(frame) == 1440
    assert recorded_data.is_dir()
