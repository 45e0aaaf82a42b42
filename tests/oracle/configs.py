"""Configurations that trade often on the recorded days, for comparing the engine with the oracle.

Rule: each function returns a fresh JSON document of CONTRACT section 4, the same one every time;
small windows and low thresholds, so that a day has many fills of every kind.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

Config = dict[str, Any]

OFTEN: dict[str, Sequence[dict[str, Any]]] = {
    "momentum": (
        {"lookback_period": 10, "momentum_threshold": 0.001},
        {"lookback_period": 5, "momentum_threshold": 0.002},
        {"lookback_period": 3, "momentum_threshold": 0.001},
        {"lookback_period": 20, "momentum_threshold": 0.0015},
    ),
    "rsi": (
        {"rsi_period": 7, "rsi_oversold": 40, "rsi_overbought": 60},
        {"rsi_period": 14, "rsi_oversold": 40, "rsi_overbought": 60},
        {"rsi_period": 2, "rsi_oversold": 10, "rsi_overbought": 90},
        {"rsi_period": 10, "rsi_oversold": 35.5, "rsi_overbought": 62.5},
    ),
    "mean_reversion": (
        {"lookback_period": 10, "entry_threshold": 1.5, "exit_threshold": 0.5},
        {"lookback_period": 20, "entry_threshold": 2.0, "exit_threshold": 0.5},
        {"lookback_period": 5, "entry_threshold": 1.0, "exit_threshold": 0.0},
        {"lookback_period": 30, "entry_threshold": 1.25, "exit_threshold": 0.25},
    ),
    "adaptive": (
        {
            "short_window": 3,
            "long_window": 8,
            "rsi_period": 5,
            "volume_window": 5,
            "rsi_oversold": 45,
            "rsi_overbought": 55,
        },
        {"short_window": 5, "long_window": 15, "rsi_period": 7, "volume_window": 10},
        {"short_window": 2, "long_window": 20, "rsi_oversold": 40, "rsi_overbought": 60},
        {"short_window": 10, "long_window": 30, "volume_window": 3},
    ),
}

RISKS: Sequence[dict[str, Any]] = (
    {},
    {"max_position_size": 0.95, "stop_loss_pct": 0.002, "take_profit_pct": 0.003},
    {"max_position_size": 0.5},
    {"max_daily_trades": 6},
    {"max_position_size": 0.3, "stop_loss_pct": 0.004},
    {"max_daily_loss": 25.0},
    {"max_position_size": 0.25, "max_daily_trades": 20, "take_profit_pct": 0.0025},
)

# More than three days of a stock's minutes: on 2026-03-17 such a ticker warms up in the session.
WARMUPS = (0, 10, 50, 1190, 20, 40)

TEN = ("SPY", "QQQ", "IWM", "NVDA", "AAPL", "MSFT", "AMZN", "META", "TSLA", "AMD")
THIRTY = (
    *TEN,
    "GOOG",
    "NFLX",
    "INTC",
    "QCOM",
    "TSM",
    "ARM",
    "PLTR",
    "COIN",
    "SMCI",
    "SMH",
    "ADBE",
    "ORCL",
    "BA",
    "BABA",
    "DIS",
    "NIO",
    "PDD",
    "RIVN",
    "ARKK",
    "SOXS",
)
PAIRS = ("BTC/USD", "ETH/USD", "SOL/USD", "XRP/USD", "DOGE/USD", "AVAX/USD", "ADA/USD")


def single(strategy_type: str, ticker: str = "SPY") -> Config:
    """One strategy of the named type on one ticker."""
    return _config("single", [_strategy(0, strategy_type, [ticker], {"max_position_size": 0.95})])


def one_of_each() -> Config:
    """The four types side by side on SPY."""
    blocks = [_strategy(i, kind, ["SPY"], {}) for i, kind in enumerate(OFTEN)]
    return _config("one-of-each", blocks)


def twenty_six() -> Config:
    """26 strategies on 10 overlapping stocks, types and risk limits mixed."""
    return _config("twenty-six", list(_many(26, TEN)))


def hundred() -> Config:
    """100 strategies on 30 overlapping stocks, types and risk limits mixed."""
    return _config("hundred", list(_many(100, THIRTY)))


def crypto() -> Config:
    """Eight strategies on seven pairs."""
    return _config("crypto", list(_many(8, PAIRS)))


def mixed() -> Config:
    """Stocks and crypto side by side, and two strategies that hold both."""
    both = [
        _strategy(90, "rsi", ["BTC/USD", "SPY", "ETH/USD"], {"max_position_size": 0.3}),
        _strategy(91, "momentum", ["TSLA", "SOL/USD"], {"max_position_size": 0.5}),
    ]
    return _config("mixed", [*_many(5, TEN), *_many(5, PAIRS, start=50), *both])


def _many(count: int, universe: Sequence[str], start: int = 0) -> Iterator[dict[str, Any]]:
    """Strategies with one to four tickers each, stepping through the universe."""
    kinds, risks = itertools.cycle(OFTEN), itertools.cycle(RISKS)
    for i, kind, risk in zip(range(count), kinds, risks, strict=False):
        size = 1 + i % 4
        tickers = [universe[(3 * i + 2 * k) % len(universe)] for k in range(size)]
        share = {"max_position_size": 0.9 / size} if "max_position_size" not in risk else {}
        yield _strategy(start + i, kind, list(dict.fromkeys(tickers)), {**share, **risk})


def _strategy(
    number: int, kind: str, tickers: list[str], risk_config: dict[str, Any]
) -> dict[str, Any]:
    variants = OFTEN[kind]
    return {
        "name": f"{kind}_{number:02d}",
        "strategy_type": kind,
        "strategy_params": dict(variants[number // len(OFTEN) % len(variants)]),
        "tickers": tickers,
        "initial_cash": 5000.0 + 250.5 * (number % 9),
        "min_warmup_bars": WARMUPS[number % len(WARMUPS)],
        "risk_config": dict(risk_config),
    }


def _config(name: str, strategies: list[dict[str, Any]]) -> Config:
    return {"name": name, "strategies": strategies}
