"""A billion strategy-bars in one pass: 10,000 strategies on 10 tickers, 98,280 minutes each."""

from __future__ import annotations

import json
import resource
import time
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet

from coordinator.backtest import Backtest, BacktestOptions, Means
from simulator.assets import DEFAULT_STOCKS
from simulator.calendar import Calendar, Session

STRATEGIES, TICKERS, SESSIONS, MINUTES = 10_000, 10, 252, 390
FIRST = date(2025, 1, 2)
COLUMNS = ("orders", "fills", "positions", "pnl_daily")
KINDS: Sequence[tuple[str, Callable[[int], dict[str, object]]]] = (
    (
        "momentum",
        lambda n: {
            "lookback_period": 5 + n % 50,
            "momentum_threshold": round(0.001 + n // 50 / 1000, 3),
        },
    ),
    ("adaptive", lambda n: {"short_window": 3 + n % 10, "long_window": 20 + n // 10}),
    ("rsi", lambda n: {"rsi_period": 5 + n % 25, "rsi_oversold": 20 + n // 25}),
    (
        "mean_reversion",
        lambda n: {"lookback_period": 10 + n % 50, "entry_threshold": 1 + n // 50 / 4},
    ),
)


def billion(folder: Path) -> None:
    """Play them all, and print the rate and the peak memory."""
    days = Calendar(FIRST, FIRST).between(FIRST, date(2026, 2, 28))[:SESSIONS]
    bars, config = folder / "billion.parquet", folder / "billion.json"
    _record(bars, DEFAULT_STOCKS[:TICKERS], days)
    config.write_text(json.dumps({"strategies": _strategies()}))
    began = time.process_time()
    test = Backtest(BacktestOptions(config, bars))
    test.read_bars()
    reading_s = time.process_time() - began
    orders = sessions = coded = 0
    began, wall = time.process_time(), time.perf_counter()
    for session in test.play(means=Means.COMPILED):
        for table in COLUMNS:
            getattr(session.rows()[table], "table", None)
        orders += len(session.rows()["orders"])
        sessions += 1
        coded += session.means is Means.COMPILED
    engine_s, wall_s = time.process_time() - began, time.perf_counter() - wall
    units = STRATEGIES * sessions * MINUTES
    most_gib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(
        f"{units:,} strategy-bars with {orders:,} orders in one pass, {coded} of {sessions}"
        f" sessions in machine code: {engine_s:,.1f} s of CPU time ({wall_s:,.1f} s by the wall),"
        f" {engine_s / units * 1e9:,.1f} ns each, {units / engine_s / 1e6:,.1f} million a second;"
        f" reading {reading_s:,.1f} s before; at most {most_gib:.2f} GiB of memory"
    )


def _strategies() -> list[dict[str, object]]:
    """Strategies with one ticker each, alternating tickers and kinds, no two on a ticker alike."""
    found: list[dict[str, object]] = []
    for number in range(STRATEGIES):
        nth = number // TICKERS
        kind, params = KINDS[nth % len(KINDS)]
        found.append(
            {
                "name": f"S{number}",
                "strategy_type": kind,
                "strategy_params": params(nth // len(KINDS)),
                "tickers": [DEFAULT_STOCKS[number % TICKERS]],
                "initial_cash": 10_000,
            }
        )
    return found


def _record(path: Path, tickers: Sequence[str], days: Sequence[Session]) -> None:
    """Write bars whose closes walk randomly by cents."""
    draw = np.random.default_rng(7)
    opens = np.array([day.open.timestamp() for day in days], np.int64)[:, None]
    starts = ((opens + 60 * np.arange(MINUTES)) * 1_000_000).ravel()
    tables = []
    for ticker in tickers:
        cents = 20_000 + np.cumsum(draw.integers(-12, 13, len(starts)))
        close = np.maximum(cents, 500) / 100
        wide = draw.integers(1, 9, len(starts)) / 100
        tables.append(
            pa.table(
                {
                    "symbol": pa.repeat(ticker, len(starts)),
                    "timestamp": pa.array(starts).cast(pa.timestamp("us", tz="UTC")),
                    "open": np.round(close - wide / 2, 2),
                    "high": np.round(close + wide, 2),
                    "low": np.round(close - wide, 2),
                    "close": close,
                    "volume": draw.integers(100, 5000, len(starts)).astype(float),
                }
            )
        )
    pa.parquet.write_table(pa.concat_tables(tables), path)
