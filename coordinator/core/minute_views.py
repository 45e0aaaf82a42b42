"""What each strategy may know and spend in one minute: a View of its book.

It shows the book as it was when the strategy's first bar of the minute came, although it is made
later: when the strategy is asked, or just before the first change of its book.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from coordinator.core.books import Books
from coordinator.core.lane import Lane, StrategySpec
from coordinator.core.ledger import Position, SubAccount
from coordinator.core.values import ZERO


@dataclass(slots=True)
class MinuteView:
    """What one strategy may know and spend in one minute, unless a bust takes something back."""

    minute: datetime
    cash: Decimal
    available: Decimal
    positions: dict[str, Position]
    busy: set[str]
    """Tickers on which it has an order of its own open."""

    def equity(self, marks: Mapping[str, Decimal]) -> Decimal:
        """Dollars in cash and in positions at `marks`."""
        equity = self.cash
        for symbol, position in self.positions.items():
            equity += position.qty * marks[symbol] if symbol in marks else position.cost
        return equity


class Seat(NamedTuple):
    """A strategy on one of its tickers: which of them it is, its lane, its number in `Wants`."""

    order: int
    lane: Lane
    number: int


@dataclass(slots=True, eq=False)
class Participant:
    """One strategy of a session: its book, its seats, and the newest View of the book."""

    rank: int
    spec: StrategySpec
    name: str
    account: SubAccount
    seats: dict[str, Seat]
    """By ticker, in their order."""
    guarded: bool
    """Whether a limit watches over what it holds."""
    view: MinuteView | None = None

    @property
    def tickers(self) -> Sequence[str]:
        """What it trades."""
        return self.spec.tickers

    def among(self, tickers: Collection[str]) -> Iterable[tuple[str, Lane]]:
        """Its lanes on these tickers, in its own order."""
        seats = self.seats
        if len(seats) <= len(tickers):
            return [(ticker, seat.lane) for ticker, seat in seats.items() if ticker in tickers]
        own = sorted((seats[ticker].order, ticker) for ticker in tickers if ticker in seats)
        return [(ticker, seats[ticker].lane) for _, ticker in own]


class MinuteViews:
    """Makes the Views of strategies, each in its turn, by rank."""

    def __init__(self, books: Books) -> None:
        self._books = books
        self._untrue: set[str] = set()
        """Whose View a bust made untrue: the next is made when they are asked, not before."""
        self.begun: dict[str, datetime] = {}
        """The newest minute of each ticker that Views were due for."""
        self._newest: datetime | None = None
        """The newest of them all."""
        self._fresh: Mapping[str, datetime] = {}
        """The tickers of which these bars begin the minute, while they are decided on."""
        self._turn: float = math.inf
        """The rank of who is asked just now; between messages everybody's turn is over."""

    def begin(self, tickers: Sequence[str], minute: datetime) -> None:
        """Bars of these tickers have come: everybody's Views on them are of this minute now."""
        begun = self.begun
        if self._newest is None or minute > self._newest:
            self._fresh, self._newest = dict.fromkeys(tickers, minute), minute
        else:
            older = [t for t in tickers if t not in begun or begun[t] < minute]
            self._fresh = dict.fromkeys(older, minute)
        begun.update(self._fresh)

    def turn(self, rank: float = math.inf) -> None:
        """Whose turn it is; nobody's any more."""
        self._turn = rank

    def of(self, one: Participant, minute: datetime) -> MinuteView:
        """A strategy's View of this minute, or of a later one in which it had a bar already."""
        if self._newest is not None and minute < self._newest:
            self.make_due(one)
        return self._at_least(one, minute)

    def make_due(self, one: Participant) -> None:
        """Make the View that is due. Whose turn is yet to come sees what is before its turn."""
        if self._newest is None or (one.view is not None and one.view.minute >= self._newest):
            return
        if self._untrue and one.name in self._untrue:
            return
        begun, fresh = self.begun, self._fresh if one.rank > self._turn else ()
        due = [begun[t] for t in one.tickers if t in begun and t not in fresh]
        if due:
            self._at_least(one, max(due))

    def take_back(self, one: Participant) -> None:
        """A bust made a View untrue."""
        one.view = None
        self._untrue.add(one.name)

    def is_untrue(self, name: str) -> bool:
        """Whether a strategy has not been asked since."""
        return name in self._untrue

    def was_asked(self, name: str) -> bool:
        """A strategy was asked, by a View that is true; whether the one before was not."""
        if not self._untrue or name not in self._untrue:
            return False
        self._untrue.discard(name)
        return True

    def go_on(self, before: MinuteViews) -> None:
        """Another configuration is traded: whose View was untrue is still to be asked."""
        self._untrue = before._untrue

    def _at_least(self, one: Participant, minute: datetime) -> MinuteView:
        view = one.view
        if view is None or view.minute < minute:
            view = one.view = self._make(one, minute)
        return view

    def _make(self, one: Participant, minute: datetime) -> MinuteView:
        account = one.account
        available, busy = account.cash, set()
        own = self._books.orders.open_of(one.name)
        if own:
            available -= sum((order.hold for order in own), ZERO)
            busy = {order.symbol for order in own}
        return MinuteView(minute, account.cash, available, dict(account.positions), busy)
