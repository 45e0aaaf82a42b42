"""What nautilus_trader is given, by whoever runs it: an engine, its venue, and strategies.

Needs nothing but nautilus itself, so that a process that is measured from outside imports no more.
"""

from __future__ import annotations

from collections.abc import Collection
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
    Venue,
)

from benchmarks.peers.engines.rules import rule_of

VENUE, DOLLAR = Venue("XNAS"), Currency.from_str("USD")
CENTS = 100
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
        self,
        _number: int,
        ticker: InstrumentId,
        one: dict[str, Any],
        cash: int,
        shut: Collection[int],
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


def engine_with(cash: int, *, purge: bool = False) -> BacktestEngine:
    """An engine with a venue and so much cash, in cents.

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
    engine.add_venue(
        VENUE,
        OmsType.NETTING,
        AccountType.CASH,
        [Money(cash / CENTS, DOLLAR)],
        base_currency=DOLLAR,
        fill_model=BestPriceFillModel(),  # else what a quarter of the bar's volume lacks slips
    )
    return engine


def equity(ticker: InstrumentId) -> Equity:
    """A stock in cents and whole shares, without fees."""
    return Equity(ticker, ticker.symbol, DOLLAR, 2, Price.from_str("0.01"), 0, 0)
