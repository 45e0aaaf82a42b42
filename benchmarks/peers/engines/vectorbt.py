"""vectorbt with its Rust engine: signals of all strategies as columns, one portfolio of them.

Its users switch the engine on with `vbt.settings["engine"] = "rust"`, after installing
`vectorbt[rust]`. Its own RSI is seeded differently from Wilder's, so TA-Lib's is used through it.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import vectorbt as vbt

from benchmarks.peers.engines.common import Fills, Work, report

vbt.settings["engine"] = "rust"
RSI = vbt.IndicatorFactory.from_talib("RSI")


class Prepared:
    """Frames of bars x strategies, each strategy's ticker as its column, and the parameters."""

    def __init__(self, work: Work) -> None:
        kinds = np.asarray([one["kind"] for one in work.strategies])
        index = pd.DatetimeIndex(work.starts)
        self.tickers = pd.DataFrame(work.close, index)
        self.ticker_of = np.asarray([one["ticker"] for one in work.strategies])
        self.close = pd.DataFrame(work.of_strategies(work.close), index)
        self.volume = pd.DataFrame(work.volume, index)
        self.momentum = np.flatnonzero(kinds == "momentum")
        self.adaptive = np.flatnonzero(kinds == "adaptive")
        self.params = work.strategies
        self.last = work.last
        self.cash = work.cash

    def of(self, numbers: np.ndarray, name: str) -> list[int]:
        """A parameter of some strategies."""
        return [self.params[number][name] for number in numbers]


def play(ready: Prepared) -> Any:
    """Compute signals, then the portfolio; return its orders as records."""
    signal = np.zeros(ready.close.shape, np.int8)
    signal[:, ready.momentum] = momentum(ready)
    signal[:, ready.adaptive] = adaptive(ready)
    signal[ready.last] = 0
    portfolio = vbt.Portfolio.from_signals(
        ready.close,
        signal > 0,
        signal < 0,
        size=1 / 1.01,
        size_type="percent",
        size_granularity=1,
        init_cash=ready.cash,
        freq="1min",
    )
    return portfolio.orders.values


def momentum(ready: Prepared) -> np.ndarray:
    """The signals of momentum: each close against the one some bars before."""
    close = ready.close.to_numpy()[:, ready.momentum]
    signal = np.zeros(close.shape, np.int8)
    for column, lookback in enumerate(ready.of(ready.momentum, "lookback")):
        now, past = close[lookback:, column], close[:-lookback, column]
        signal[lookback:, column] = (now > past * 1.002).astype(np.int8) - (now < past * 0.998)
    return signal


def adaptive(ready: Prepared) -> np.ndarray:
    """The three votes."""
    numbers = ready.adaptive
    close = ready.close[numbers]
    tickers = ready.ticker_of[numbers]
    short = vbt.MA.run(close, ready.of(numbers, "short"), per_column=True).ma.to_numpy()
    long = vbt.MA.run(close, ready.of(numbers, "long"), per_column=True).ma.to_numpy()
    rsi = RSI.run(ready.tickers, timeperiod=14).real.to_numpy()
    usual = vbt.MA.run(ready.volume, 20).ma.to_numpy()
    change = np.sign(np.diff(ready.tickers.to_numpy(), axis=0, prepend=np.nan))
    loud = np.where(ready.volume.to_numpy() > usual, change, 0)
    zone = (rsi < 30).astype(np.int8) - (rsi > 70)
    votes = np.sign(short - long) + (zone + loud)[:, tickers]
    votes[np.isnan(long) | np.isnan(rsi + usual)[:, tickers]] = 0
    signal: np.ndarray = (votes >= 2).astype(np.int8) - (votes <= -2)
    return signal


def fills_of(_work: Work, orders: np.ndarray) -> Fills:
    """The fills from the records."""
    for order in orders:
        sign = 1 if order["side"] == 0 else -1
        yield order["col"], order["idx"], sign * order["size"], order["price"]


if __name__ == "__main__":
    name = f"vectorbt {vbt.__version__}, Rust engine"
    report(Work.read(Path(sys.argv[1])), name, Prepared, play, fills_of, warm=play)
