"""`v_performance` says of a month of days what quantstats says of the same returns.

quantstats draws pictures and fetches quotes, too; it is imported by the one fixture that asks it.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.warehouse.builder import Day, d
from tests.warehouse.conftest import Load, Rows

DAILY = Path(__file__).parents[2] / "../shared/data/daily.parquet"
# fmt: off
MADE = [
    0.0112, -0.0087, 0.0041, 0.0, -0.0215, 0.0163, 0.0028, -0.0009, 0.0075, -0.0131, 0.0302,
    -0.0046, 0.0017, 0.0, -0.0068, 0.0094, -0.0022, 0.0139, -0.0175, 0.0053, 0.0081, -0.0034,
]
# fmt: on
MONTHS = [
    # the month, what the strategy trades, and so a year's days
    ("a month that begins with a loss", lambda: [-0.031, *MADE], "SPY", 252),
    ("a month of small moves", lambda: MADE, "BTC/USD", 365),
    ("SPY in March 2020, as recorded", lambda: recorded("SPY", "2020-03"), "SPY", 252),
]
Says = Callable[[list[float], int], dict[str, float]]


def recorded(symbol: str, month: str) -> list[float]:
    """The daily returns of a recorded month, from close to close."""
    if not DAILY.exists():
        pytest.skip("recorded bars are absent: ../shared/data is not beside this checkout")
    bars = pd.read_parquet(DAILY)
    closes = bars[bars["symbol"] == symbol].set_index("timestamp")["close"].sort_index()
    returns: Any = closes.pct_change().loc[month]
    return [float(value) for value in returns]


@pytest.fixture(scope="module")
def quantstats() -> Says:
    """What quantstats says of daily returns, by the view's names; no risk-free rate."""
    stats: Any = import_module("quantstats.stats")

    def says(returns: list[float], days_a_year: int) -> dict[str, float]:
        series = pd.Series(returns, index=pd.date_range("2026-03-02", periods=len(returns)))
        found: dict[str, Any] = {
            "total_return": stats.comp(series),
            "annualised_return": stats.cagr(series, periods=days_a_year),
            "volatility": stats.volatility(series, periods=days_a_year),
            "sharpe": stats.sharpe(series, periods=days_a_year),
            "sortino": stats.sortino(series, periods=days_a_year),
            "max_drawdown": -stats.max_drawdown(series),
            "win_rate": stats.win_rate(series),
            "profit_factor": stats.profit_factor(series),
        }
        return {name: float(value) for name, value in found.items()}

    return says


def play(day: Day, load: Load, returns: list[float], transfers: dict[int, str]) -> None:
    """Loads a session per return, by dividends and charges; transfers come on top."""
    (name,) = (name for name in day.books if name != "UNASSIGNED")
    for number, share in enumerate(returns):
        if number in transfers:
            day.activity(name, "transfer", transfers[number])
        capital = day.start[name] + day.transfers[name]
        day.activity(name, "dividend", str((capital * Decimal(str(share))).quantize(d("1e-12"))))
        assert load(day.source()).status == "loaded"
        day = day.next_day(f"s{number + 2}")


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("month", "ticker", "days_a_year"), [m[1:] for m in MONTHS], ids=[m[0] for m in MONTHS]
)
def test_performance_agrees_with_quantstats_and_transfers_do_not_distort_it(
    load: Load,
    rows: Rows,
    quantstats: Says,
    month: Callable[[], list[float]],
    ticker: str,
    days_a_year: int,
) -> None:
    returns = month()
    expected = quantstats(returns, days_a_year)
    play(Day(tickers={"Alpha": [ticker]}), load, returns, transfers={4: "5000", 9: "-2500"})
    names = ", ".join([*expected, "days", "days_a_year"])
    (answer,) = rows(f"SELECT {names} FROM v_performance WHERE strategy = 'Alpha'")
    assert answer[-2:] == (len(returns), days_a_year)
    assert dict(zip(expected, answer, strict=False)) == pytest.approx(expected, rel=1e-9)
