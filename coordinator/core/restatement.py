"""Moves late bookings from the session that booked them to the one that they belong to.

A fill belongs to the session in which it happened, unless its order was carried on to the next; a
reversal or a correction of an execution, to the session of that execution; a fee, to that of its
date. Everything else stays where it was booked. Each session after the one that a booking belongs
to, up to the one that booked it, begins with the books that it should have found. A fill of an
order that the books had forgotten went to UNASSIGNED, as if traded by hand. It does not belong to
the day on which a strategy has that order, and stays where it is, too.

Cash, quantities and fees do not depend on the order of bookings, and are those of the restated day.
Realised P&L does: it stays as it was booked, except that of the late bookings, which moves with
them. So the sessions' realised P&L still sums to the books', and net P&L is exact in each.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple

from coordinator.core import records as r
from coordinator.core.books import Books
from coordinator.core.sequences import strategy_of
from coordinator.core.statement import Replay, Rows, Told, replayed, statement
from coordinator.core.values import ATTO, UNASSIGNED, ZERO, exactly

Bookable = r.FillBooked | r.ActivityBooked | r.OrderMoved


class Opened(NamedTuple):
    """When a session, or a strategy in it, began: the number of the record, and the time."""

    seq: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Term:
    """One session in its account's journal."""

    session_id: str
    session_date: date
    opened: Opened
    ended_at: datetime | None
    joined: Mapping[str, Opened]
    """By strategy; some may come after the session has opened, and from one that opened later."""
    carried: frozenset[str]
    """Ids of the orders that it, or a strategy that joined it, found open."""

    def since(self, strategy: str) -> Opened:
        """When the strategy, or at least the session, began."""
        return self.joined.get(strategy, self.opened)


@dataclass(frozen=True, slots=True)
class Booking:
    """A journal record of one session that may belong to an earlier one."""

    seq: int
    session_id: str
    record: Bookable


@dataclass(frozen=True, slots=True)
class Late:
    """A booking that belongs to an earlier session; `between` are the sessions after that one, the
    one that booked it included."""

    booking: Booking
    belongs_to: str
    between: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """How a session differs from its own records.

    `late` are bookings of later sessions that belong to it. Its own records at the indexes `away`
    belong to earlier sessions, and `given` is their realised P&L by strategy. `before` are bookings
    that should have been in the books that it found, `marks` the closes at which each strategy's
    session before valued what they moved. `orders` are the ended orders of earlier sessions that
    late bookings are of.
    """

    late: tuple[Bookable, ...] = ()
    away: frozenset[int] = frozenset()
    before: tuple[Bookable, ...] = ()
    marks: Mapping[str, Mapping[str, Decimal]] = field(default_factory=dict)
    given: Mapping[str, Decimal] = field(default_factory=dict)
    orders: tuple[r.OpenOrder, ...] = ()


def late_bookings(terms: Sequence[Term], bookings: Iterable[Booking]) -> list[Late]:
    """Which of `bookings`, in the order of the journal, belong to an earlier session.

    An order's moves go with its executions, if these all belong to the same earlier session.
    """
    homes: dict[tuple[str, str], str] = {}
    found = list[Late]()
    fills: dict[tuple[str, str], dict[str, str]] = {}  # by (session, order): home and strategy
    moves: list[tuple[Booking, str]] = []
    for booking in bookings:
        if isinstance(booking.record, r.OrderMoved):
            moves.append((booking, booking.record.client_order_id))
            continue
        home = _home(terms, booking, homes)
        if isinstance(booking.record, r.FillBooked):
            homes[booking.record.execution_id, booking.record.strategy] = home
            of_order = booking.session_id, booking.record.client_order_id
            fills.setdefault(of_order, {})[home] = booking.record.strategy
        if home != booking.session_id:
            found.append(_late(terms, booking, booking.record.strategy, home))
    for move, order_id in moves:
        where = fills.get((move.session_id, order_id), {})
        if len(where) == 1 and move.session_id not in where:
            ((home, strategy),) = where.items()
            found.append(_late(terms, move, strategy, home))
    return sorted(found, key=lambda late: late.booking.seq)


