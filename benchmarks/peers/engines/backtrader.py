"""backtrader: a Cerebro for each strategy, since strategies in one share cash and positions."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import backtrader as bt
import pandas as pd

from benchmarks.peers.engines.common import Fills, Work, report


class Rule(bt.Strategy):
    """Buys on +1, sells on -1, and sends nothing at a session's last bar."""

    params: tuple[tuple[str, Any], ...] = (("last", ()),)

    def __init__(self) -> None:
        self.fills: list[tuple[int, float, float]] = []

    def next(self) -> None:
        """Decide at each close."""
        if self.p.last[len(self) - 1]:
            return
        signal = self.signal()
        if signal > 0 and not self.position:
            self.buy()
        elif signal < 0 and self.position:
            self.close()

    def notify_order(self, order: bt.Order) -> None:
        """Note the fill, which executed at the close before the bar that reports it."""
        if order.status == order.Completed:
            self.fills.append((len(self) - 2, order.executed.size, order.executed.price))


class Momentum(Rule):
    """The close against the one some bars before."""

    params = (("lookback", 10),)

    def __init__(self) -> None:
        super().__init__()
        self.past = self.data.close(-self.p.lookback)

    def signal(self) -> int:
        """+1, -1 or 0 at the newest close."""
        close, past = float(self.data.close[0]), float(self.past[0])
        return (close > past * 1.002) - (close < past * 0.998)


class Adaptive(Rule):
    """Three votes."""

    params = (("short", 5), ("long", 30), ("rsi", 14), ("volume", 20))

    def __init__(self) -> None:
        super().__init__()
        self.short = bt.ind.SMA(self.data.close, period=self.p.short)
        self.long = bt.ind.SMA(self.data.close, period=self.p.long)
        self.usual = bt.ind.SMA(self.data.volume, period=self.p.volume)
        self.rsi = bt.ind.RSI(self.data.close, period=self.p.rsi, safediv=True)

    def signal(self) -> int:
        """+1, -1 or 0 at the newest close."""
        short, long, rsi = (float(line[0]) for line in (self.short, self.long, self.rsi))
        votes = (short > long) - (short < long) + (rsi < 30) - (rsi > 70)
        if self.data.volume[0] > self.usual[0]:
            close, before = float(self.data.close[0]), float(self.data.close[-1])
            votes += (close > before) - (close < before)
        return (votes >= 2) - (votes <= -2)


class WholeShares(bt.Sizer):
    """Buys for all cash but one part in 101; a sale sells everything."""

    def _getsizing(self, comminfo: Any, cash: float, data: Any, isbuy: bool) -> int:
        return int(cash / 1.01 // data.close[0])


def prepare(work: Work) -> list[bt.Cerebro]:
    """A Cerebro for each strategy, ready to run."""
    index = pd.DatetimeIndex(work.starts)
    frames = [
        pd.DataFrame(
            {
                "open": work.open[:, at],
                "high": work.high[:, at],
                "low": work.low[:, at],
                "close": work.close[:, at],
                "volume": work.volume[:, at],
            },
            index,
        )
        for at in range(len(work.tickers))
    ]
    return [_cerebro(one, frames[one["ticker"]], work) for one in work.strategies]


def _cerebro(one: dict[str, Any], frame: pd.DataFrame, work: Work) -> bt.Cerebro:
    cerebro = bt.Cerebro(stdstats=False)
    cerebro.broker.set_cash(work.cash)
    cerebro.broker.set_coc(True)
    cerebro.adddata(bt.feeds.PandasDirectData(dataname=frame, openinterest=-1))
    cerebro.addsizer(WholeShares)
    params = {name: value for name, value in one.items() if name not in ("kind", "ticker")}
    kind = Momentum if one["kind"] == "momentum" else Adaptive
    cerebro.addstrategy(kind, last=work.last.tolist(), **params)
    return cerebro


def play(ready: list[bt.Cerebro]) -> list[Rule]:
    """Run them one after another."""
    return [cerebro.run()[0] for cerebro in ready]


def fills_of(_work: Work, played: list[Rule]) -> Fills:
    """The fills that the strategies noted."""
    for number, rule in enumerate(played):
        for bar, size, price in rule.fills:
            yield number, bar, size, price


if __name__ == "__main__":
    name = f"backtrader {bt.__version__}"
    report(Work.read(Path(sys.argv[1])), name, prepare, play, fills_of)
