"""A session in which every order fills in the minute in which it is decided.

This holds for market orders on one market's hours if the fill model does not limit quantity.
Commands, reports and states that last no time are then left out. Sizes, limits, stops, fees and
books are the core's own functions, orders fill in the sequence of `core/arbiter.py`, and the
statement equals the engine's row by row (`tests/backtest/test_instant.py`). Any other session
raises Unfit before a book has changed, and the engine plays it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

import numpy as np

from coordinator.backtest.apart import ExchangesApart
from coordinator.backtest.exchange import Exchange
from coordinator.backtest.reels import EPOCH, MICRO, Reel, Reels, axis_of, micros
from coordinator.backtest.rule_signals import Key, RuleSignals, rule_signals
from coordinator.backtest.seats import Book, Intent, Seat, in_turn
from coordinator.backtest.setup import BacktestSetup, Opened
from coordinator.core import risk
from coordinator.core.books import Books
from coordinator.core.controls import Controls
from coordinator.core.fees import fees
from coordinator.core.order_rows import Row
from coordinator.core.orders import OrderStatus
from coordinator.core.together import starts_together
from coordinator.core.values import MINUTE, UNASSIGNED, ZERO, Reason, Side, exactly, is_crypto
from coordinator.shell import startup
from coordinator.strategies.registry import BUILT_IN
from simulator.columns import Columns, Whole
from simulator.fills import FillModel, Spread
from simulator.values import Side as TicketSide

_UNLIMITED = Controls(price_collar=None)
_SIDES = {Side.BUY: TicketSide.BUY, Side.SELL: TicketSide.SELL}
_LEAP_MARGIN = 1e-9


class Unfit(Exception):
    """An order of this session may not fill at once."""


class Instant:
    """One session, already opened on `books`. Call `play`, then `settle`.

    Raises:
        Unfit: by the constructor and `play`, before any book has changed.
    """

    def __init__(
        self,
        setup: BacktestSetup,
        model: FillModel,
        reels: Reels,
        exchange: Exchange | ExchangesApart,
        books: Books,
        opened: Opened,
    ) -> None:
        check_setup(setup, model)
        first = opened.plan.first_bar(setup.tickers[0])
        if first is None or first < opened.start:
            raise Unfit("the session's first bars are missed")
        check_account(books, exchange)
        self._exchange, self._books, self.opened = exchange, books, opened
        self._last, self._apart = dict(books.last_bar), setup.apart
        self._model, self._rate = model, setup.crypto_fee_rate
        needs = startup.warm_up_needs(setup.specs, opened.plan)
        self.reels = {n.symbol: _cut(reels, opened, n.symbol, n.count) for n in needs}
        self.axis = axis_of(list(self.reels.values()))
        if not len(self.axis):
            raise Unfit("nothing has a bar in this session")
        self._line_up(setup.controls)
        self.books = self._seat(setup, rule_signals(setup.specs, self.reels))
        self._seats = [seat for book in self.books for seat in book.seats]
        self._due: list[list[int]] = [[] for _ in self.axis]
        self._intents: list[Intent] = []
        self._now = opened.plan.begin
        self._prices: dict[tuple[str, Side], Decimal] = {}
        self.order_rows: list[Row] = []
        self.fill_rows: list[Row] = []

    @exactly
    def play(self, stopped: Callable[[], bool]) -> bool:
        """Play all minutes; False if it was stopped before the last one."""
        for seat in self._seats:
            self._schedule_first(seat)
        for minute, due in enumerate(self._due):
            if not due:
                continue
            if stopped():
                return False
            self._now = self.end(minute)
            for number in sorted(set(due)):
                self._decide(self._seats[number], minute)
            if self._intents:
                self._execute(minute)
        return True

    def end(self, minute: int) -> datetime:
        """When a minute of the axis ends."""
        return EPOCH + int(self.axis[minute]) * MICRO + MINUTE

    @exactly
    def settle(self) -> None:
        """Write the session's results to the books and the exchange's account."""
        for book in self.books:
            self._books.ledger.put(book.account)
            day = self._books.days[book.spec.name]
            day.date, day.entries, day.stopped = self.opened.plan.date, book.entries, book.stopped
            if book.sequence:
                self._books.sequences[book.key] = book.sequence
        for symbol, reel in self.reels.items():
            for bars in (reel.history, reel.bars):
                self._update_mark(symbol, bars)
        if self._apart:
            for book in self.books:
                self._exchange.settle(book.purse, [book.account])
        else:
            self._exchange.settle(self.books[0].purse, self._books.ledger.accounts.values())

    def fresh(self, symbol: str) -> Columns:
        """The part of a ticker's history that the books have not seen yet."""
        history, last = self.reels[symbol].history, self._last.get(symbol)
        return history if last is None else history.take(history.starts > micros(last))

    def _update_mark(self, symbol: str, bars: Columns) -> None:
        last = self._books.last_bar.get(symbol)
        if not len(bars) or (last is not None and bars.starts[-1] <= micros(last)):
            return
        self._books.last_bar[symbol] = EPOCH + int(bars.starts[-1]) * MICRO
        self._books.ledger.marks[symbol] = bars.price(int(bars.close[-1]))

    def _line_up(self, controls: Controls) -> None:
        """Map each ticker to the axis, and refuse prices for which the engine would freeze it."""
        for symbol, reel in self.reels.items():
            fresh, mark = self.fresh(symbol), self._books.ledger.marks.get(symbol)
            if len(fresh):
                mark = fresh.price(int(fresh.close[-1]))
            last_end = self.opened.plan.last_end(symbol)
            assert last_end is not None
            reel.line_up(self.axis, mark, micros(last_end))
            closes = reel.bars.close if mark is None else np.insert(reel.bars.close, 0, reel.before)
            if np.any(closes <= 0):
                raise Unfit(f"{symbol} has a price of zero")
            if controls.price_collar is not None and _leaps(closes, float(controls.price_collar)):
                raise Unfit(f"the price of {symbol} leaps")

    def _seat(self, setup: BacktestSetup, signals: Mapping[Key, RuleSignals]) -> list[Book]:
        assets, books, number = setup.assets(), [], 0
        shared = self._exchange.purse(setup.specs[0].name)
        for spec in setup.specs:
            key = f"{spec.name}.{self.opened.plan.date.isoformat()}"
            purse = self._exchange.purse(spec.name) if setup.apart else shared
            book = Book(spec, self._books, key, purse)
            for ticker in spec.tickers:
                reel, own = self.reels[ticker], signals[spec.rule, ticker]
                book.seats.append(Seat(number, book, reel, assets[ticker], own))
                number += 1
                if own.fault:
                    at = reel.minutes[own.fault_at] if own.fault_at >= 0 else 0
                    book.faults.append((at, own.fault))
            books.append(book)
        return books

    def _schedule_first(self, seat: Seat) -> None:
        """Schedule the first decision; every bar, if the day's entries may be stopped."""
        if seat.book.watched:
            for minute in seat.reel.minutes:
                self._due[minute].append(seat.number)
        else:
            self._schedule(seat, -1)

    def _schedule(self, seat: Seat, place: int) -> None:
        """Schedule the seat's next decision after a place."""
        if not seat.book.watched:
            following = seat.next_place(place)
            if following is not None:
                self._due[seat.reel.minutes[following]].append(seat.number)

    def _decide(self, seat: Seat, minute: int) -> None:
        """Decide for one strategy on one ticker's bar, like `Decider._decide`."""
        book, place = seat.book, seat.reel.place[minute]
        if book.watched:
            book.check_day(minute)
        if place > seat.reel.last:
            return
        signal, position = seat.signal(place), seat.position
        if position is not None:
            close = seat.reel.close(place)
            reason = risk.exit_reason(book.spec.limits, position, close, signal)
            if reason is not None:
                qty = seat.asset.floor(position.qty)
                if seat.asset.at_once(qty, close) < qty:
                    raise Unfit(f"one order may not be for all it holds of {seat.symbol}")
                self._intend(seat, Side.SELL, qty, close, reason)
                return
        elif signal > 0 and self._enter(seat, minute, seat.reel.close(place)):
            return
        self._schedule(seat, place)

    def _enter(self, seat: Seat, minute: int, close: Decimal) -> bool:
        """Order an entry, like `Decider._enter`; whether an order follows."""
        book = seat.book
        if book.minute != minute:
            book.minute, book.available = minute, book.account.cash
        limits, equity = book.spec.limits, book.equity(minute)
        qty = risk.entry_qty(seat.asset, limits, equity, book.available, close)
        if not qty:
            return False
        if denial := book.denial():
            if book.denied.get(seat.symbol) != denial:
                book.denied[seat.symbol] = denial
                row = self._row(book.next_id(), seat, Side.BUY, qty, close)
                row |= {
                    "status": OrderStatus.DENIED.value,
                    "reason": denial,
                    "closed_at": self._now,
                }
            return False
        cost = qty * close
        book.purse.promised += cost
        if not self._apart and book.purse.promised > book.purse.cash:
            raise Unfit(f"the account has too little cash for {seat.symbol}")
        book.available -= cost
        book.entries += 1
        self._intend(seat, Side.BUY, qty, close, Reason.SIGNAL)
        return True

    def _intend(self, seat: Seat, side: Side, qty: Decimal, close: Decimal, why: Reason) -> None:
        seat.book.denied.pop(seat.symbol, None)
        row = self._row(seat.book.next_id(), seat, side, qty, close)
        row["reason"] = why.value
        self._intents.append(Intent(seat, side, qty, close, row))

    def _execute(self, minute: int) -> None:
        """Fill the minute's orders in sequence."""
        intents, self._intents = self._intents, []
        self._prices.clear()
        for intent in intents:
            intent.seat.book.purse.promised = ZERO
        for intent in intents if self._apart else in_turn(intents):
            self._fill(intent, minute)
        for intent in intents:
            self._schedule(intent.seat, intent.seat.reel.place[minute])

    def _fill(self, intent: Intent, minute: int) -> None:
        seat, side, qty, row = intent.seat, intent.side, intent.qty, intent.row
        symbol, purse = seat.symbol, seat.book.purse
        price = self._prices.get((symbol, side))
        if price is None:
            price = self._model.price(_SIDES[side], intent.close)
            self._prices[symbol, side] = price
        if side is Side.BUY and qty * price > purse.cash:
            raise Unfit(f"the account has too little cash for {symbol}")
        fee, fee_qty = fees(symbol, side, qty, price, self._rate)
        broker_order_id, execution_id, _ = purse.ids.next(), purse.ids.next(), purse.ids.next()
        purse.cash -= seat.book.post(minute, symbol, side.sign * qty, price, fee, fee_qty)
        row["broker_order_id"], row["filled_qty"], row["filled_avg_price"] = (
            broker_order_id,
            qty,
            price,
        )
        row["status"] = OrderStatus.FILLED.value
        row["submitted_at"] = row["closed_at"] = self._now
        self.fill_rows.append(
            {
                "execution_id": execution_id,
                "session_id": row["session_id"],
                "client_order_id": row["client_order_id"],
                "session_date": self.opened.plan.date,
                "strategy": row["strategy"],
                "symbol": symbol,
                "side": row["side"],
                "qty": qty,
                "price": price,
                "fee": fee,
                "filled_at": self._now,
            }
        )

    def _row(self, name: str, seat: Seat, side: Side, qty: Decimal, close: Decimal) -> Row:
        """Add the row of an order without an outcome yet."""
        row: Row = {
            "client_order_id": name,
            "session_id": self.opened.name.session_id,
            "broker_order_id": None,
            "strategy": seat.book.spec.name,
            "symbol": seat.symbol,
            "side": side.value,
            "qty": qty,
            "filled_qty": ZERO,
            "filled_avg_price": None,
            "status": None,
            "reason": None,
            "decision_price": close,
            "decided_at": self._now,
            "submitted_at": None,
            "closed_at": None,
        }
        self.order_rows.append(row)
        return row


