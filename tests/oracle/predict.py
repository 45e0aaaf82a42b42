"""The oracle: every signal, order and fill of one session, from a configuration and its bars.

Rule: CONTRACT sections 4, 5, 6 and 10 read literally, one strategy after the other, since no
strategy's decisions depend on another's. All arithmetic is exact to 60 digits.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from decimal import ROUND_FLOOR, ROUND_HALF_EVEN, Decimal, localcontext
from fractions import Fraction
from typing import Literal

import pandas as pd

from tests.oracle import exchange, signals
from tests.oracle.bars import MINUTE, Series, is_crypto, series
from tests.oracle.book import NINE, Book
from tests.oracle.result import (
    Cause,
    OracleDenial,
    OracleFill,
    OracleOrder,
    OracleResult,
    OracleSignal,
    Reason,
    Side,
)
from tests.oracle.spec import CRYPTO, STOCK, AssetRules, Spec, specs

FillModel = Literal["spread", "close"]
HALF_SPREAD = Decimal("0.0001")
RESERVE = Fraction(101, 100)
BEFORE_OPEN = dt.timedelta(minutes=10)


def predict(
    config: Mapping[str, object],
    bars: pd.DataFrame,
    date: dt.date,
    *,
    fill_model: FillModel = "spread",
    min_warmup_bars: int | None = None,
    start: dt.datetime | None = None,
    assets: Mapping[str, AssetRules] | None = None,
    previous: OracleResult | None = None,
) -> OracleResult:
    """What `multi-trader run` must do with `config` on the session of `date`.

    config: the JSON document of CONTRACT section 4. bars: columns of the recorded data, one source
    per (symbol, date), history included. date: the exchange's date, the UTC date if all is crypto.
    fill_model: "spread" (1 bp half-spread) or "close". min_warmup_bars: for every strategy,
    instead of the configured. start: when the coordinator came up; bars that ended by then are
    history and are not decided on; default: the session's beginning, and ten minutes before the
    open for a configuration of stocks and crypto. assets: the broker's rules where they differ
    from the usual ones. previous: the session before, whose books go on; default: fresh books.
    """
    with localcontext() as context:
        context.prec = 60
        wanted = specs(config, min_warmup_bars)
        symbols = sorted({ticker for spec in wanted for ticker in spec.tickers})
        market = {symbol: series(bars, symbol, date) for symbol in symbols}
        live_from = start or _usual_start(symbols, date)
        known: dict[tuple[object, ...], list[int]] = {}
        days = [
            _Day(spec, date, live_from, market, fill_model, assets or {}, previous, known)
            for spec in wanted
        ]
        for day in days:
            day.run()
        return _result(days)


def _usual_start(symbols: list[str], date: dt.date) -> dt.datetime:
    """Ten minutes before the open if stocks trade that day, else the beginning of the UTC day."""
    hours = exchange.session(date)
    if hours is None or all(is_crypto(symbol) for symbol in symbols):
        return dt.datetime.combine(date, dt.time(), dt.UTC)
    return hours[0] - BEFORE_OPEN


class _Day:
    """One strategy's session."""

    def __init__(
        self,
        spec: Spec,
        date: dt.date,
        live_from: dt.datetime,
        market: Mapping[str, Series],
        fill_model: FillModel,
        assets: Mapping[str, AssetRules],
        previous: OracleResult | None,
        known: dict[tuple[object, ...], list[int]],
    ) -> None:
        self.spec, self.live_from, self.fill_model = spec, live_from, fill_model
        self.series = {ticker: market[ticker] for ticker in spec.tickers}
        self.rules = {t: assets.get(t, CRYPTO if is_crypto(t) else STOCK) for t in spec.tickers}
        self.book, self.baseline = _opening(spec, previous)
        self.hours = exchange.session(date)
        self.midnight = dt.datetime.combine(date + dt.timedelta(days=1), dt.time(), dt.UTC)
        self.entries, self.stopped, self.rolled = 0, False, not spec.any_stock
        self.marks: dict[str, Decimal] = {}
        self.signals: list[OracleSignal] = []
        self.orders: list[OracleOrder] = []
        self.fills: list[OracleFill] = []
        self.denials: list[OracleDenial] = []
        self.wishes = {ticker: self._wishes(ticker, known) for ticker in spec.tickers}

    def run(self) -> None:
        """Go through the session minute by minute."""
        minutes: dict[dt.datetime, dict[str, int]] = {}
        for ticker, bars in self.series.items():
            for index, minute in enumerate(bars.minutes):
                if minute + MINUTE <= self.live_from or index < bars.first:
                    self.marks[ticker] = bars.closes[index]
                else:
                    minutes.setdefault(minute, {})[ticker] = index
        for minute in sorted(minutes):
            self._minute(minute, minutes[minute])

    def _wishes(self, ticker: str, known: dict[tuple[object, ...], list[int]]) -> list[int]:
        """The signal at each bar of the ticker; 0 before the indicator's history begins."""
        spec, bars = self.spec, self.series[ticker]
        key = (spec.strategy_type, tuple(spec.params.items()), ticker)
        if key not in known:
            begin = max(0, bars.first - 10 * spec.longest_window)
            found = signals.signals(
                spec.strategy_type, spec.params, bars.ticks[begin:], bars.volumes[begin:]
            )
            known[key] = [0] * begin + found
        return known[key]

    def _minute(self, minute: dt.datetime, arrived: dict[str, int]) -> None:
        """Mark, check the day's limits, decide every ticker in order, then fill."""
        for ticker, index in arrived.items():
            self.marks[ticker] = self.series[ticker].closes[index]
        self._roll(minute + MINUTE)
        equity = self.book.equity(self.marks)
        limit = self.spec.max_daily_loss
        if limit is not None and self.baseline - equity >= limit:
            self.stopped = True
        available = self.book.cash
        decided: list[OracleOrder] = []
        for ticker in self.spec.tickers:
            if ticker not in arrived:
                continue
            index = arrived[ticker]
            wish = self.wishes[ticker][index]
            self.signals.append(OracleSignal(self.spec.name, ticker, minute, wish))
            if self._last_of_session(ticker, minute) or not self._warm(ticker, index):
                continue
            order = self._decide(ticker, minute, wish, equity, available)
            if order is not None:
                decided.append(order)
                if order.side == "buy":
                    available -= order.qty * order.price
        for order in decided:
            self._fill(order)

    def _roll(self, now: dt.datetime) -> None:
        """A strategy with a stock begins its day at the exchange's open, once."""
        if not self.rolled and self.hours is not None and now >= self.hours[0]:
            self.rolled, self.entries, self.stopped = True, 0, False

    def _last_of_session(self, ticker: str, minute: dt.datetime) -> bool:
        """Whether the bar ends at the session's close, or at the end of the UTC day for crypto."""
        end = self.midnight if is_crypto(ticker) else self.hours[1] if self.hours else None
        return minute + MINUTE == end

    def _warm(self, ticker: str, index: int) -> bool:
        """Whether the ticker has its warm-up bars: those of the backfill and of the session."""
        asked = max(10 * self.spec.longest_window, self.spec.min_warmup_bars)
        backfill_from = max(0, self.series[ticker].first - asked)
        return index + 1 - backfill_from >= self.spec.min_warmup_bars

    def _decide(
        self, ticker: str, minute: dt.datetime, wish: int, equity: Decimal, available: Decimal
    ) -> OracleOrder | None:
        """Stop, then target, then signal: the first that asks for something is the order."""
        close, rules = self.marks[ticker], self.rules[ticker]
        sellable = _down(Fraction(self.book.held(ticker)), rules.increment)
        if sellable >= max(rules.min_qty, rules.increment):
            reason = self._exit_reason(ticker, close, wish)
            return reason and self._order(ticker, "sell", sellable, close, minute, reason)
        if wish != 1:
            return None
        qty = self._entry_qty(ticker, close, equity, available)
        cause = self._denied(ticker, qty, close)
        if cause is not None:
            self.denials.append(OracleDenial(self.spec.name, ticker, minute, cause))
            return None
        self.entries += 1
        return self._order(ticker, "buy", qty, close, minute, "signal")

    def _exit_reason(self, ticker: str, close: Decimal, wish: int) -> Reason | None:
        """Why a long position is to be sold at this close, None to keep it."""
        value, cost = close * self.book.held(ticker), self.book.cost[ticker]
        stop, target = self.spec.stop_loss_pct, self.spec.take_profit_pct
        if stop is not None and value <= cost * (1 - stop):
            return "stop"
        if target is not None and value >= cost * (1 + target):
            return "target"
        return "signal" if wish == -1 else None

    def _entry_qty(
        self, ticker: str, close: Decimal, equity: Decimal, available: Decimal
    ) -> Decimal:
        """min(max_position_size x equity, available / 1.01) / C, rounded down."""
        most = Fraction(self.spec.max_position_size) * Fraction(equity)
        dollars = min(most, Fraction(available) / RESERVE)
        return _down(dollars / Fraction(close), self.rules[ticker].increment)

    def _denied(self, ticker: str, qty: Decimal, close: Decimal) -> Cause | None:
        """What forbids an entry, None if nothing does."""
        rules, trades = self.rules[ticker], self.spec.max_daily_trades
        if self.stopped:
            return "max_daily_loss"
        if trades is not None and self.entries >= trades:
            return "max_daily_trades"
        if qty <= 0 or qty < rules.min_qty or qty * close < rules.min_buy_usd:
            return "minimum"
        return None

    def _order(
        self,
        ticker: str,
        side: Side,
        qty: Decimal,
        close: Decimal,
        minute: dt.datetime,
        reason: Reason,
    ) -> OracleOrder:
        order = OracleOrder(self.spec.name, ticker, side, qty, close, minute, reason)
        self.orders.append(order)
        return order

    def _fill(self, order: OracleOrder) -> None:
        """A market order fills whole inside its minute, at the close and half the spread."""
        price = fill_price(order.price, order.side, self.fill_model)
        move = self.book.buy if order.side == "buy" else self.book.sell
        fee = move(order.symbol, order.qty, price)
        self.fills.append(
            OracleFill(
                order.strategy, order.symbol, order.side, order.qty, price, fee, order.minute
            )
        )


