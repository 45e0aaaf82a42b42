"""nautilus_trader with its Rust engine (`nautilus_pyo3.BacktestEngine`): one engine for all.

Strategies are Python classes of its Rust base. They share one cash account, as all do in
nautilus, and each keeps its own cash and shares, so that it buys what its own cash is for.
"""

from __future__ import annotations

import sys
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from nautilus_trader.core.nautilus_pyo3 import (
    AccountType,
    BacktestEngine,
    BacktestEngineConfig,
    Bar,
    BarType,
    BestPriceFillModel,
    Currency,
    Equity,
    ExecutionEngineConfig,
    InstrumentId,
    LoggerConfig,
    Money,
    OmsType,
    OrderFilled,
    OrderSide,
    Price,
    Quantity,
    Strategy,
    StrategyConfig,
    StrategyId,
    Symbol,
    Venue,
)

from benchmarks.peers.engines.common import CENTS, Report, Work, report
from benchmarks.peers.engines.rules import rule_of

VENUE, DOLLAR = Venue("XNAS"), Currency.from_str("USD")
MINUTE_NS = 60_000_000_000


class Trader(Strategy):
    """Follows a rule: buys on +1, sells on -1, and sends nothing at a session's last bar."""

    def __new__(cls, number: int, *_: Any) -> Trader:
        """The Rust base takes its configuration when it is made."""
        name = StrategyId(f"S-{number:05}")
        config = StrategyConfig(strategy_id=name, log_events=False, log_commands=False)
        trader: Trader = super().__new__(cls, config)
        return trader

    def __init__(
        self, _number: int, ticker: InstrumentId, one: dict[str, Any], cash: int, shut: set[int]
    ) -> None:
        super().__init__()
        self.ticker, self.cash, self.shut, self.held = ticker, cash, shut, 0
        self.bars = 0
        self.fills: list[tuple[int, int, int]] = []
        self.rule = rule_of(one)

    def on_start(self) -> None:
        """Ask for the ticker's bars."""
        self.subscribe_bars(bar_type(self.ticker))

    def on_bar(self, bar: Bar) -> None:
        """At each close."""
        close = round(bar.close.as_double() * CENTS)
        self.bars += 1
        wish = self.rule.wish(close, bar.volume.as_double())
        if bar.ts_event in self.shut:
            return
        if wish > 0 and not self.held:
            self.order(OrderSide.BUY, self.cash * 100 // (101 * close))
        elif wish < 0 and self.held:
            self.order(OrderSide.SELL, self.held)

    def order(self, side: OrderSide, shares: int) -> None:
        """Send a market order."""
        quantity = Quantity.from_int(shares)
        self.submit_order(self.order_factory.market(self.ticker, side, quantity))

    def on_order_filled(self, event: OrderFilled) -> None:
        """Book it."""
        sign = 1 if event.order_side == OrderSide.BUY else -1
        shares = sign * int(event.last_qty.as_double())
        self.held += shares
        cents = round(event.last_px.as_double() * CENTS)
        self.cash -= shares * cents
        self.fills.append((self.bars - 1, shares, cents))


def bar_type(ticker: InstrumentId) -> BarType:
    """A ticker's bars as they come from outside."""
    return BarType.from_str(f"{ticker}-1-MINUTE-LAST-EXTERNAL")


def prepare(work: Work, *, purge: bool = False) -> tuple[BacktestEngine, list[Trader]]:
    """An engine with everything in it, ready to run.

    With `purge` it forgets its account's past and what is closed, which makes it faster and leaves
    no orders, fills or positions to report on.
    """
    minutes = 15 if purge else None
    config = BacktestEngineConfig(
        logging=LoggerConfig(bypass_logging=True),
        bypass_logging=True,
        run_analysis=False,
        exec_engine=ExecutionEngineConfig(
            purge_closed_orders_interval_mins=minutes,
            purge_closed_positions_interval_mins=minutes,
            purge_account_events_interval_mins=minutes,
        ),
    )
    engine = BacktestEngine(config)
    capital = Money(work.cash / CENTS * len(work.strategies), DOLLAR)
    engine.add_venue(
        VENUE,
        OmsType.NETTING,
        AccountType.CASH,
        [capital],
        base_currency=DOLLAR,
        fill_model=BestPriceFillModel(),  # else what a quarter of the bar's volume lacks slips
    )
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


def equity(ticker: InstrumentId) -> Equity:
    """A stock in cents and whole shares, without fees."""
    return Equity(ticker, ticker.symbol, DOLLAR, 2, Price.from_str("0.01"), 0, 0)


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
