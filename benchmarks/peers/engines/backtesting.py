"""backtesting.py: one strategy and ticker at a time, indicators computed in `init`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import backtesting
import numpy as np
import pandas as pd
import talib

from benchmarks.peers.engines.common import Fills, Work, report

SHARE = 1 / 1.01
Run = Callable[[], Any]


class Rule(backtesting.Strategy):
    """Buys on +1, sells on -1, and sends nothing at a session's last bar."""

    last = np.zeros(0, bool)

    def next(self) -> None:
        """Decide at each close."""
        if self.last[len(self.data) - 1]:
            return
        signal = self.signal[-1]
        if signal > 0 and not self.position:
            self.buy(size=SHARE)
        elif signal < 0 and self.position:
            self.position.close()


class Momentum(Rule):
    """The close against the one some bars before."""

    lookback = 10

    def init(self) -> None:
        """Compute the signal at each close."""
        self.signal = self.I(momentum, self.data.Close, self.lookback)


class Adaptive(Rule):
    """Three votes."""

    short, long, rsi, volume = 5, 30, 14, 20

    def init(self) -> None:
        """Compute the signal at each close."""
        close, volume = self.data.Close, self.data.Volume
        short, long = self.I(mean, close, self.short), self.I(mean, close, self.long)
        usual, rsi = self.I(mean, volume, self.volume), self.I(talib.RSI, close, self.rsi)
        self.signal = self.I(votes, close, volume, short, long, usual, rsi)


def momentum(close: np.ndarray, lookback: int) -> np.ndarray:
    """+1, -1 or 0 at each close."""
    past = pd.Series(close).shift(lookback).to_numpy()
    return (close > past * 1.002).astype(int) - (close < past * 0.998)


def mean(values: np.ndarray, window: int) -> np.ndarray:
    """The average of the last `window`."""
    return pd.Series(values).rolling(window).mean().to_numpy()


def votes(
    close: np.ndarray,
    volume: np.ndarray,
    short: np.ndarray,
    long: np.ndarray,
    usual: np.ndarray,
    rsi: np.ndarray,
) -> np.ndarray:
    """+1, -1 or 0 at each close."""
    change = np.sign(np.diff(close, prepend=np.nan))
    total = np.sign(short - long) + (rsi < 30) - (rsi > 70) + np.where(volume > usual, change, 0)
    total[np.isnan(long) | np.isnan(usual) | np.isnan(rsi)] = 0
    signal: np.ndarray = (total >= 2).astype(int) - (total <= -2)
    return signal


def prepare(work: Work) -> list[Run]:
    """A backtest for each strategy, ready to run."""
    index = pd.DatetimeIndex(work.starts)
    frames = [
        pd.DataFrame(
            {
                "Open": work.open[:, at],
                "High": work.high[:, at],
                "Low": work.low[:, at],
                "Close": work.close[:, at],
                "Volume": work.volume[:, at],
            },
            index,
        )
        for at in range(len(work.tickers))
    ]
    return [_run(one, frames[one["ticker"]], work) for one in work.strategies]


def _run(one: dict[str, Any], frame: pd.DataFrame, work: Work) -> Run:
    kind = Momentum if one["kind"] == "momentum" else Adaptive
    params = {name: value for name, value in one.items() if name not in ("kind", "ticker")}
    test = backtesting.Backtest(frame, kind, cash=work.cash, trade_on_close=True)
    return lambda: test.run(last=work.last, **params)


def play(ready: list[Run]) -> list[Any]:
    """Run them one after another."""
    return [run() for run in ready]


def fills_of(_work: Work, played: list[Any]) -> Fills:
    """The fills of closed and open trades."""
    for number, result in enumerate(played):
        strategy = result["_strategy"]
        for trade in (*strategy.closed_trades, *strategy.trades):
            yield number, trade.entry_bar, trade.size, trade.entry_price
            if trade.exit_bar is not None:
                yield number, trade.exit_bar, -trade.size, trade.exit_price


if __name__ == "__main__":
    name = f"backtesting.py {backtesting.__version__}"
    report(Work.read(Path(sys.argv[1])), name, prepare, play, fills_of)