def fill_price(close: Decimal, side: Side, fill_model: FillModel) -> Decimal:
    """What a market order gets at a last close, in dollars, rounded half-even to 9 decimals."""
    if fill_model == "close":
        return close
    step = HALF_SPREAD if side == "buy" else -HALF_SPREAD
    return (close * (1 + step)).quantize(NINE, ROUND_HALF_EVEN)


def _down(value: Fraction, increment: Decimal) -> Decimal:
    """The largest multiple of `increment` that is not above `value`."""
    steps = value / Fraction(increment)
    return (Decimal(steps.numerator // steps.denominator) * increment).quantize(
        increment, ROUND_FLOOR
    )


def _opening(spec: Spec, previous: OracleResult | None) -> tuple[Book, Decimal]:
    """The book a strategy starts with, and the day's baseline."""
    if previous is None or spec.name not in previous.cash:
        return Book(spec.initial_cash), spec.initial_cash
    book = Book(previous.cash[spec.name])
    book.qty = dict(previous.positions[spec.name])
    book.cost = dict(previous.costs[spec.name])
    return book, previous.equity[spec.name]


def _result(days: list[_Day]) -> OracleResult:
    """All days as one answer, events by minute, then in the configuration's order."""
    names = {day.spec.name: day for day in days}
    equity = {name: day.book.equity(day.marks) for name, day in names.items()}
    return OracleResult(
        signals=tuple(sorted((s for d in days for s in d.signals), key=lambda s: s.minute)),
        orders=tuple(sorted((o for d in days for o in d.orders), key=lambda o: o.minute)),
        fills=tuple(sorted((f for d in days for f in d.fills), key=lambda f: f.minute)),
        denials=tuple(sorted((x for d in days for x in d.denials), key=lambda x: x.minute)),
        cash={name: day.book.cash for name, day in names.items()},
        positions={name: _nonzero(day.book.qty) for name, day in names.items()},
        costs={name: _nonzero(day.book.cost) for name, day in names.items()},
        equity=equity,
        pnl={name: equity[name] - day.spec.initial_cash for name, day in names.items()},
        realized={name: day.book.realized for name, day in names.items()},
        fees={name: day.book.fees for name, day in names.items()},
    )


def _nonzero(amounts: dict[str, Decimal]) -> dict[str, Decimal]:
    return {symbol: amount for symbol, amount in amounts.items() if amount}
