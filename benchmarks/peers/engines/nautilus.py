"""nautilus_trader with its Rust engine (`nautilus_pyo3.BacktestEngine`): one engine for all.

Strategies are Python subclasses of its Rust base. They share one cash account, as always in
nautilus, so each keeps its own count of cash and shares, and buys for its own cash.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import partial
from importlib.metadata import version
from pathlib import Path

from benchmarks.peers.engines.common import Fills, Work, report
from benchmarks.peers.engines.nautilus_parts import MINUTE_NS, Ready, Row, Trader, prepared


def prepare(work: Work, *, purge: bool = False) -> Ready:
    """An engine with everything in it, ready to run; see `nautilus_parts.prepared`."""
    shut = {int(start) + MINUTE_NS for start in work.starts[work.last].astype("int64")}
    tickers = {ticker: rows(work, at) for at, ticker in enumerate(work.tickers)}
    return prepared(tickers, work.strategies, work.cash, shut, purge=purge)


def rows(work: Work, at: int) -> Iterator[Row]:
    """A ticker's minutes."""
    columns = work.open, work.high, work.low, work.close, work.volume
    ends = (work.starts.astype("int64") + MINUTE_NS).tolist()
    return zip(*(values[:, at].tolist() for values in columns), ends, strict=True)


def play(ready: Ready) -> list[Trader]:
    """Run the engine."""
    engine, traders = ready
    engine.run()
    return traders


def fills_of(_work: Work, played: list[Trader]) -> Fills:
    """The fills that the strategies received."""
    for number, trader in enumerate(played):
        for bar, shares, cents in trader.fills:
            yield number, bar, shares, cents


if __name__ == "__main__":
    name = f"nautilus_trader {version('nautilus_trader')}, Rust engine"
    ready = partial(prepare, purge="--purge" in sys.argv[2:])
    report(Work.read(Path(sys.argv[1])), name, ready, play, fills_of)
