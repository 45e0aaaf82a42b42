"""Books and account between two sessions: converted to whole numbers, and back again."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

import numpy as np

from coordinator.backtest.apart import ExchangesApart
from coordinator.backtest.compiled.layout import Day as DayFigures
from coordinator.backtest.compiled.layout import Held, Whole
from coordinator.backtest.compiled.scale import QUANTITY_PLACES, Scale, whole_steps
from coordinator.backtest.compiled.strategy_arrays import StrategyArrays
from coordinator.backtest.exchange import Exchange
from coordinator.backtest.reels import EPOCH, MICRO, micros
from coordinator.core.books import Books
from coordinator.core.day import Day
from coordinator.core.ledger import Position, SubAccount
from coordinator.core.values import UNASSIGNED, ZERO, Denial

NEVER = -1
"""Stands for the last bar of a ticker that has had none."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Books between two sessions, without open orders.

    `marks` (0 if there is none) and `seen`, the start of the last bar in microseconds, are by
    ticker; `given` counts the broker's ids so far, by strategy if they are apart, else together;
    `spare` are UNASSIGNED's dollars.
    """

    held: Held
    marks: Whole
    seen: Whole
    given: Whole
    spare: Decimal

    @classmethod
    def at_first(cls, strategies: StrategyArrays, capital: Decimal, *, apart: bool) -> Standing:
        """The books before the first session; `capital` are the account's dollars."""
        tickers, seats = len(strategies.tickers), len(strategies.seat_ticker)
        spare = capital - strategies.capital
        return cls(
            Held(strategies.initial.copy(), np.zeros(seats, np.int64), np.zeros(seats, np.int64)),
            np.zeros(tickers, np.int64),
            np.full(tickers, NEVER),
            np.zeros(len(strategies.specs) if apart else 1, np.int64),
            spare,
        )

    @classmethod
    def read(
        cls,
        strategies: StrategyArrays,
        scale: Scale,
        books: Books,
        exchange: Exchange | ExchangesApart,
    ) -> Standing:
        """The contents of books and account.

        Raises TooLarge if they are not whole numbers of steps.
        """
        ledger, names = books.ledger, [spec.name for spec in strategies.specs]
        cash = np.array([scale.steps(ledger[name].cash) for name in names])
        qty, cost = (np.zeros(len(strategies.seat_ticker), np.int64) for _ in range(2))
        for seat, (strategy, ticker) in enumerate(
            zip(strategies.seat_strategy.tolist(), strategies.seat_ticker.tolist(), strict=True)
        ):
            position = ledger[names[strategy]].positions.get(strategies.tickers[ticker])
            if position is not None:
                qty[seat] = whole_steps(position.qty, QUANTITY_PLACES)
                cost[seat] = scale.steps(position.cost)
        marks = [whole_steps(ledger.marks.get(t, ZERO), scale.prices) for t in strategies.tickers]
        last = [books.last_bar.get(ticker) for ticker in strategies.tickers]
        seen = [NEVER if at is None else micros(at) for at in last]
        apart = isinstance(exchange, ExchangesApart)
        given = [exchange.purse(name).ids.given for name in (names if apart else names[:1])]
        spare = ledger[UNASSIGNED].cash
        return cls(Held(cash, qty, cost), np.array(marks), np.array(seen), np.array(given), spare)


@dataclass(frozen=True, slots=True)
class Closed:
    """The books after a session: their standing, and each strategy's day."""

    strategies: StrategyArrays
    scale: Scale
    standing: Standing
    date: date
    day: DayFigures

    def books(self) -> Books:
        """The same as Books of the strategies alone, for reading."""
        books = Books()
        for spec in self.strategies.specs:
            cash = spec.initial_cash
            books.ledger.put(SubAccount(spec.name, initial_cash=cash, configured_cash=cash))
        self.write(books)
        return books

    def write(self, books: Books) -> None:
        """Write it to the strategies' books."""
        ledger, scale = books.ledger, self.scale
        positions = self._positions()
        figures = zip(
            self.strategies.specs,
            self.standing.held.cash.tolist(),
            self.day.baseline.tolist(),
            self.day.entries.tolist(),
            self.day.stopped.tolist(),
            strict=True,
        )
        for spec, cash, baseline, entries, stopped in figures:
            account = ledger[spec.name]
            held = positions.get(spec.name, {})
            ledger.put(replace(account, cash=scale.dollars(cash), positions=held))
            day = Day(scale.dollars(baseline), account.transferred, self.date, entries)
            day.stopped = Denial.MAX_DAILY_LOSS if stopped else ""
            books.days[spec.name] = day
        marks, seen = self.standing.marks.tolist(), self.standing.seen.tolist()
        for ticker, mark, last in zip(self.strategies.tickers, marks, seen, strict=True):
            if last != NEVER:
                ledger.marks[ticker] = Decimal(mark).scaleb(-scale.prices)
                books.last_bar[ticker] = EPOCH + last * MICRO

    def settle(self, books: Books, exchange: Exchange | ExchangesApart) -> None:
        """Write it to the books and the exchange's account."""
        names = [spec.name for spec in self.strategies.specs]
        before = {name: books.ledger[name].cash for name in names}
        self.write(books)
        earned = {name: books.ledger[name].cash - before[name] for name in names}
        given = self.standing.given.tolist()
        if isinstance(exchange, ExchangesApart):
            for name, number in zip(names, given, strict=True):
                purse = exchange.purse(name)
                purse.cash += earned[name]
                purse.ids.given = number
                exchange.settle(purse, [books.ledger[name]])
            return
        purse = exchange.purse(names[0])
        purse.cash += sum(earned.values(), ZERO)
        [purse.ids.given] = given
        exchange.settle(purse, books.ledger.accounts.values())

    def _positions(self) -> dict[str, dict[str, Position]]:
        found: dict[str, dict[str, Position]] = {}
        held, strategies = self.standing.held, self.strategies
        for seat in np.flatnonzero(held.qty).tolist():
            name = strategies.specs[strategies.seat_strategy[seat]].name
            qty = Decimal(int(held.qty[seat])).scaleb(-QUANTITY_PLACES)
            cost = self.scale.dollars(int(held.cost[seat]))
            ticker = strategies.tickers[strategies.seat_ticker[seat]]
            found.setdefault(name, {})[ticker] = Position(qty, cost)
        return found
