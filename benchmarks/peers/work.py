"""The work for every engine as one JSON file: strategies, and the path of the bars.

Half of the strategies follow momentum, half two averages with RSI and volume (`adaptive`). Each
trades one ticker with its own parameters, alternating over the tickers.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks import backtest
from benchmarks.peers.engines.rules import rule_params
from benchmarks.peers.reference import Adaptive, Bars, Momentum, Rule
from simulator.calendar import Calendar

CENTS = 100
CASH = 10_000 * CENTS
"""Each strategy's initial cash in cents; prices are whole cents, too."""


@dataclass(frozen=True, slots=True)
class Case:
    """N strategies over S tickers of B bars each; B is a whole number of sessions."""

    strategies: int
    tickers: int
    bars: int

    @classmethod
    def of(cls, text: str) -> Case:
        """From `N,S,B`."""
        return cls(*(int(number) for number in text.split(",")))

    @property
    def name(self) -> str:
        """The case's name in the results."""
        return f"{self.strategies},{self.tickers},{self.bars}"

    @property
    def units(self) -> int:
        """Strategy-bars."""
        return self.strategies * self.bars

    def ticker_of(self, number: int) -> int:
        """The number of a strategy's ticker."""
        return number % self.tickers

    def rules(self) -> list[Rule]:
        """The strategies' rules, no two on a ticker alike."""
        return [_rule(**rule_params(number, self.tickers)) for number in range(self.strategies)]


@dataclass(frozen=True, slots=True)
class Work:
    """A case with its bars: the file for the engines, and the bars for the reference."""

    case: Case
    path: Path
    bars: tuple[Bars, ...]

    @classmethod
    def make(cls, case: Case, folder: Path) -> Work:
        """Generate the bars into a Parquet file in `folder`, and the JSON file beside it."""
        assert not case.bars % backtest.MINUTES, "whole sessions of 390 bars"
        sessions = case.bars // backtest.MINUTES
        first = backtest.FIRST
        days = Calendar(first, first).between(first, date(2026, 1, 31))[:sessions]
        tickers = backtest.tickers_of(case.tickers)
        bars = folder / f"{case.tickers}-{sessions}.parquet"
        if not bars.exists():
            backtest.record(bars, tickers, days)
        path = folder / f"{case.name}.json"
        path.write_text(json.dumps(_document(case, bars, tickers)))
        return cls(case, path, _read(bars, tickers))


def _rule(kind: str, **params: int) -> Rule:
    return Momentum(**params) if kind == "momentum" else Adaptive(**params)


def _document(case: Case, bars: Path, tickers: list[str]) -> dict[str, Any]:
    strategies = [
        {"ticker": case.ticker_of(number), **rule.as_document()}
        for number, rule in enumerate(case.rules())
    ]
    return {
        "case": case.name,
        "bars": str(bars),
        "tickers": tickers,
        "session": backtest.MINUTES,
        "cash": CASH,
        "strategies": strategies,
    }


def _read(path: Path, tickers: list[str]) -> tuple[Bars, ...]:
    table = pd.read_parquet(path, columns=["symbol", "timestamp", "close", "volume"])
    by_ticker = dict(iter(table.sort_values("timestamp").groupby("symbol")))
    return tuple(_bars(by_ticker[ticker]) for ticker in tickers)


def _bars(frame: pd.DataFrame) -> Bars:
    closes = [round(close * CENTS) for close in frame["close"]]
    return Bars(closes, [int(volume) for volume in frame["volume"]], backtest.MINUTES)
