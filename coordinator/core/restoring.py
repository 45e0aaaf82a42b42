"""What the record of a session's opening makes of the books, live as at a start."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from coordinator.core import records as r
from coordinator.core.discrepancies import DiscrepancyKind
from coordinator.core.lane import FAULT
from coordinator.core.ledger import SubAccount
from coordinator.core.order_records import remembered
from coordinator.core.takeover import begun_day, take_over_orders
from coordinator.core.values import ZERO

if TYPE_CHECKING:
    from coordinator.core.books import Books


def begin_session(books: Books, opened: r.SessionOpened) -> None:
    """Begin a session, or add strategies to the one that runs.

    If no earlier record was applied, the record itself restores all books and open orders.
    Otherwise the books are newer, but orders that another coordinator sent are ours from here,
    ended ones too: a fill may be late.
    """
    alone, before = not books.account, books.session
    same = before is not None and before.session_id == opened.session_id
    begun = {opening.strategy for opening in before.openings} if before and same else set()
    books.account, books.session, books.ended = opened.account, opened, None
    if before is not None and same:
        books.session = replace(opened, at=before.at)  # a look in doubt goes back there
    else:
        books.denied.clear()
        _forget_leaps(books)
        books.ledger.marks.clear()  # the record has the marks of all positions
    books.ledger.marks.update(opened.marks)
    for opening in opened.openings:
        if alone or opening.strategy not in books.ledger:
            _restore(books, opening)
        if opening.strategy not in begun:
            _begin_day(books, opened, opening)
    if not same:
        books.orders = remembered(books.orders, opened.at)
    joined = {opening.strategy for opening in opened.openings} - begun
    take_over_orders(books, joined, [order.revived() for order in opened.orders])


def _forget_leaps(books: Books) -> None:
    """Unfreeze price leaps: a new session fetches adjusted history, which has none."""
    leaps = [name for name, f in books.frozen.items() if f.is_of(DiscrepancyKind.PRICE)]
    for name in leaps:
        del books.frozen[name]


def _restore(books: Books, opening: r.Opening) -> None:
    account = SubAccount(
        opening.strategy,
        initial_cash=opening.initial_cash,
        configured_cash=opening.configured_cash,
        transferred=opening.transferred,
        cash=opening.cash,
    )
    books.ledger.restore(account, opening.holdings)


def _begin_day(books: Books, opened: r.SessionOpened, opening: r.Opening) -> None:
    account = books.ledger[opening.strategy]
    account.realized = account.fees = ZERO
    day = begun_day(books, opened, opening)
    if books.neighbours.give_day(opening.strategy) and day.stopped.startswith(FAULT):
        day.stopped = ""  # who takes it over has loaded its code anew
    books.days[opening.strategy] = day
