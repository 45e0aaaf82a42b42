"""One minute of decisions: what each strategy may know and spend in it, and who has to be asked.

From most bars nothing follows for most strategies: who wants nothing new and holds nothing that a
limit guards costs nothing here. That changes no decision. A View is made when it is asked for, or
just before the first change of its book, and either way shows what it would have shown when the
strategy's first bar of the minute came.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from coordinator.core import records as r
from coordinator.core.books import Books
from coordinator.core.lanes import Lane, Lanes, StrategySpec
from coordinator.core.ledger import Position, SubAccount
from coordinator.core.session import SessionPlan
from coordinator.core.values import ZERO, Bar

_NOBODY: frozenset[int] = frozenset()


@dataclass(slots=True)
class View:
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


@dataclass(slots=True, eq=False)
class Seat:
    """One strategy at the table: its book, its lanes, and the newest View that was made of it."""

    rank: int
    spec: StrategySpec
    name: str
    account: SubAccount
    lanes: dict[str, tuple[int, Lane]]
    """By ticker, with the place among its tickers, in their order."""
    guarded: bool
    """Whether a limit watches over what it holds."""
    view: View | None = None
    sated: set[str] = field(default_factory=set)
    """On what tickers it has what it wants, and nothing to watch over that."""

    def among(self, tickers: Collection[str]) -> Iterable[tuple[str, Lane]]:
        """Its lanes on these tickers, in its own order."""
        lanes = self.lanes
        if len(lanes) <= len(tickers):
            return [(ticker, lane) for ticker, (_, lane) in lanes.items() if ticker in tickers]
        own = sorted((lanes[ticker][0], ticker) for ticker in tickers if ticker in lanes)
        return [(ticker, lanes[ticker][1]) for _, ticker in own]


class Minutes:
    """The Views of all strategies, and whom a minute's bars may move. A rank is a place in `specs`.

    `before` is the books' own: it hears of every record before they change by it.
    """

    def __init__(self, books: Books, specs: Sequence[StrategySpec], lanes: Lanes) -> None:
        self._books, self._specs, self._lanes = books, specs, lanes
        self._seats = [
            Seat(
                rank,
                spec,
                spec.name,
                books.ledger[spec.name],
                {t: (place, lanes.lane(spec, t)) for place, t in enumerate(spec.tickers)},
                spec.limits.watches,
            )
            for rank, spec in enumerate(specs)
        ]
        self._seat_of = {spec.name: seat for spec, seat in zip(specs, self._seats, strict=True)}
        on: dict[str, set[int]] = {}
        for rank, spec in enumerate(specs):
            for ticker in spec.tickers:
                on.setdefault(ticker, set()).add(rank)
        self._on = {ticker: frozenset(ranks) for ticker, ranks in on.items()}
        self._stirred, self._is_stirred = set(range(len(specs))), bytearray(b"\1" * len(specs))
        """Who holds or awaits something, or whose book has changed since it was looked at."""
        self._pressing = {seat.rank for seat in self._seats if seat.guarded}
        """Who is asked at each bar: the stirred who are guarded, and whose View was untrue."""
        self._sated: dict[str, set[int]] = {ticker: set() for ticker in on}
        """Who has on a ticker what it wants of it, and nothing to watch over that."""
        self._busted: set[str] = set()
        self._begun: dict[str, datetime] = {}
        """The newest minute of each ticker that Views were due for."""
        self._newest: datetime | None = None
        """The newest of them all."""
        self._fresh: Collection[str] = ()
        self._turn = len(specs)

    def changed(self, specs: Sequence[StrategySpec]) -> Minutes:
        """The same minute for other strategies; those that go on see in it what they saw."""
        new = Minutes(self._books, specs, self._lanes)
        new._begun, new._newest, new._busted = self._begun, self._newest, self._busted
        for name, seat in new._seat_of.items():
            if name in self._seat_of:
                seat.view = self._seat_of[name].view
            if name in self._busted:
                new._pressing.add(seat.rank)
        return new

    def asked(
        self, symbols: Sequence[str], decided: Collection[str], minute: datetime
    ) -> Iterator[Seat]:
        """Whom these bars may move, by rank, each in its turn; on `decided` ones signals count.

        From now on the Views of everybody on these tickers are of this minute.
        """
        begun = self._begun
        self._fresh = fresh = {s: minute for s in symbols if s not in begun or begun[s] < minute}
        begun.update(fresh)
        if fresh and (self._newest is None or minute > self._newest):
            self._newest = minute
        ranks = set(self._lanes.wishing(decided, self._is_stirred))
        ranks |= self._lanes.faulty(symbols)
        if self._pressing:
            for symbol in symbols:
                ranks |= self._on.get(symbol, _NOBODY) & self._pressing
        for symbol, lane in self._lanes.opinions(decided):
            sated = self._sated.get(symbol, _NOBODY)
            ranks |= lane.ranks - sated if lane.signal > 0 else lane.ranks & self._stirred
        for rank in sorted(ranks):
            self._turn = rank
            yield self._seats[rank]
        self._turn = len(self._specs)

    def view(self, seat: Seat, minute: datetime) -> View:
        """The strategy's View of this minute, or of a later one that it has already."""
        view = seat.view
        if view is None or view.minute < minute:
            view = seat.view = self._make(seat, minute)
        return view

    def last_view(self, strategy: str) -> View | None:
        """The View of the newest minute in which one was due."""
        seat = self._seat_of[strategy]
        self._keep(seat)
        return seat.view

    def looked_at(self, seat: Seat, view: View, orderable: Iterable[str]) -> None:
        """A strategy was asked; it holds on these tickers what could be sold.

        It rests now if it holds and awaits nothing: only a change of its book can stir it.
        """
        account, name, rank = seat.account, seat.name, seat.rank
        if self._busted and name in self._busted:
            self._busted.discard(name)
            if not seat.guarded:
                self._pressing.discard(rank)
        flat = not (account.positions or view.positions or self._books.orders.open_of(name))
        if flat and account.cash is view.cash:
            self._stirred.discard(rank)
            self._is_stirred[rank] = False
            self._pressing.discard(rank)
        elif not seat.guarded:
            for ticker in orderable:
                if account.positions.get(ticker) is view.positions.get(ticker):
                    seat.sated.add(ticker)
                    self._sated[ticker].add(rank)
                    self._lanes.sate(rank, ticker, sated=True)

    def before(self, record: r.Record) -> None:
        """The books are about to change by this record."""
        match record:
            case r.OrderIntended() | r.FillBooked() | r.ActivityBooked() | r.DayRolled():
                self._stir(record.strategy)
            case r.OrderMoved() | r.OrderReleased() | r.CancelRequested():
                self._stir_owner(record.client_order_id)
            case r.OrderAdopted():
                self._stir_owner(record.replaces)
            case r.Transferred():
                self._stir(record.source)
                self._stir(record.target)
            case _:
                pass

    def after_busts(self, records: Iterable[r.Record]) -> None:
        """What an execution brought and a bust took back is not spent, in this minute either."""
        for record in records:
            if isinstance(record, r.FillBooked) and record.reverses:
                seat = self._seat_of.get(record.strategy)
                if seat is not None:
                    seat.view = None
                    self._busted.add(record.strategy)
                    self._pressing.add(seat.rank)

    def _stir_owner(self, client_order_id: str) -> None:
        """An order of another coordinator is not known here, and its strategy not asked."""
        order = self._books.orders.get(client_order_id)
        if order is not None:
            self._stir(order.strategy)

    def _stir(self, strategy: str) -> None:
        seat = self._seat_of.get(strategy)
        if seat is None:
            return
        rank = seat.rank
        self._keep(seat)
        self._stirred.add(rank)
        self._is_stirred[rank] = True
        if seat.guarded:
            self._pressing.add(rank)
        for ticker in seat.sated:
            self._sated[ticker].discard(rank)
            self._lanes.sate(rank, ticker, sated=False)
        seat.sated.clear()

    def _keep(self, seat: Seat) -> None:
        """Make the View that is due. Whose turn is yet to come sees what is before its turn."""
        if self._newest is None or (seat.view is not None and seat.view.minute >= self._newest):
            return
        if self._busted and seat.name in self._busted:
            return
        begun, fresh = self._begun, self._fresh if seat.rank > self._turn else ()
        due = [begun[t] for t in seat.lanes if t in begun and t not in fresh]
        if due:
            self.view(seat, max(due))

    def _make(self, seat: Seat, minute: datetime) -> View:
        account = seat.account
        available, busy = account.cash, set()
        own = self._books.orders.open_of(seat.name)
        if own:
            available -= sum((order.hold for order in own), ZERO)
            busy = {order.symbol for order in own}
        return View(minute, account.cash, available, dict(account.positions), busy)


def news_of(
    bars: Iterable[Bar], plan: SessionPlan, last: Mapping[str, datetime]
) -> list[list[Bar]]:
    """What is new of these bars and counts, by minute, oldest first, and in it by ticker.

    `last` has the start of each ticker's newest bar. Of two bars of one minute the later counts.
    """
    minutes: dict[datetime, dict[str, Bar]] = {}
    for bar in bars:
        minutes.setdefault(bar.start, {})[bar.symbol] = bar
    found = []
    for start, by_symbol in sorted(minutes.items()):
        stocks, crypto = plan.counting(start)
        known = [s for s in by_symbol if s in last and last[s] >= start]
        new = by_symbol.keys() - known if known else by_symbol
        group = [by_symbol[s] for s in sorted(new) if (crypto if "/" in s else stocks)]
        if group:
            found.append(group)
    return found
