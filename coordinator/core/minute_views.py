"""Views of the strategies' books: the cash and positions that each may decide on in one minute.

A View shows the book as it was at the strategy's first bar of the minute. It is made later: when
the strategy is asked, or just before its book first changes. If anything but the strategy's own
orders moves the book after that, the View is discarded, and made anew when the strategy is asked.
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
    """What one strategy may decide on in one minute, unless others move its book meanwhile."""

    minute: datetime
    cash: Decimal
    available: Decimal
    positions: dict[str, Position]
    busy: set[str]
    """Tickers on which it has an open order."""

    def equity(self, marks: Mapping[str, Decimal]) -> Decimal:
        """Dollars in cash and in positions at `marks`."""
        equity = self.cash
        for symbol, position in self.positions.items():
            equity += position.qty * marks[symbol] if symbol in marks else position.cost
        return equity


class Seat(NamedTuple):
    """A strategy on one of its tickers: the ticker's order, its lane, its place in `Wants`."""

    order: int
    lane: Lane
    place: int


@dataclass(slots=True, eq=False)
class Participant:
    """One strategy of a session: its book, its seats, and the newest View of the book."""

    rank: int
    spec: StrategySpec
    name: str
    account: SubAccount
    seats: dict[str, Seat]
    """By ticker, in the order of its configuration."""
    guarded: bool
    """Whether a limit can make it act without a signal."""
    view: MinuteView | None = None

    @property
    def tickers(self) -> Sequence[str]:
        """The tickers that it trades."""
        return self.spec.tickers

    def among(self, tickers: Collection[str]) -> Iterable[tuple[str, Lane]]:
        """Its lanes on these tickers, in its own order."""
        seats = self.seats
        if len(seats) <= len(tickers):
            return [(ticker, seat.lane) for ticker, seat in seats.items() if ticker in tickers]
        own = sorted((seats[ticker].order, ticker) for ticker in tickers if ticker in seats)
        return [(ticker, seats[ticker].lane) for _, ticker in own]


class MinuteViews:
    """Makes the strategies' Views; strategies take turns in the order of their ranks."""

    def __init__(self, books: Books) -> None:
        self._books = books
        self._discarded: dict[str, datetime | None] = {}
        """Strategies whose View was discarded, and its minute, if there was one. The next one is
        made only when they are asked, and is of that minute or a later one."""
        self.begun: dict[str, datetime] = {}
        """By ticker, the newest minute of which its strategies are due a View."""
        self._newest: datetime | None = None
        """The newest of those minutes."""
        self._fresh: Mapping[str, datetime] = {}
        """The tickers whose minute begins with the bars that are being decided on."""
        self._turn: float = math.inf
        """The rank of the strategy that is being asked; infinite when all turns are over."""

    def begin(self, tickers: Sequence[str], minute: datetime) -> None:
        """Note that bars came: all strategies on these tickers are due a View of this minute."""
        begun = self.begun
        if self._newest is None or minute > self._newest:
            self._fresh, self._newest = dict.fromkeys(tickers, minute), minute
        else:
            older = [t for t in tickers if t not in begun or begun[t] < minute]
            self._fresh = dict.fromkeys(older, minute)
        begun.update(self._fresh)

    def turn(self, rank: float = math.inf) -> None:
        """Give the strategy of this rank its turn; without a rank, all turns are over."""
        self._turn = rank

    def of(self, one: Participant, minute: datetime) -> MinuteView:
        """A strategy's View of this minute, or of a later one in which it had a bar already."""
        if self._newest is not None and minute < self._newest:
            self.make_due(one)
        discarded = self._discarded.get(one.name)
        return self._at_least(one, minute if discarded is None else max(minute, discarded))

    def make_due(self, one: Participant) -> None:
        """Make the View that a strategy is due; that of a new minute is not due before its turn."""
        if self._newest is None or (one.view is not None and one.view.minute >= self._newest):
            return
        if self._discarded and one.name in self._discarded:
            return
        begun, fresh = self.begun, self._fresh if one.rank > self._turn else ()
        due = [begun[t] for t in one.tickers if t in begun and t not in fresh]
        if due:
            self._at_least(one, max(due))

    def discard(self, one: Participant) -> None:
        """Discard a View: something other than its strategy's orders is about to move its book."""
        before = self._discarded.get(one.name)
        self._discarded[one.name] = before if one.view is None else one.view.minute
        one.view = None

    def is_discarded(self, name: str) -> bool:
        """Whether a strategy's View was discarded, and it has not been asked since."""
        return name in self._discarded

    def note_asked(self, name: str) -> None:
        """Note that a strategy was asked, on a View of its book as it is."""
        self._discarded.pop(name, None)

    def take_over(self, before: MinuteViews) -> None:
        """After a reload, keep in mind which strategies' Views were discarded `before` it."""
        self._discarded = before._discarded

    def _at_least(self, one: Participant, minute: datetime) -> MinuteView:
        view = one.view
        if view is None or view.minute < minute:
            view = one.view = view_of(self._books, one.name, minute)
        return view


def view_of(books: Books, strategy: str, minute: datetime) -> MinuteView:
    """The View of a strategy's book as it is now, for decisions of this minute."""
    account, own = books.ledger[strategy], books.orders.open_of(strategy)
    available, busy = account.cash, set()
    if own:
        available -= sum((order.hold for order in own), ZERO)
        busy = {order.symbol for order in own}
    return MinuteView(minute, account.cash, available, dict(account.positions), busy)
