"""The parts of a run of nautilus_trader: an engine, its venue, bars and strategies.

It needs only nautilus itself, so that a measured process imports no more than its own work does.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

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

from benchmarks.peers.engines.rules import rule_of

VENUE, DOLLAR = Venue("XNAS"), Currency.from_str("USD")
CENTS = 100
MINUTE_NS = 60_000_000_000
Row: TypeAlias = tuple[float, float, float, float, float, int]
"""A minute: open, high, low and close in cents, volume in shares, and its end in nanoseconds."""


class Trader(Strategy):
    """Follows a rule: buys on +1, sells on -1, and sends nothing at a session's last bar."""

    def __new__(cls, number: int, *_: Any) -> Trader:
        """Create the object: the Rust base takes its configuration here."""
        name = StrategyId(f"S-{number:05}")
        config = StrategyConfig(strategy_id=name, log_events=False, log_commands=False)
        trader: Trader = super().__new__(cls, config)
        return trader

    def __init__(
        self,
        _number: int,
        ticker: InstrumentId,
        one: Mapping[str, Any],
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
        self.subscribe_bars(_bar_type(self.ticker))

    def on_bar(self, bar: Bar) -> None:
        """Decide at each close."""
        close = round(bar.close.as_double() * CENTS)
        self.bars += 1
        signal = self.rule.signal(close, bar.volume.as_double())
        if bar.ts_event in self.shut:
            return
        if signal > 0 and not self.held:
            self.order(OrderSide.BUY, self.cash * 100 // (101 * close))
        elif signal < 0 and self.held:
            self.order(OrderSide.SELL, self.held)

    def order(self, side: OrderSide, shares: int) -> None:
        """Send a market order."""
        quantity = Quantity.from_int(shares)
        self.submit_order(self.order_factory.market(self.ticker, side, quantity))

    def on_order_filled(self, event: OrderFilled) -> None:
        """Book the fill."""
        sign = 1 if event.order_side == OrderSide.BUY else -1
        shares = sign * int(event.last_qty.as_double())
        self.held += shares
        cents = round(event.last_px.as_double() * CENTS)
        self.cash -= shares * cents
        self.fills.append((self.bars - 1, shares, cents))


Ready: TypeAlias = tuple[BacktestEngine, list[Trader]]


def prepared(
    tickers: Mapping[str, Iterable[Row]],
    strategies: Sequence[Mapping[str, Any]],
    cash: int,
    shut: Collection[int] = (),
    *,
    purge: bool = False,
) -> Ready:
    """An engine with all data and strategies, ready to run, and the strategies.

    `tickers` have their minutes in order; a strategy names its ticker by its place among them, and
    begins with `cash` cents. No order is sent at a minute that ends at one of `shut`. With `purge`
    the engine forgets account events and closed orders and positions, which makes it faster and
    leaves no orders, fills or positions to report.
    """
    engine = _engine_with(cash * len(strategies), purge=purge)
    known = [InstrumentId(Symbol(ticker), VENUE) for ticker in tickers]
    for ticker, rows in zip(known, tickers.values(), strict=True):
        engine.add_instrument(Equity(ticker, ticker.symbol, DOLLAR, 2, Price(0.01, 2), 0, 0))
        engine.add_data(_bars(ticker, rows), sort=False)
    engine.sort_data()
    traders = [
        Trader(number, known[one["ticker"]], one, cash, shut)
        for number, one in enumerate(strategies)
    ]
    engine.add_strategies(traders)
    return engine, traders


def _engine_with(cash: int, *, purge: bool) -> BacktestEngine:
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
        fill_model=BestPriceFillModel(),  # else quantities beyond a quarter of the volume slip
    )
    return engine


def _bars(ticker: InstrumentId, rows: Iterable[Row]) -> list[Bar]:
    kind = _bar_type(ticker)
    return [
        Bar(kind, *(Price(price / CENTS, 2) for price in prices), Quantity(volume, 0), end, end)
        for *prices, volume, end in rows
    ]


def _bar_type(ticker: InstrumentId) -> BarType:
    """The type of a ticker's external minute bars."""
    return BarType.from_str(f"{ticker}-1-MINUTE-LAST-EXTERNAL")
