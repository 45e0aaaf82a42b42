"""Bars files for tests that need no recorded data: the seeded generator's, as Parquet."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from coordinator.backtest import Backtest, BacktestOptions
from simulator.calendar import Calendar
from simulator.feed import bars_between, midnight
from simulator.generated import GeneratedFeed

MONDAY = dt.date(2026, 3, 16)
TUESDAY = dt.date(2026, 3, 17)
ONE_DAY = dt.timedelta(days=1)


def write_recording(path: Path, tickers: Sequence[str], first: dt.date, last: dt.date) -> Path:
    """Generated bars of the UTC dates first..last to `path`."""
    feed = GeneratedFeed(7, Calendar(first, last))
    rows: list[dict[str, Any]] = [
        {
            "symbol": bar.symbol,
            "timestamp": bar.start,
            **{name: float(getattr(bar, name)) for name in ("open", "high", "low", "close")},
            "volume": float(bar.volume),
        }
        for ticker in tickers
        for bar in bars_between(feed, ticker, midnight(first), midnight(last + ONE_DAY))
    ]
    pd.DataFrame(rows).to_parquet(path)
    return path


def strategy(name: str, *tickers: str, kind: str = "momentum", **more: Any) -> dict[str, Any]:
    """A strategy that trades often on one-minute bars."""
    params: dict[str, Any] = {"lookback_period": 3, "momentum_threshold": 0.0005}
    if kind == "rsi":
        params = {"rsi_period": 5, "rsi_oversold": 45, "rsi_overbought": 55}
    document = {"name": name, "strategy_type": kind, "strategy_params": params}
    return {**document, "tickers": list(tickers), "min_warmup_bars": 5, **more}


def backtest(folder: Path, config: dict[str, Any], bars: Path, **options: Any) -> Backtest:
    """A backtest of a configuration's document."""
    return Backtest(BacktestOptions(write_config(folder / "test.json", config), bars, **options))


def write_config(path: Path, config: dict[str, Any]) -> Path:
    """A configuration's document as a file."""
    path.write_text(json.dumps(config))
    return path
