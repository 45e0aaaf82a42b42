"""What shadows trade on: the live engine, books of their own, and the backtest's exchange.

A minute goes as in a backtest: resting orders meet its bars, then the engine decides on them, and
its commands are carried out before the next minute. All of it is in memory; the caller makes the
records of a minute durable at once, so that a crash leaves no half of one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from functools import partial

from coordinator.backtest.exchange import Exchange, asset_of, followed
from coordinator.core import messages as m
from coordinator.core import records as r
from coordinator.core.books import Books
from coordinator.core.engine import Engine
from coordinator.core.funding import wished
from coordinator.core.lane import StrategySpec, tickers_of
from coordinator.core.opening import SessionName, open_session
from coordinator.core.orders import OrderStatus
from coordinator.core.session import Hours, SessionPlan
from coordinator.core.values import MINUTE, UNASSIGNED, ZERO, Bar, exactly, is_unseen
from coordinator.embedded import FILL_MODEL, LEAST_CASH, ROOM
from coordinator.shell import startup
from coordinator.shell.run import Run
from simulator.calendar import Calendar
from simulator.feed import EMPTY_DAY, DayBars
from simulator.fills import fill_model
from simulator.ledger import Move
from simulator.values import Bar as TapeBar


class Stage:
    """One session of shadows on `books` that live on; `records` wait to be made durable.

    `prefix` tells this process's orders at the exchange from those of earlier ones.
    """

    def __init__(
        self,
        run: Run,
        books: Books,
        specs: Sequence[StrategySpec],
        plan: SessionPlan,
        hours: Sequence[Hours],
        prefix: str,
    ) -> None:
        self.books = books
        self.plan = plan
        self.records: list[r.Record] = []
        self.fill_model = run.fill_model or FILL_MODEL
        self._run, self._specs, self._hours = run, tuple(specs), tuple(hours)
        self._exchange = self._new_exchange(prefix)

    def open(
        self,
        name: SessionName,
        history: Mapping[str, Sequence[Bar]],
        so_far: Sequence[Bar],
        now: datetime,
    ) -> None:
        """Begin the session or go on with it, and feed the indicators."""
        books, plan, run = self.books, self.plan, self._run
        if not books.account:
            self._keep(r.AccountAdopted(now, name.account, ZERO, ()))
        self._deposit(self._specs, now)
        self.records += open_session(books, self._specs, plan, name, now)
        self.engine = Engine(
            books,
            self._specs,
            {ticker: asset_of(ticker) for ticker in self._tickers(self._specs)},
            plan,
            crypto_fee_rate=run.setup.crypto_fee_rate,
            controls=run.setup.controls,
            crossing=run.setup.crossing,
            hours=self._hours,
        )
        self.records += startup.warm_up(self.engine, history, so_far, now)
        self._forget_resting(now)

    def play(self, message: m.BarsArrived) -> None:
        """Decide on bars that the session has seen, but for old ones and those of other tickers."""
        last, mine = self.books.last_bar, self._tickers(self.engine.specs)
        bars = [bar for bar in message.bars if bar.symbol in mine and is_unseen(bar, last)]
        minutes: dict[datetime, list[TapeBar]] = {}
        for bar in bars:
            minutes.setdefault(bar.start, []).append(_taped(bar))
        for start in sorted(minutes):
            boundary = start + MINUTE
            self._report(self._exchange.fill_resting(minutes[start], boundary), message.now)
            self._report(self._exchange.publish(minutes[start], boundary), message.now)
        if bars:
            news = replace(message, bars=tuple(bars))
            self._take(self.engine.handle(news), message.now)

    def reload(self, asked: m.Reload) -> None:
        """Go on with other shadows."""
        self._deposit(asked.setup.specs, asked.now)
        assets = {ticker: asset_of(ticker) for ticker in asked.setup.tickers}
        self._take(self.engine.handle(replace(asked, assets=assets)), asked.now)

    def finish(self, status: r.SessionEnd) -> None:
        """End the session."""
        now, opened = self.books.last_at, self.books.session
        assert now is not None
        assert opened is not None, "a session was opened"
        self._take(self.engine.close(now), now)
        self._keep(r.SessionEnded(now, opened.session_id, status, None, {}))

    def _tickers(self, specs: Sequence[StrategySpec]) -> set[str]:
        """The tickers that are traded, or still held by strategies that trade no more."""
        books = self.books
        held = {symbol for name in books.strategies() for symbol in books.ledger[name].positions}
        return {*tickers_of(specs), *held}

    def _report(self, updates: Iterable[m.OrderUpdate], now: datetime) -> None:
        for update in updates:
            self._take(self.engine.handle(update), now)

    def _take(self, outcome: m.Outcome, now: datetime) -> None:
        """Keep the records and carry out the commands, and those that follow from these."""
        carry_out = partial(self._exchange.carry_out, now=now)
        self.records += followed(self.engine, outcome, carry_out)

    @exactly
    def _deposit(self, specs: Sequence[StrategySpec], now: datetime) -> None:
        """Pay in, as UNASSIGNED cash, what these strategies' books need to begin with."""
        needed = sum((move.amount for move in wished(self.books, specs, now)), ZERO)
        lacking = needed - self.books.ledger[UNASSIGNED].cash
        if lacking > 0:
            self._exchange.venue.ledger.pay(lacking * ROOM)
            self._keep(
                r.ActivityBooked(
                    at=now,
                    activity_id=f"deposit.{now.isoformat()}",
                    strategy=UNASSIGNED,
                    kind=r.ActivityKind.TRANSFER,
                    symbol="",
                    qty=ZERO,
                    price=ZERO,
                    amount=lacking,
                    allocated_by="shadow",
                    day=self.plan.date,
                )
            )

    def _forget_resting(self, now: datetime) -> None:
        """Cancel the orders that rested when the last process ended: its exchange ended with it."""
        for order in list(self.books.orders.open()):
            if order.status is OrderStatus.WAITING:
                continue
            gone = m.OrderUpdate(
                client_order_id=order.client_order_id,
                broker_order_id=order.broker_order_id or order.client_order_id,
                symbol=order.symbol,
                side=order.side,
                status=OrderStatus.CANCELED,
                qty=order.qty,
                filled_qty=order.reported_qty,
                filled_avg_price=order.filled_avg_price,
                at=now,
                reason="the simulated exchange was started again",
            )
            self._take(self.engine.handle(gone), now)
        self._take(self.engine.resume((), now), now)

    @exactly
    def _keep(self, record: r.Record) -> None:
        self.books.apply(record)
        self.records.append(record)

    def _new_exchange(self, prefix: str) -> Exchange:
        """An exchange whose account holds the books' positions, and cash to spare."""
        books, date = self.books, self.plan.date
        cash = max(LEAST_CASH, sum((spec.initial_cash for spec in self._specs), ZERO) * ROOM)
        for name in books.strategies():
            cash += max(ZERO, books.ledger[name].cash)
        exchange = Exchange(
            _NoTape(),
            Calendar(date, date),
            cash,
            fill_model(self.fill_model),
            self._run.setup.crypto_fee_rate,
            prefix=f"{prefix}-",
        )
        for name in books.strategies():
            for symbol, position in books.ledger[name].positions.items():
                exchange.venue.ledger.move(symbol, Move(position.qty, position.avg_price))
        return exchange


class _NoTape:
    """A source without bars: the session brings the newest ones."""

    def symbols(self) -> Sequence[str]:
        return ()

    def day(self, symbol: str, day: date) -> DayBars:
        return EMPTY_DAY

    def days(self, symbol: str, first: date, last: date) -> Sequence[date]:
        return ()


def _taped(bar: Bar) -> TapeBar:
    """A bar as the venue takes it."""
    prices = bar.open, bar.high, bar.low, bar.close
    return TapeBar(bar.symbol, bar.start, *prices, bar.volume, bar.trade_count, bar.vwap)
