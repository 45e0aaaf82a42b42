"""nautilus_trader with its Rust engine (`nautilus_pyo3.BacktestEngine`): one engine for all.

Strategies are Python classes of its Rust base. They share one cash account, as all do in
nautilus, and each keeps its own cash and shares, so that it buys what its own cash is for.
"""

from __future__ import annotations

import sys
from functools import partial
from importlib.metadata import version
from pathlib import Path

from nautilus_trader.core.nautilus_pyo3 import (
    BacktestEngine,
    Bar,
    InstrumentId,
    Price,
    Quantity,
    Symbol,
)

from benchmarks.peers.engines.common import CENTS, Report, Work, report
from benchmarks.peers.engines.nautilus_parts import (
    MINUTE_NS,
    VENUE,
    Trader,
    bar_type,
    engine_with,
    equity,
)


def prepare(work: Work, *, purge: bool = False) -> tuple[BacktestEngine, list[Trader]]:
    """An engine with everything in it, ready to run; see `engine_with`."""
    engine = engine_with(work.cash * len(work.strategies), purge=purge)
    tickers = [InstrumentId(Symbol(ticker), VENUE) for ticker in work.tickers]
    for at, ticker in enumerate(tickers):
        engine.add_instrument(equity(ticker))
        engine.add_data(bars(work, at, ticker), sort=False)
    engine.sort_data()
    shut = {int(start) + MINUTE_NS for start in work.starts[work.last].astype("int64")}
    traders = [
        Trader(number, tickers[one["ticker"]], one, work.cash, shut)
        for number, one in enumerate(work.strategies)
    ]
    engine.add_strategies(traders)
    return engine, traders


def bars(work: Work, at: int, ticker: InstrumentId) -> list[Bar]:
    """A ticker's bars as the engine has them, stamped with their ends."""
    kind = bar_type(ticker)
    columns = [values[:, at] / CENTS for values in (work.open, work.high, work.low, work.close)]
    ends = (work.starts.astype("int64") + MINUTE_NS).tolist()
    return [
        Bar(kind, *(Price(price, 2) for price in prices), Quantity(volume, 0), end, end)
        for *prices, volume, end in zip(*columns, work.volume[:, at], ends, strict=True)
    ]


def play(ready: tuple[BacktestEngine, list[Trader]]) -> list[Trader]:
    """Run the engine."""
    engine, traders = ready
    engine.run()
    return traders


def told(_work: Work, played: list[Trader]) -> Report:
    """The fills that the strategies were told."""
    for number, trader in enumerate(played):
        for bar, shares, cents in trader.fills:
            yield number, bar, shares, cents


if __name__ == "__main__":
    name = f"nautilus_trader {version('nautilus_trader')}, Rust engine"
    ready = partial(prepare, purge="--purge" in sys.argv[2:])
    report(Work.read(Path(sys.argv[1])), name, ready, play, told)
