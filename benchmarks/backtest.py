"""The cost of a backtest: `python -m benchmarks.backtest [--rounds R] [--case N,S,B ...] [--save]`.

N strategies on S tickers of B bars each, no two with the same parameters, built-in ones and a
user's. Each case is played in turn, R rounds of all of them. The results are medians, in CPU
nanoseconds per strategy and bar, of:

- the engine alone: from bars, configuration and strategies in memory to the columns of orders,
  fills, positions and days; and separately equity by the minute, which is made only on demand;
- playing: the same, including reading configuration and file;
- loading into the warehouse, including all checks.

Beside them are orders per strategy and bar, and the cost of one order's round trip: the engine's
difference to the same strategies without money. The start of machine code (import, and compiling
if it is not cached) is printed once and included nowhere. The result is compared with the last one
committed (`results/backtest.json`); `--save` writes each case as it ends, in each round with the
medians so far.

`--billion` plays 10,000 strategies on 10 tickers over a year of minutes instead, in one pass.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from itertools import product
from pathlib import Path
from typing import Any, ClassVar

import pandas as pd

from benchmarks.billion import billion
from benchmarks.committed import Committed
from benchmarks.session import BUILT_IN
from coordinator.backtest import Backtest, BacktestOptions, Means, PlayedSession
from coordinator.core.values import Bar
from coordinator.strategies import Strategy, Window, register
from simulator.assets import DEFAULT_STOCKS
from simulator.calendar import Calendar, Session
from simulator.feed import bars_between
from simulator.generated import GeneratedFeed
from warehouse import Store, load_session

FIRST = date(2025, 1, 2)
MINUTES = 390
CASES = (
    *("1,1,3900", "26,10,390", "26,10,3900", "26,10,39000"),
    *("100,50,3900", "1000,100,390", "10000,100,390"),
)
COLUMNS = ("strategies", "orders", "fills", "activities", "positions", "pnl_daily")
LOADED = 10
"""The sessions of a case that are loaded."""
OWN: Sequence[tuple[str, Callable[[int], dict[str, object]]]] = (
    ("bench_own", lambda n: {"bars": 10 + n}),
)


class OwnStrategy(Strategy):
    """Momentum as a user would write it: plain Python, a bar at a time, in floats."""

    strategy_type: ClassVar[str] = "bench_own"

    bars: Window = 20

    def start(self) -> Callable[[Bar], int]:
        """A fresh step, for the bars of one ticker."""
        seen: deque[float] = deque(maxlen=self.bars)

        def step(bar: Bar) -> int:
            close = bar.floats.close
            before = seen[0] if len(seen) == self.bars else close
            seen.append(close)
            return (close > before * 1.002) - (close < before * 0.998)

        return step


@dataclass(frozen=True, slots=True)
class Case:
    """The numbers of strategies, tickers and bars a ticker; `own` plays a user's rules."""

    strategies: int
    tickers: int
    bars: int
    own: bool

    @classmethod
    def of(cls, text: str, *, own: bool) -> Case:
        """From `N,S,B`."""
        strategies, tickers, bars = map(int, text.split(","))
        return cls(strategies, tickers, bars, own)

    @property
    def name(self) -> str:
        """The case's name in the results."""
        kind = "own" if self.own else "built-in"
        return f"{self.strategies},{self.tickers},{self.bars} {kind}"


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU nanoseconds and orders per strategy and bar; `order_ns` is one order's round trip.

    `idle_ns` is the engine's cost without money; `coded` is the fraction of sessions played in
    machine code.
    """

    engine_ns: float
    equity_ns: float
    idle_ns: float
    playing_ns: float
    loading_ns: float
    orders: float
    order_ns: float
    coded: float


def main() -> None:
    """Run, print, compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--case", nargs="*", default=list(CASES), help="N,S,B")
    parser.add_argument("--save", action="store_true", help="write the result to be committed")
    parser.add_argument("--billion", action="store_true", help="10,000 strategies for a year")
    options = parser.parse_args()
    register(OwnStrategy)
    with tempfile.TemporaryDirectory() as folder:
        began = time.process_time()
        cost(Case(4, 2, MINUTES, own=False), Path(folder))
        print(f"machine code began in {time.process_time() - began:.1f} s of CPU time, once")
        if options.billion:
            billion(Path(folder))
            return
        results = Committed("backtest")
        for name, played, one in measured(options.case, options.rounds, Path(folder)):
            if options.save:
                results.save(name, one, rounds=played)
            if played == options.rounds:
                print(line_of(name, one, results.figures(name)), flush=True)


def measured(
    texts: Sequence[str], rounds: int, folder: Path
) -> Iterator[tuple[str, int, dict[str, float]]]:
    """Each case in each round, as it ends: its name, the rounds so far, and their medians."""
    cases = [Case.of(text, own=own) for text, own in product(texts, (False, True))]
    costs: dict[str, list[Cost]] = {case.name: [] for case in cases}
    for played in range(1, rounds + 1):
        for case in cases:
            costs[case.name].append(cost(case, folder))
            yield case.name, played, asdict(median(costs[case.name]))


