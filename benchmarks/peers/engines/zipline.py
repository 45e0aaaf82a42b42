"""zipline-reloaded: one algorithm with all rules in it, on a bundle of minute bars.

An algorithm has one portfolio, so each rule keeps its own count of cash and shares. zipline
executes an order a minute after the close at which it was decided; the slippage model here gives it
the price of that close, as all other engines do.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.peers.engines.common import CENTS, Fills, Work, report
from benchmarks.peers.engines.rules import rule_of

FOLDER = tempfile.TemporaryDirectory()
os.environ["ZIPLINE_ROOT"] = FOLDER.name

import zipline  # noqa: E402
from zipline import api  # noqa: E402
from zipline.data import bundles  # noqa: E402
from zipline.finance import commission, slippage  # noqa: E402

BUNDLE = "peers"


class Trader:
    """Follows a rule: buys on +1, sells on -1, and sends nothing at a session's last bar."""

    def __init__(self, one: dict[str, Any], cash: int) -> None:
        self.rule, self.asset = rule_of(one), one["ticker"]
        self.cash, self.held = cash, 0
        self.order: tuple[str, int, int] | None = None
        self.fills: list[tuple[int, int, int]] = []

    def book(self) -> None:
        """Book the order that was open, once it is filled."""
        if self.order is None:
            return
        name, bar, cents = self.order
        filled = int(api.get_order(name).filled)
        if filled:
            self.held += filled
            self.cash -= filled * cents
            self.fills.append((bar, filled, cents))
            self.order = None

    def decide(self, cents: int, volume: float, is_last: bool) -> int:
        """How many shares to order at this close."""
        signal = self.rule.signal(cents, volume)
        if is_last or self.order is not None:
            return 0
        if signal > 0 and not self.held:
            return self.cash * 100 // (101 * cents)
        return -self.held if signal < 0 else 0


class AtDecision(slippage.EquitySlippageModel):
    """Each order fills whole, at the close that it was decided at."""

    def __init__(self, decided: dict[str, int]) -> None:
        super().__init__()
        self.decided = decided

    def process_order(self, _data: Any, order: Any) -> tuple[float, int]:
        """The price and quantity of the execution."""
        return self.decided[order.id] / CENTS, order.open_amount


def prepare(work: Work) -> Callable[[], list[Trader]]:
    """Write the bundle; return a function that runs the algorithm on it."""
    sessions = pd.DatetimeIndex(work.starts).normalize().unique()
    bundles.register(
        BUNDLE,
        partial(ingest, work),
        calendar_name="XNYS",
        start_session=sessions[0],
        end_session=sessions[-1],
    )
    bundles.ingest(BUNDLE, show_progress=False)
    return partial(run, work, sessions[0], sessions[-1])


def ingest(work: Work, _environ: Any, asset_db_writer: Any, minute_writer: Any, *rest: Any) -> None:
    """Assets and minutes, stamped with their ends, into the bundle."""
    days = pd.DatetimeIndex(work.starts).normalize()
    asset_db_writer.write(
        equities=pd.DataFrame(
            {
                "symbol": work.tickers,
                "asset_name": work.tickers,
                "start_date": days[0],
                "end_date": days[-1],
                "auto_close_date": days[-1] + pd.Timedelta(days=30),
                "exchange": "NYSE",
            }
        )
    )
    ends = pd.DatetimeIndex(work.starts, tz="UTC") + pd.Timedelta(minutes=1)
    minute_writer.write(
        ((at, minutes(work, at, ends)) for at in range(len(work.tickers))),
        show_progress=False,
    )
    adjustments = rest[1]
    adjustments.write()


def minutes(work: Work, at: int, ends: pd.DatetimeIndex) -> pd.DataFrame:
    """A ticker's bars in dollars."""
    prices = {name: getattr(work, name)[:, at] / CENTS for name in ("open", "high", "low", "close")}
    return pd.DataFrame({**prices, "volume": work.volume[:, at]}, ends)


def run(work: Work, first: pd.Timestamp, last: pd.Timestamp) -> list[Trader]:
    """Run the algorithm; return its traders."""
    decided: dict[str, int] = {}
    traders: list[Trader] = []

    def initialize(context: Any) -> None:
        context.assets = [api.symbol(ticker) for ticker in work.tickers]
        context.bar = 0
        api.set_commission(us_equities=commission.PerShare(0, 0))
        api.set_slippage(us_equities=AtDecision(decided))
        traders.extend(Trader(one, work.cash) for one in work.strategies)

    def handle_data(context: Any, data: Any) -> None:
        now = data.current(context.assets, ["close", "volume"])
        cents = [round(close * CENTS) for close in now["close"].to_list()]
        volumes, bar = now["volume"].to_list(), context.bar
        for trader in traders:
            trader.book()
            close = cents[trader.asset]
            shares = trader.decide(close, volumes[trader.asset], work.last[bar])
            if shares:
                name = api.order(context.assets[trader.asset], shares)
                decided[name] = close
                trader.order = name, bar, close
        context.bar += 1

    zipline.run_algorithm(
        start=first,
        end=last,
        initialize=initialize,
        handle_data=handle_data,
        capital_base=work.cash / CENTS * len(work.strategies),
        data_frequency="minute",
        bundle=BUNDLE,
        benchmark_returns=pd.Series(0.0, pd.date_range(first, last, tz="UTC")),
    )
    return traders


def play(ready: Callable[[], list[Trader]]) -> list[Trader]:
    """Run it."""
    return ready()


def fills_of(_work: Work, played: list[Trader]) -> Fills:
    """The fills that the traders booked."""
    for number, trader in enumerate(played):
        for bar, shares, cents in trader.fills:
            yield number, bar, shares, cents


if __name__ == "__main__":
    name = f"zipline-reloaded {zipline.__version__}"
    with FOLDER:
        report(Work.read(Path(sys.argv[1])), name, prepare, play, fills_of)