def _late(terms: Sequence[Term], booking: Booking, strategy: str, home: str) -> Late:
    names = [t.session_id for t in sessions_of(strategy, terms, booking.session_id)]
    return Late(booking, home, tuple(names[names.index(home) + 1 :]))


def sessions_of(strategy: str, terms: Iterable[Term], upto: str) -> list[Term]:
    """The sessions of a strategy up to the one of that id, in the order in which it was in them."""
    (last,) = [t for t in terms if t.session_id == upto]
    mine = [t for t in terms if strategy in t.joined and t.since(strategy) < last.since(strategy)]
    return [*sorted(mine, key=lambda term: term.since(strategy)), last]


def _home(terms: Sequence[Term], booking: Booking, homes: Mapping[tuple[str, str], str]) -> str:
    record = booking.record
    assert not isinstance(record, r.OrderMoved)
    *earlier, own = sessions_of(record.strategy, terms, booking.session_id)
    known = {term.session_id for term in earlier}
    if isinstance(record, r.ActivityBooked):
        moved = record.kind is r.ActivityKind.FEE and bool(record.amount or record.qty)
        same = [t for t in earlier if t.session_date == record.day != own.session_date]
        return same[-1].session_id if moved and same else own.session_id
    if record.reverses:
        home = homes.get((record.reverses, record.strategy), own.session_id)
        return home if home in known else own.session_id
    if record.strategy == UNASSIGNED and any(
        strategy_of(record.client_order_id) in term.joined for term in earlier
    ):
        return own.session_id
    begun = [t for t in earlier if t.since(record.strategy).at <= record.at < own.opened.at]
    if not begun or _went_on(record, begun[-1], [*earlier, own]):
        return own.session_id
    return begun[-1].session_id


def _went_on(fill: r.FillBooked, term: Term, chain: Sequence[Term]) -> bool:
    """Whether a fill happened after the session, of an order carried on or of no strategy's."""
    if term.ended_at is None or fill.at <= term.ended_at:
        return False
    following = chain[chain.index(term) + 1]
    return fill.strategy == UNASSIGNED or fill.client_order_id in following.carried


@exactly
def restated(records: Sequence[Told], change: Change) -> Rows:
    """The rows of one session with what belongs to it, and without what does not.

    Raises:
        ValueError: no session was opened in these records.
    """
    if change == Change():
        return statement(records)
    as_booked, marked = Replay(), list[Told]()
    for record in records:
        as_booked.take(record)
        marked.append(_marked(record, as_booked.books.ledger.marks))
    for late in change.late:
        as_booked.take(late)
    in_time = replayed(_in_time(_own(marked, change), change.late))
    rows = in_time.rows()
    for row in rows["pnl_daily"]:
        name = str(row["strategy"])
        realized = as_booked.books.ledger[name].realized - change.given.get(name, ZERO)
        row["realized_pnl"] = realized
        row["unrealized_change"] = row["net_pnl"] - realized + row["fees"]  # type: ignore[operator]
    for row in rows["positions"]:
        position = as_booked.books.ledger[str(row["strategy"])].positions.get(str(row["symbol"]))
        if position is not None and position.qty == row["qty"]:
            row["avg_price"] = position.avg_price.quantize(ATTO)
            row["unrealized_pnl"] = row["market_value"] - position.cost  # type: ignore[operator]
    return rows


@exactly
def realized_by(records: Sequence[r.Record], late: Sequence[Bookable]) -> list[Decimal]:
    """Realised P&L that each late booking brings to its strategy's session."""
    books = replayed(records).books
    found = []
    for record in late:
        if isinstance(record, r.OrderMoved):
            found.append(ZERO)
            continue
        before = books.ledger[record.strategy].realized
        books.apply(record)
        found.append(books.ledger[record.strategy].realized - before)
    return found