def _cut(reels: Reels, opened: Opened, symbol: str, history: int) -> Reel:
    try:
        return reels.cut(symbol, opened.plan, history)
    except OverflowError as error:
        raise Unfit(f"{symbol}: {error}") from None


def check_setup(setup: BacktestSetup, model: FillModel) -> None:
    """Refuse a setup in which an order may wait, or be denied other than by strategy limits."""
    if not isinstance(model, Spread):
        raise Unfit("the fill model limits what executes")
    if setup.crossing or replace(setup.controls, price_collar=None) != _UNLIMITED:
        raise Unfit("orders are crossed inside, or the account has limits of its own")
    if len({is_crypto(ticker) for ticker in setup.tickers}) > 1:
        raise Unfit("two markets, of which each begins its day on its own")
    own = [spec.rule for spec in setup.specs if type(spec.rule) not in BUILT_IN]
    if any(map(starts_together, own)):
        raise Unfit("a rule looks at several tickers at once, minute by minute")


def check_account(books: Books, exchange: Exchange | ExchangesApart) -> None:
    """Refuse an account with open orders, freezes, a kill or unassigned positions."""
    if books.orders.open() or exchange.resting or books.frozen or books.halts.killed:
        raise Unfit("something is open or halted already")
    if books.ledger[UNASSIGNED].positions:
        raise Unfit("the account is not the strategies' alone")


def _leaps(closes: Whole, collar: float) -> bool:
    """Whether a close may lie outside the collar around the previous one."""
    moved = np.abs(np.diff(closes)).astype(float)
    return bool(np.any(moved > collar * closes[:-1] * (1 - _LEAP_MARGIN)))
