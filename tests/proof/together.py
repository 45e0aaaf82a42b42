"""A strategy of the simulation's that looks at its tickers together, and remembers all it saw."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import PrivateAttr

from coordinator import Bar, MultiTickerStrategy, Window

ONE_IN = 4


class Running(MultiTickerStrategy):
    """Long of whichever has closed higher most often of late, flat of the others."""

    strategy_type: ClassVar[str] = "running"
    lookback_period: Window = 2

    _points: dict[str, int] = PrivateAttr(default_factory=dict)
    _before: dict[str, Any] = PrivateAttr(default_factory=dict)

    def step(self, bars: Mapping[str, Bar]) -> dict[str, int]:
        """Signals of the tickers that have a bar."""
        for ticker, bar in bars.items():
            won = 1000 * (bar.close > self._before.get(ticker, bar.close))
            self._points[ticker] = self._points.get(ticker, 0) * 2 // 3 + won
            self._before[ticker] = bar.close
        most = max(self._points.values())
        return {ticker: 1 if self._points[ticker] == most else -1 for ticker in bars}


def perhaps_together(strategy: dict[str, Any]) -> dict[str, Any]:
    """One in some of those that have several tickers looks at them together instead."""
    if len(strategy["tickers"]) < 2 or random.Random(f"ranking {strategy}").randrange(ONE_IN):
        return strategy
    return {**strategy, "strategy_type": "running", "strategy_params": {"lookback_period": 2}}


def with_objects(strategy: Mapping[str, Any]) -> dict[str, Any]:
    """An entry as a Python program gives it: nobody offers this type to a configuration."""
    entry = dict(strategy)
    if entry["strategy_type"] == Running.strategy_type:
        del entry["strategy_type"]
        entry["strategy"] = Running(**entry.pop("strategy_params"))
    return entry
