"""What goes on from one session to the next: books and account in whole numbers, and back again."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

import numpy as np

from coordinator.backtest.apart import ExchangesApart
from coordinator.backtest.compiled.cast import Cast
from coordinator.backtest.compiled.layout import Held, Whole
from coordinator.backtest.compiled.scale import QUANTITY_PLACES, Scale, TooLarge
from coordinator.backtest.exchange import Exchange
from coordinator.backtest.reels import EPOCH, MICRO, micros
from coordinator.core.books import Books
from coordinator.core.day import Day
from coordinator.core.ledger import Position, SubAccount
from coordinator.core.values import UNASSIGNED, ZERO

NEVER = -1
"""When a ticker was last seen that was not seen yet."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Books between two sessions; nothing is open and no order rests.

    `marks` (0 where there is none) and `seen`, the start of the last bar in microseconds, are by
    ticker; `given` are the broker's ids so far, by strategy if they are apart, else one number;
    `spare` are UNASSIGNED's dollars.
    """

    held: Held
    marks: Whole
    seen: Whole
    given: Whole
    spare: Decimal

    @classmethod
    def at_first(cls, cast: Cast, capital: Decimal, *, apart: bool) -> Standing:
        """Nobody has traded yet; `capital` are the account's dollars."""
        tickers, seats = len(cast.tickers), len(cast.seat_ticker)
        spare = capital - cast.capital
        return cls(
            Held(cast.initial.copy(), np.zeros(seats, np.int64), np.zeros(seats, np.int64)),
            np.zeros(tickers, np.int64),
            np.full(tickers, NEVER),
            np.zeros(len(cast.specs) if apart else 1, np.int64),
            spare,
        )

    @classmethod
    def read(
        cls, cast: Cast, scale: Scale, books: Books, exchange: Exchange | ExchangesApart
    ) -> Standing:
        """What books and account hold.

        Raises TooLarge if that is no whole number of steps.
        """
        ledger, names = books.ledger, [spec.name for spec in cast.specs]
        cash = np.array([scale.steps(ledger[name].cash) for name in names])
        qty, cost = (np.zeros(len(cast.seat_ticker), np.int64) for _ in range(2))
        for seat, (who, ticker) in enumerate(
            zip(cast.seat_strategy.tolist(), cast.seat_ticker.tolist(), strict=True)
        ):
            position = ledger[names[who]].positions.get(cast.tickers[ticker])
            if position is not None:
                qty[seat] = _whole(position.qty, QUANTITY_PLACES)
                cost[seat] = scale.steps(position.cost)
        marks = [_whole(ledger.marks.get(t, ZERO), scale.prices) for t in cast.tickers]
        last = [books.last_bar.get(ticker) for ticker in cast.tickers]
        seen = [NEVER if at is None else micros(at) for at in last]
        apart = isinstance(exchange, ExchangesApart)
        given = [exchange.purse(name).ids.given for name in (names if apart else names[:1])]
        spare = ledger[UNASSIGNED].cash
        return cls(Held(cash, qty, cost), np.array(marks), np.array(seen), np.array(given), spare)


@dataclass(frozen=True, slots=True)
class Closed:
    """Where a session left the books: their standing, and each strategy's day."""

    cast: Cast
    scale: Scale
    standing: Standing
    date: date
    baseline: Whole
    entries: Whole

    def books(self) -> Books:
        """Books of the strategies alone that say so, for whoever reads them."""
        books = Books()
        for spec in self.cast.specs:
            cash = spec.initial_cash
            books.ledger.put(SubAccount(spec.name, initial_cash=cash, configured_cash=cash))
        self.write(books)
        return books

    def write(self, books: Books) -> None:
        """Let the strategies' books be so."""
        ledger, scale = books.ledger, self.scale
        positions = self._positions()
        figures = zip(
            self.cast.specs,
            self.standing.held.cash.tolist(),
            self.baseline.tolist(),
            self.entries.tolist(),
            strict=True,
        )
        for spec, cash, baseline, entries in figures:
            account = ledger[spec.name]
            held = positions.get(spec.name, {})
            ledger.put(replace(account, cash=scale.dollars(cash), positions=held))
            day = Day(scale.dollars(baseline), account.transferred, self.date, entries)
            books.days[spec.name] = day
        marks, seen = self.standing.marks.tolist(), self.standing.seen.tolist()
        for ticker, mark, last in zip(self.cast.tickers, marks, seen, strict=True):
            if last != NEVER:
                ledger.marks[ticker] = Decimal(mark).scaleb(-scale.prices)
                books.last_bar[ticker] = EPOCH + last * MICRO

    def settle(self, books: Books, exchange: Exchange | ExchangesApart) -> None:
        """Let the books and the exchange's account be so."""
        names = [spec.name for spec in self.cast.specs]
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
        held, cast = self.standing.held, self.cast
        for seat in np.flatnonzero(held.qty).tolist():
            name = cast.specs[cast.seat_strategy[seat]].name
            qty = Decimal(int(held.qty[seat])).scaleb(-QUANTITY_PLACES)
            cost = self.scale.dollars(int(held.cost[seat]))
            ticker = cast.tickers[cast.seat_ticker[seat]]
            found.setdefault(name, {})[ticker] = Position(qty, cost)
        return found


def _whole(value: Decimal, places: int) -> int:
    scaled = value.scaleb(places)
    if scaled != int(scaled) or abs(scaled) >= 1 << 60:
        raise TooLarge(str(value))
    return int(scaled)
