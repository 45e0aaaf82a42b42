"""What every engine's script shares: reading the work, the measure, and the report.

Runs in each engine's own environment, so it needs nothing but numpy and pyarrow.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import numpy as np
import pyarrow.parquet as parquet

from benchmarks.peers.engines.process import peak_mib, say

Ready = TypeVar("Ready")
Played = TypeVar("Played")
Report: TypeAlias = Iterable[tuple[int, int, float, float]]
"""Fills: strategy by number, bar by index, lots bought, and at how many cents."""
CENTS = 100


@dataclass(frozen=True)
class Work:
    """What is to be done. Arrays are bars x tickers: prices in whole cents, volumes in shares.

    `starts` are the bars' first moments in UTC (datetime64), `last` marks each session's last bar,
    and `strategies` have a kind, a ticker by its number, and parameters.
    """

    bars: Path
    tickers: list[str]
    strategies: list[dict[str, Any]]
    cash: int
    starts: np.ndarray
    open: np.ndarray
    high: np.ndarray
    low: np.ndarray
    close: np.ndarray
    volume: np.ndarray
    last: np.ndarray

    @classmethod
    def read(cls, path: Path) -> Work:
        """From the work's JSON file, and the Parquet file that it names."""
        told = json.loads(path.read_text())
        table = parquet.read_table(told["bars"]).sort_by([("timestamp", "ascending")])
        symbols = np.asarray(table["symbol"].to_pylist())
        of = [symbols == ticker for ticker in told["tickers"]]
        columns = {
            name: np.column_stack([table[name].to_numpy()[one] for one in of])
            for name in ("open", "high", "low", "close", "volume")
        }
        for name in ("open", "high", "low", "close"):
            columns[name] = np.round(columns[name] * CENTS)
        starts = np.asarray(table["timestamp"].to_numpy()[of[0]], "datetime64[ns]")
        last = (np.arange(1, len(starts) + 1) % told["session"]) == 0
        return cls(
            Path(told["bars"]),
            told["tickers"],
            told["strategies"],
            told["cash"],
            starts,
            last=last,
            **columns,
        )

    def of_strategies(self, values: np.ndarray) -> np.ndarray:
        """Bars x strategies, of bars x tickers."""
        return values[:, [one["ticker"] for one in self.strategies]]


def report(
    work: Work,
    engine: str,
    prepare: Callable[[Work], Ready],
    play: Callable[[Ready], Played],
    fills: Callable[[Work, Played], Report],
    *,
    warm: Callable[[Ready], Played] | None = None,
    lots: int = 1,
) -> None:
    """Prepare, play under the clock, and print what it took and did as JSON.

    CPU seconds of this process: of playing alone, and of everything up to its end, the start of
    Python included. With `warm`, it is played so twice more, and the last time is told as playing:
    what is compiled on demand has been compiled then.
    """
    ready = prepare(work)
    began = time.process_time()
    played = play(ready)
    whole = time.process_time()
    first = playing = whole - began
    if warm is not None:
        warm(prepare(work))
        ready = prepare(work)
        began = time.process_time()
        played = warm(ready)
        playing = time.process_time() - began
    told = {
        "engine": engine,
        "playing_s": playing,
        "first_s": first,
        "whole_s": whole,
        "peak_mib": peak_mib(),
        "lots": lots,
        "fills": merged(fills(work, played)),
    }
    say(told)


def merged(fills: Report) -> list[list[int]]:
    """Strategy, bar, lots and lots x cents, in order; what an order filled in parts is one."""
    sums: dict[tuple[int, int], list[float]] = {}
    for number, bar, lots, cents in fills:
        sums.setdefault((int(number), int(bar)), [0.0, 0.0])
        sums[number, bar][0] += lots
        sums[number, bar][1] += lots * cents
    return [[*place, *map(round, sums[place])] for place in sorted(sums)]
