"""A session's rows, with later sessions' bookings for it, without its own for earlier ones."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path

from coordinator.core import records as r
from coordinator.core.restatement import Change, Late, Term, realized_by, restated, sessions_of
from coordinator.core.sequences import strategy_of
from coordinator.core.statement import Replay, Rows, Told, replayed
from coordinator.core.values import ZERO, exactly
from coordinator.shell.journal_reading import Arrival, Departure, read_session, session_entries
from coordinator.shell.late import read_intents, read_terms, unknown_orders


def by_session(late: Iterable[Late]) -> dict[str, list[Late]]:
    """The late bookings that change each session, in journal order."""
    found: dict[str, list[Late]] = {}
    for one in late:
        for session_id in {one.belongs_to, *one.between}:
            found.setdefault(session_id, []).append(one)
    return found


@dataclass(frozen=True, slots=True)
class Known:
    """What a journal has of all its sessions: late bookings, who left one that went on, and who
    came to one from another coordinator's."""

    late: Sequence[Late] = ()
    departures: Mapping[str, Sequence[Departure]] = field(default_factory=dict)
    arrivals: Mapping[str, Sequence[Arrival]] = field(default_factory=dict)


def restated_rows(journal: Path, session_id: str, late: Sequence[Late], known: Known) -> Rows:
    """The session as the warehouse's rows, by table; `late` are the bookings that change it."""
    told, places = _told(journal, session_id, known)
    mine = [one for one in late if one.belongs_to == session_id]
    away = [one for one in late if one.booking.session_id == session_id]
    change = Change(
        late=tuple(one.booking.record for one in mine),
        away=frozenset(places[one.booking.seq] for one in away),
        before=tuple(one.booking.record for one in late if session_id in one.between),
        given=_given(journal, away, known.late),
    )
    rows = restated(told, _completed(journal, session_id, told, change, known))
    _begin_where_left(rows, _revalued(journal, session_id, told, known))
    return rows


@exactly
def _begin_where_left(rows: Rows, revalued: Mapping[str, Decimal]) -> None:
    """Begin the day of each strategy that was taken over with the equity of the day before."""
    for row in rows["pnl_daily"]:
        if not (gained := revalued.get(str(row["strategy"]), ZERO)):
            continue
        start, net = row["start_equity"] - gained, row["net_pnl"] + gained  # type: ignore[operator]
        invested = start + row["transfers"]  # type: ignore[operator]
        row |= {
            "start_equity": start,
            "net_pnl": net,
            "unrealized_change": row["unrealized_change"] + gained,  # type: ignore[operator]
            "return_pct": float(net / invested) if invested else 0.0,
        }


@exactly
def _revalued(
    journal: Path, session_id: str, told: Iterable[Told], known: Known
) -> dict[str, Decimal]:
    """By how many dollars a session valued what strategies brought above where they came from.

    The one that they left may have ended long before, and a ticker has one price in a session, so
    that one which is held there already keeps its own.
    """
    gained, left = dict[str, Decimal](), dict[tuple[str, int], Replay]()
    for arrival in known.arrivals.get(session_id, ()):
        name, origin = arrival.strategy, (arrival.origin, arrival.seq)
        opened, opening = _first_opening(told, name)
        if origin not in left:  # strategies that move together are told of by one replay
            left[origin] = replayed(_left(journal, arrival, known))
        before = left[origin]
        account, marks = before.books.ledger[name], before.marks(name)
        held = {one.symbol: one.qty for one in opening.holdings}
        kept = {s: p for s, p in account.positions.items() if p.qty == held.get(s)}
        same = replace(account, positions=kept)
        gained[name] = same.market_value(opened.marks) - same.market_value(marks)
    return gained


def _first_opening(told: Iterable[Told], strategy: str) -> tuple[r.SessionOpened, r.Opening]:
    return next(
        (record, opening)
        for record in told
        if isinstance(record, r.SessionOpened)
        for opening in record.openings
        if opening.strategy == strategy
    )


