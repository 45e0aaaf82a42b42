"""What follows a strategy from one of an account's coordinators to another: its orders, what it has
used up of its daily limits, and the prices of what it holds."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

from coordinator.core import records as r
from coordinator.core.day import Day
from coordinator.core.neighbours import Close
from coordinator.core.orders import Order
from coordinator.core.values import ZERO

if TYPE_CHECKING:
    from coordinator.core.books import Books


def take_over_orders(
    books: Books, strategies: Collection[str], carried: Sequence[Order] = ()
) -> None:
    """Take over the orders that other coordinators have of these strategies.

    Orders that are `carried` over are ours as well, whoever had them. Of one that is known here
    more is known than was carried: its executions, and the day whose limit it uses.
    """
    ids = {order.client_order_id for order in carried}
    for order in (*books.neighbours.give(strategies, ids), *carried):
        if order.client_order_id not in books.orders:
            books.orders.add(order)


def take_over_marks(books: Books, strategies: Iterable[str]) -> None:
    """Value what `strategies` bring from another coordinator at the last prices that it saw.

    They bring what they hold, and what an order of theirs may yet buy. What strategies of this one
    hold as well keeps its mark: their day begins as the last one ended.
    """
    own = books.strategies()
    joining = set(strategies).difference(own)
    brought = _held(books, joining & books.ledger.accounts.keys()) | _ordered(books, joining)
    theirs = books.neighbours.marks
    taken = (brought - _held(books, own)) & theirs.keys()
    books.ledger.marks.update({symbol: theirs[symbol] for symbol in taken})


def hand_over(books: Books, opened: r.SessionOpened) -> None:
    """Leave to another coordinator the strategies that it runs from this opening on."""
    before = books.neighbours.session_of(opened.coordinator)
    if before != opened.session_id:
        note_closes(books, books.neighbours.run_in(before))  # it may have died
    looked_at = books.session.at if books.session else opened.at
    names = books.neighbours.open(opened, looked_at)
    for opening in opened.openings:
        if (name := opening.strategy) in names:
            if name in books.days:
                _leave(books, name)
            day = begun_day(books, opened, opening)
            books.days.pop(name, None)
            books.neighbours.days[name] = day
            books.neighbours.run(name, opened)
        if books.neighbours.is_run_in(opened.session_id, name):
            _keep_what_is_traded(books, name, opening.tickers)


def _keep_what_is_traded(books: Books, strategy: str, tickers: Collection[str]) -> None:
    """Sell no position on `tickers` that we gave up: a strategy trades it elsewhere, and may come
    back with another one."""
    given_up = books.given_up.pop(strategy, ())
    if left := tuple(ticker for ticker in given_up if ticker not in tickers):
        books.given_up[strategy] = left


def _leave(books: Books, strategy: str) -> None:
    """Note what a strategy of ours holds, and our last prices, before another one runs it."""
    if books.session is not None:
        books.neighbours.run(strategy, books.session)
        note_closes(books, [strategy], books.ledger.marks)


def note_closes(
    books: Books, strategies: Collection[str], marks: Mapping[str, Decimal] | None = None
) -> None:
    """Note what strategies hold, and the last prices: the session that ran them is over.

    `marks` are those of who ran them, the others' unless they are given.
    """
    marks = books.neighbours.marks if marks is None else marks
    for name in books.ledger.accounts.keys() & strategies:
        held = books.ledger[name].positions
        closes = {s: Close(position.qty, marks[s]) for s, position in held.items() if s in marks}
        books.neighbours.closes.setdefault(name, closes)


def begun_day(books: Books, opened: r.SessionOpened, opening: r.Opening) -> Day:
    """The day with which a session opens a strategy's book.

    One that another coordinator ran last begins with the equity that it ended with there.
    """
    before = books.day_of(opening.strategy)
    day = Day.begun(opened, opening, before)
    if before is not None and before.date != opened.session_date:
        day.start_equity -= _revalued(books, opened, opening.strategy)
    return day


def _revalued(books: Books, opened: r.SessionOpened, strategy: str) -> Decimal:
    """By how many dollars an opening values what a strategy brings above where it comes from."""
    coordinator, _ = books.neighbours.runs.get(strategy, (opened.coordinator, ""))
    if coordinator == opened.coordinator:
        return ZERO
    note_closes(books, [strategy])  # if it died, too
    closes, account = books.neighbours.closes.get(strategy, {}), books.ledger[strategy]
    held = account.positions.items()
    kept = {s: p for s, p in held if s in closes and closes[s].qty == p.qty}
    same = replace(account, positions=kept)
    left = same.market_value({symbol: close.mark for symbol, close in closes.items()})
    return same.market_value(opened.marks) - left


def _held(books: Books, names: Iterable[str]) -> set[str]:
    return {symbol for name in names for symbol in books.ledger[name].positions}


def _ordered(books: Books, names: Collection[str]) -> set[str]:
    orders = itertools.chain(*books.all_orders)
    return {order.symbol for order in orders if order.strategy in names}
