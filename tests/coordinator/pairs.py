"""Strategies of a user's own that look at several tickers together, in every form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import ClassVar

import pandas as pd
from pydantic import PrivateAttr

from coordinator import Bar, MultiTickerStrategy, Window
from coordinator.core.together import JointStep


class Leader(MultiTickerStrategy):
    """Long of what has risen most over some bars, flat of the others."""

    strategy_type: ClassVar[str] = "leader"
    lookback: Window = 2

    def signals(self, bars: Mapping[str, Sequence[Bar]]) -> dict[str, int]:
        rises = {t: b[-1].close / b[-self.lookback].close for t, b in bars.items()}
        best = max(rises, key=lambda ticker: rises[ticker])
        return {ticker: 1 if ticker == best else -1 for ticker in rises}

    def explain(self) -> dict[str, object]:
        return {"lookback": self.lookback, "place": {"SPY": 1, "QQQ": 2}}


class LeaderByFrames(MultiTickerStrategy):
    strategy_type: ClassVar[str] = "leader_by_frames"
    lookback: Window = 2

    def generate_signals(self, frames: Mapping[str, pd.DataFrame]) -> pd.Series:
        closes = pd.DataFrame({ticker: frame["close"].iloc[-1] / frame["close"].iloc[-2]
                               for ticker, frame in frames.items()}, index=[0]).iloc[0]  # fmt: skip
        return pd.Series(-1, index=closes.index).where(closes < closes.max(), 1)


class LeaderByStep(MultiTickerStrategy):
    strategy_type: ClassVar[str] = "leader_by_step"
    lookback: Window = 2
    _closes: dict[str, list[Decimal]] = PrivateAttr(default_factory=dict)

    def step(self, bars: Mapping[str, Bar]) -> dict[str, int]:
        for ticker, bar in bars.items():
            self._closes.setdefault(ticker, []).append(bar.close)
        return led(self._closes)


class LeaderByStart(MultiTickerStrategy):
    strategy_type: ClassVar[str] = "leader_by_start"
    lookback: Window = 2

    def start_together(self, tickers: Sequence[str]) -> JointStep:
        closes: dict[str, list[Decimal]] = {ticker: [] for ticker in tickers}

        def step(bars: Mapping[str, Bar]) -> dict[str, int]:
            for ticker, bar in bars.items():
                closes[ticker].append(bar.close)
            return led(closes)

        return step


def led(closes: Mapping[str, Sequence[Decimal]]) -> dict[str, int]:
    if len(closes) < 2 or any(len(seen) < 2 for seen in closes.values()):
        return {}
    rises = {ticker: seen[-1] / seen[-2] for ticker, seen in closes.items()}
    best = max(rises, key=lambda ticker: rises[ticker])
    return {ticker: 1 if ticker == best else -1 for ticker in rises}


FORMS: tuple[type[MultiTickerStrategy], ...] = (
    Leader,
    LeaderByFrames,
    LeaderByStep,
    LeaderByStart,
)