def _left(journal: Path, arrival: Arrival, known: Known) -> Iterator[Told]:
    """What the session that a strategy left had recorded by then."""
    for entry in session_entries(journal, arrival.origin):
        if entry.seq < arrival.seq:
            yield entry.record
    for departure in known.departures.get(arrival.origin, ()):
        if departure.seq == arrival.seq:
            yield departure.taken


def _told(journal: Path, session_id: str, known: Known) -> tuple[list[Told], dict[int, int]]:
    """What a session is replayed from, and where in it the last record of each row stands."""
    told, places = list[Told](), dict[int, int]()
    left = deque(known.departures.get(session_id, ()))
    for entry in session_entries(journal, session_id):
        while left and left[0].seq < entry.seq:
            told.append(left.popleft().taken)
        places[entry.seq] = len(told)
        told.append(entry.record)
    return told, places


def _given(journal: Path, away: Sequence[Late], all_late: Sequence[Late]) -> dict[str, Decimal]:
    """By strategy, the realised P&L that this session booked for earlier sessions."""
    given: dict[str, Decimal] = {}
    seqs = {one.booking.seq for one in away}
    for earlier in dict.fromkeys(one.belongs_to for one in away):
        theirs = [one for one in all_late if one.belongs_to == earlier]
        each = realized_by(_records(journal, earlier), [one.booking.record for one in theirs])
        for one, realized in zip(theirs, each, strict=True):
            record = one.booking.record
            if one.booking.seq in seqs and not isinstance(record, r.OrderMoved):
                given[record.strategy] = given.get(record.strategy, ZERO) + realized
    return given


def _completed(
    journal: Path, session_id: str, told: Sequence[Told], change: Change, known: Known
) -> Change:
    """The change with the ended orders and closes that only earlier sessions' records have."""
    unknown = unknown_orders([*told, *change.late])
    if not unknown and not change.before:
        return change
    terms = read_terms(journal)
    (own,) = [term for term in terms if term.session_id == session_id]
    orders, marks = list[r.OpenOrder](), dict[str, dict[str, Decimal]]()
    for name, session in read_intents(journal, unknown).items():
        orders += _ended_order(journal, terms, own, name, session)
    for record in change.before:
        if isinstance(record, r.FillBooked):
            closes = marks.setdefault(record.strategy, {})
            if record.symbol not in closes:
                closes |= _closes(journal, terms, own, record, known)
    return Change(change.late, change.away, change.before, marks, change.given, tuple(orders))


def _ended_order(
    journal: Path, terms: Iterable[Term], own: Term, name: str, intended_in: str
) -> list[r.OpenOrder]:
    """An order as it was at the end of the last session before its own that carried it, or of the
    one that placed it, which may go on beside its own.
    """
    strategy = strategy_of(name)
    with_it = [
        term
        for term in terms
        if (name in term.carried and term.since(strategy) < own.since(strategy))
        or term.session_id == intended_in
    ]
    last = max(with_it, key=lambda term: term.since(strategy))
    order = replayed(_records(journal, last.session_id)).books.orders.get(name)
    return [r.OpenOrder.of(order)] if order is not None else []


def _closes(
    journal: Path, terms: Iterable[Term], own: Term, record: r.FillBooked, known: Known
) -> dict[str, Decimal]:
    """The last close of a fill's ticker before the session, if the session before it has one."""
    *earlier, _ = sessions_of(record.strategy, terms, own.session_id)
    if not earlier:
        return {}
    told, _ = _told(journal, earlier[-1].session_id, known)
    marks = replayed(told).marks(record.strategy)
    return {record.symbol: marks[record.symbol]} if record.symbol in marks else {}


def _records(journal: Path, session_id: str) -> list[r.Record]:
    return [entry.record for entry in read_session(journal, session_id)]