def cost(case: Case, folder: Path) -> Cost:
    """Play a case with money and without, and load the first ten of its sessions."""
    tickers = tickers_of(case.tickers)
    sessions = max(case.bars // MINUTES, 1)
    days = Calendar(FIRST, FIRST).between(FIRST, date(2026, 1, 31))[:sessions]
    bars = folder / f"{case.tickers}-{sessions}.parquet"
    if not bars.exists():
        record(bars, tickers, days)
    units = case.strategies * sessions * MINUTES / 1e9
    with tempfile.TemporaryDirectory() as place:
        busy = Run.of(case, bars, Path(place), "10000")
    with tempfile.TemporaryDirectory() as place:
        idle = Run.of(case, bars, Path(place), "0.01")
    assert not idle.orders, "a strategy with a cent buys nothing"
    loaded = units * min(sessions, LOADED) / sessions
    return Cost(
        engine_ns=busy.engine_s / units,
        equity_ns=busy.equity_s / units,
        idle_ns=idle.engine_s / units,
        playing_ns=(busy.reading_s + busy.engine_s) / units,
        loading_ns=busy.loading_s / loaded,
        orders=busy.orders / units / 1e9,
        order_ns=(busy.engine_s - idle.engine_s) / busy.orders * 1e9 if busy.orders else 0.0,
        coded=busy.coded / sessions,
    )


@dataclass(slots=True)
class Run:
    """The CPU seconds of one run's parts, its orders, and its sessions in machine code."""

    reading_s: float = 0.0
    engine_s: float = 0.0
    equity_s: float = 0.0
    loading_s: float = 0.0
    orders: int = 0
    coded: int = 0

    @classmethod
    def of(cls, case: Case, bars: Path, folder: Path, cash: str) -> Run:
        """Play a case, and load some of its sessions if it has money."""
        run, config = cls(), folder / "bench.json"
        config.write_text(json.dumps(_config(case, cash)))
        began = time.process_time()
        test = Backtest(BacktestOptions(config, bars))
        test.read_bars()
        run.reading_s = time.process_time() - began
        loads = cash != "0.01"
        began = time.process_time()
        for number, session in enumerate(test.play(means=Means.COMPILED)):
            read(session, COLUMNS)
            played = time.process_time()
            run.engine_s += played - began
            run.orders += len(session.rows()["orders"])
            run.coded += session.means is Means.COMPILED
            read(session, ("equity",))
            run.equity_s += time.process_time() - played
            if loads and number < LOADED:
                run._load(session, folder)
            began = time.process_time()
        run.engine_s += time.process_time() - began
        return run

    def _load(self, session: PlayedSession, folder: Path) -> None:
        began = time.process_time()
        with Store.open(folder / "bench.duckdb") as store:
            load_session(store, session)
        self.loading_s += time.process_time() - began


def read(session: PlayedSession, tables: Sequence[str]) -> None:
    """Make the columns of some tables."""
    for table in tables:
        getattr(session.rows()[table], "table", None)


def median(costs: Sequence[Cost]) -> Cost:
    """The median of each figure over the rounds."""
    rows = [asdict(one) for one in costs]
    return Cost(**{name: statistics.median(row[name] for row in rows) for name in rows[0]})


def line_of(name: str, one: dict[str, float], before: dict[str, float]) -> str:
    """A case's line of output; `before` are its committed figures."""
    last = before.get("engine_ns")
    change = f" ({one['engine_ns'] / last:.2f} x the last)" if last else ""
    slowly = f", {1 - one['coded']:.0%} not in machine code" if one["coded"] < 1 else ""
    return (
        f"{name:>24}: engine {one['engine_ns']:,.0f} ns{change}, without orders"
        f" {one['idle_ns']:,.0f}, equity {one['equity_ns']:,.0f}, with reading"
        f" {one['playing_ns']:,.0f}; loading {one['loading_ns']:,.0f} ns;"
        f" {one['orders']:.4f} orders, {one['order_ns'] / 1000:,.1f} us each{slowly}"
    )


def _config(case: Case, cash: str) -> dict[str, Any]:
    """Strategies with one ticker each, alternating kinds, no two on a ticker alike."""
    kinds = OWN if case.own else BUILT_IN
    tickers = tickers_of(case.tickers)
    strategies = []
    for number in range(case.strategies):
        place, nth = number % case.tickers, number // case.tickers
        kind, params = kinds[(place + nth) % len(kinds)]
        strategies.append(
            {
                "name": f"S{number}",
                "strategy_type": kind,
                "strategy_params": params(nth),
                "tickers": [tickers[place]],
                "initial_cash": float(cash),
            }
        )
    return {"strategies": strategies}


def tickers_of(count: int) -> list[str]:
    """The simulator's named tickers, continued with invented ones up to `count`."""
    return [*DEFAULT_STOCKS, *(f"B{number}" for number in range(count))][:count]


def record(path: Path, tickers: Sequence[str], days: Sequence[Session]) -> None:
    """Write generated minute bars of these sessions to a Parquet file."""
    feed = GeneratedFeed(7, Calendar(days[0].date, days[-1].date), frozenset())
    rows = [
        {
            "symbol": bar.symbol,
            "timestamp": bar.start,
            **{name: float(getattr(bar, name)) for name in ("open", "high", "low", "close")},
            "volume": float(bar.volume),
        }
        for ticker in tickers
        for day in days
        for bar in bars_between(feed, ticker, day.open, day.close)
    ]
    pd.DataFrame(rows).to_parquet(path)


if __name__ == "__main__":
    main()