def _marked(record: Told, marks: Mapping[str, Decimal]) -> Told:
    """A split without a price with the mark that it made: that is of the shares held then."""
    if (
        isinstance(record, r.ActivityBooked)
        and record.kind is r.ActivityKind.SPLIT
        and not record.price
    ):
        return replace(record, price=marks.get(record.symbol, ZERO))
    return record


def _own(records: Sequence[Told], change: Change) -> list[Told]:
    """The session's own records, from the opening that it should have had."""
    own: list[Told] = []
    openings: dict[str, r.Opening] = {}
    for index, record in enumerate(records):
        if index in change.away:
            continue
        if isinstance(record, r.SessionOpened):
            better = _reopened(record, change)
            for opening in better.openings:
                openings[opening.strategy] = _as_described(opening, openings)
            record = replace(better, openings=tuple(openings[o.strategy] for o in better.openings))
        own.append(record)
    return own


def _as_described(opening: r.Opening, earlier: Mapping[str, r.Opening]) -> r.Opening:
    """An opening with the session's first baseline, that describes its strategy as it is by now."""
    if (first := earlier.get(opening.strategy)) is None:
        return opening
    kind, params, tickers = opening.strategy_type, opening.params, opening.tickers
    return replace(first, strategy_type=kind, params=params, tickers=tickers)


def _reopened(opened: r.SessionOpened, change: Change) -> r.SessionOpened:
    """The opening with what should have been in its books.

    Its equity starts from the closes of the session before. Its marks remain its own: the session
    after it knows no others.
    """
    orders = {o.client_order_id: o for o in (*change.orders, *opened.orders)}
    opened = replace(opened, orders=tuple(orders.values()))
    if not change.before:
        return opened
    books = Books()
    books.apply(opened)
    found = {o.strategy: _equity(books, o.strategy, change) for o in opened.openings}
    for record in change.before:
        if isinstance(record, r.OrderMoved) or record.strategy in books.ledger:  # else it joins yet
            books.apply(record)
    openings = [
        replace(
            o,
            cash=books.ledger[o.strategy].cash,
            holdings=books.ledger[o.strategy].holdings(),
            start_equity=o.start_equity + _equity(books, o.strategy, change) - found[o.strategy],
        )
        for o in opened.openings
    ]
    ended = {order.client_order_id: order for order in change.orders}
    left = (order for order in books.orders if order.client_order_id not in ended)
    carried = map(r.OpenOrder.of, left)
    return replace(opened, openings=tuple(openings), orders=(*change.orders, *carried))


def _equity(books: Books, name: str, change: Change) -> Decimal:
    account = books.ledger[name]
    return account.cash + account.market_value({**books.ledger.marks, **change.marks.get(name, {})})


def _in_time(records: list[Told], late: Iterable[Bookable]) -> list[Told]:
    """The late bookings where their times put them: after their order, before the session's end.

    After that end too, where another coordinator has booked something there: a split's mark is of
    the shares that were held.
    """
    found = list(records)
    for record in late:
        first = max(n for n, own in enumerate(found) if _comes_first(own, record))
        last = max(first + 1, len(found) - isinstance(found[-1], r.SessionEnded))
        later = (n for n in range(first + 1, last) if found[n].at > record.at)
        found.insert(next(later, last), record)
    return found


def _comes_first(own: Told, late: Bookable) -> bool:
    if isinstance(own, r.SessionOpened):
        return True
    if isinstance(late, r.ActivityBooked):
        return False
    if isinstance(late, r.FillBooked) and isinstance(own, r.FillBooked):
        return own.execution_id == late.reverses
    ids = r.OrderIntended, r.OrderAdopted
    return isinstance(own, ids) and own.client_order_id == late.client_order_id
