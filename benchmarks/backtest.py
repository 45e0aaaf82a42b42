"""What a backtest costs: `python -m benchmarks.backtest [--strategies N] [--tickers S] [--bars B]`.

Prints CPU nanoseconds per strategy and bar of playing, and of loading into the warehouse, beside
the orders per strategy and bar, at B bars a ticker and at a tenth of them: what does not grow with
what is done costs the same at both.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd

from coordinator.backtest import Backtest, BacktestOptions
from simulator.assets import DEFAULT_STOCKS
from simulator.calendar import Calendar
from simulator.feed import bars_between
from simulator.generated import GeneratedFeed
from warehouse import Store, load_session

FIRST = date(2025, 1, 2)
MINUTES = 390
KINDS: Sequence[tuple[str, dict[str, object]]] = (
    ("momentum", {"lookback_period": 20, "momentum_threshold": 0.002}),
    ("adaptive", {}),
    ("rsi", {}),
    ("mean_reversion", {}),
)


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU nanoseconds per strategy and bar, and orders per strategy and bar."""

    bars: int
    playing_ns: float
    loading_ns: float
    orders: float

    def __str__(self) -> str:
        return (
            f"B={self.bars:,}: playing {self.playing_ns:,.0f} ns,"
            f" loading {self.loading_ns:,.0f} ns per strategy-bar; {self.orders:.4f} orders"
        )


def main() -> None:
    """Run and print."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--strategies", type=int, default=26)
    asked.add_argument("--tickers", type=int, default=10)
    asked.add_argument("--bars", type=int, default=3900, help="a ticker")
    given = asked.parse_args()
    tickers = DEFAULT_STOCKS[: given.tickers]
    sessions = max(given.bars // MINUTES, 1)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        days = Calendar(FIRST, FIRST).between(FIRST, date(2026, 1, 31))[:sessions]
        bars = _recording(place / "bars.parquet", tickers, days)
        config = place / "bench.json"
        config.write_text(json.dumps(_config(given.strategies, tickers)))
        for count in (max(sessions // 10, 1), sessions):
            print(cost(BacktestOptions(config, bars, end=days[count - 1].date), place, count))


def cost(options: BacktestOptions, folder: Path, sessions: int) -> Cost:
    """Play and load one backtest. Reading the file counts as playing."""
    began = time.process_time()
    test = Backtest(options)
    strategies, loading, orders = len(test.setup.specs), 0.0, 0
    for session in test.play():
        orders += len(session.rows()["orders"])
        loaded = time.process_time()
        with Store.open(folder / f"{sessions}.duckdb") as store:
            load_session(store, session)
        loading += time.process_time() - loaded
    playing = time.process_time() - began - loading
    units = strategies * sessions * MINUTES
    return Cost(sessions * MINUTES, playing / units * 1e9, loading / units * 1e9, orders / units)


def _config(count: int, tickers: Sequence[str]) -> dict[str, Any]:
    """Strategies of one ticker each, by turns of each kind."""
    return {
        "strategies": [
            {
                "name": f"S{number}",
                "strategy_type": KINDS[number % len(KINDS)][0],
                "strategy_params": KINDS[number % len(KINDS)][1],
                "tickers": [tickers[number % len(tickers)]],
            }
            for number in range(count)
        ]
    }


def _recording(path: Path, tickers: Sequence[str], days: Sequence[Any]) -> Path:
    feed = GeneratedFeed(7, Calendar(days[0].date, days[-1].date), frozenset())
    rows = [
        {
            "symbol": bar.symbol,
            "timestamp": bar.start,
            **{name: float(getattr(bar, name)) for name in ("open", "high", "low", "close")},
            "volume": float(bar.volume),
        }
        for ticker in tickers
        for day in days
        for bar in bars_between(feed, ticker, day.open, day.close)
    ]
    pd.DataFrame(rows).to_parquet(path)
    return path


if __name__ == "__main__":
    main()
