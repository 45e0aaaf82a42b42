"""Shared by every engine's script: reading the work, measuring, and the report.

It runs in each engine's own environment, so it needs only numpy and pyarrow.
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
Fills: TypeAlias = Iterable[tuple[int, int, float, float]]
"""Fills: strategy number, bar index, lots bought (negative if sold), and the price in cents."""
CENTS = 100


@dataclass(frozen=True)
class Work:
    """The work to do. Arrays are bars x tickers: prices in whole cents, volumes in shares.

    `starts` are the bars' start times in UTC (datetime64), `last` marks each session's last bar,
    and `strategies` have a kind, a ticker's number, and parameters.
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
        """Read the work's JSON file, and the Parquet file that it names."""
        document = json.loads(path.read_text())
        table = parquet.read_table(document["bars"]).sort_by([("timestamp", "ascending")])
        symbols = np.asarray(table["symbol"].to_pylist())
        of = [symbols == ticker for ticker in document["tickers"]]
        columns = {
            name: np.column_stack([table[name].to_numpy()[one] for one in of])
            for name in ("open", "high", "low", "close", "volume")
        }
        for name in ("open", "high", "low", "close"):
            columns[name] = np.round(columns[name] * CENTS)
        starts = np.asarray(table["timestamp"].to_numpy()[of[0]], "datetime64[ns]")
        last = (np.arange(1, len(starts) + 1) % document["session"]) == 0
        return cls(
            Path(document["bars"]),
            document["tickers"],
            document["strategies"],
            document["cash"],
            starts,
            last=last,
            **columns,
        )

    def of_strategies(self, values: np.ndarray) -> np.ndarray:
        """Expand bars x tickers to bars x strategies."""
        return values[:, [one["ticker"] for one in self.strategies]]


def report(
    work: Work,
    engine: str,
    prepare: Callable[[Work], Ready],
    play: Callable[[Ready], Played],
    fills: Callable[[Work, Played], Fills],
    *,
    warm: Callable[[Ready], Played] | None = None,
    lots: int = 1,
) -> None:
    """Prepare, play under the clock, and print times and fills as JSON.

    Times are CPU seconds of this process: of playing alone, and of everything up to its end,
    including Python's start. With `warm`, the work is played by it twice more, and the last time
    counts as playing, when everything that is compiled on demand has been compiled.
    """
    ready = prepare(work)
    began = time.process_time()
    played = play(ready)
    whole = time.process_time()
    first = playing = whole - began
    if warm is not None:
        del played  # to free it would count as playing
        warm(prepare(work))
        ready = prepare(work)
        began = time.process_time()
        played = warm(ready)
        playing = time.process_time() - began
    result = {
        "engine": engine,
        "playing_s": playing,
        "first_s": first,
        "whole_s": whole,
        "peak_mib": peak_mib(),
        "lots": lots,
        "fills": merged(fills(work, played)),
    }
    say(result)


def merged(fills: Fills) -> list[list[int]]:
    """Strategy, bar, lots and lots x cents, in order; an order's partial fills are one."""
    sums: dict[tuple[int, int], list[float]] = {}
    for number, bar, lots, cents in fills:
        sums.setdefault((int(number), int(bar)), [0.0, 0.0])
        sums[number, bar][0] += lots
        sums[number, bar][1] += lots * cents
    return [[*place, *map(round, sums[place])] for place in sorted(sums)]
