"""A human's plan gives strategies the positions and the cash that no strategy owns.

Nothing moves at the broker. UNASSIGNED's book gives and a strategy's book receives at one price, so
the sum of all books does not change. A position changes hands at the last close that the books
know, and counts as a transfer of that value on both sides: no book's P&L changes, and the profit or
loss made until then stays in UNASSIGNED's book.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from coordinator.core import records as r
from coordinator.core.books import FUNDING, Books
from coordinator.core.values import COIN, UNASSIGNED, ZERO, exactly


@dataclass(frozen=True, slots=True)
class Move:
    """`qty` of `symbol` for one strategy or, where `symbol` is empty, `cash` dollars."""

    strategy: str
    symbol: str
    qty: Decimal
    cash: Decimal


@dataclass(frozen=True, slots=True)
class Plan:
    """Moves that are made together or not at all, and only once under the plan's `id`."""

    id: str
    account: str
    moves: tuple[Move, ...]

    def activity_id(self, number: int) -> str:
        """The id of the n-th move's postings; moves are numbered from 1."""
        return f"import.{self.id}.{number}"


@dataclass(frozen=True, slots=True)
class Recipient:
    """A strategy that can receive; `initial_cash` funds its book if it has none yet."""

    name: str
    tickers: tuple[str, ...]
    initial_cash: Decimal


@dataclass(frozen=True, slots=True)
class Market:
    """What the broker knows and the books do not: `prices` are its newest closes, in dollars.

    `busy` are the symbols with an open order that no strategy placed; `differing` are the symbols
    whose position at the broker differs from the books', with '' for cash.
    """

    prices: Mapping[str, Decimal]
    busy: Collection[str] = ()
    differing: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class Unowned:
    """A position of UNASSIGNED; `price` is None where no price is known."""

    symbol: str
    qty: Decimal
    cost: Decimal
    price: Decimal | None

    @property
    def avg_price(self) -> Decimal:
        """Dollars paid per unit."""
        return self.cost / self.qty

    @property
    def value(self) -> Decimal | None:
        """Dollars, at `price`."""
        return None if self.price is None else self.qty * self.price


def is_done(books: Books, plan: Plan) -> bool:
    """Whether the plan has been carried out already."""
    return plan.activity_id(1) in books.posted.activities


@exactly
def unowned(books: Books, market: Market) -> list[Unowned]:
    """UNASSIGNED's positions, by symbol."""
    return [
        Unowned(held.symbol, held.qty, held.cost, price(books, market, held.symbol))
        for held in books.ledger[UNASSIGNED].holdings()
        if held.qty
    ]


def price(books: Books, market: Market, symbol: str) -> Decimal | None:
    """Dollars per unit at which a position changes hands; None if no price is known.

    If the coordinator's newest session followed the ticker, its last close, at which both books
    value the position; otherwise the broker's newest close.
    """
    mark = books.ledger.marks.get(symbol) if symbol in books.last_bar else None
    found = mark if mark is not None else market.prices.get(symbol)
    return None if found is None or found <= 0 else found.quantize(COIN)


@exactly
def refusals(
    books: Books, plan: Plan, recipients: Mapping[str, Recipient], market: Market
) -> list[str]:
    """Every objection to the plan, as a sentence each; none if it can be carried out."""
    found = list[str]()
    if plan.account != books.account:
        found.append(f"it is of account {plan.account}, and the keys are {books.account}'s")
    if books.halts.killed:
        found.append("the account is killed, which would sell what is imported: `revive` it first")
    for number, move in enumerate(plan.moves):
        found += [f"moves[{number}]: {why}" for why in _against(books, move, recipients, market)]
    return [*found, *_too_much(books, plan, recipients)]


def _against(
    books: Books, move: Move, recipients: Mapping[str, Recipient], market: Market
) -> Iterator[str]:
    """The objections to one move, regardless of the others."""
    name, symbol = move.strategy, move.symbol
    recipient = recipients.get(name)
    if recipient is None:
        known = ", ".join(sorted(recipients)) or "none"
        yield f"no strategy {name!r} in the configuration or the books (known: {known})"
        return
    if name in books.halts.flattened:
        yield f"{name} is flattened and would sell it: `multi-trader resume {name}` first"
    if symbol in (*(found.symbol for found in books.frozen.values()), *market.differing):
        what = symbol or "cash"
        yield f"books and broker differ in {what}: see `multi-trader reconcile`"
    if not symbol:
        return
    if symbol not in recipient.tickers:
        its = ", ".join(recipient.tickers)
        yield f"{symbol} is none of {name}'s tickers ({its}): it would never sell it"
    if price(books, market, symbol) is None:
        yield f"no price of {symbol} is known"
    if symbol in market.busy:
        yield f"an order that no strategy gave is open on {symbol}: cancel it, or let it end"
    if _is_ordering(books, name, symbol):
        yield f"{name} has an open order on {symbol}: repeat once it has ended"


def _is_ordering(books: Books, strategy: str, symbol: str) -> bool:
    everyones = books.orders, books.neighbours.orders
    return any(o.symbol == symbol for orders in everyones for o in orders.open_of(strategy))


def _too_much(books: Books, plan: Plan, recipients: Mapping[str, Recipient]) -> Iterator[str]:
    """The objections to moves that together want more than UNASSIGNED has."""
    unassigned = books.ledger[UNASSIGNED]
    for symbol in dict.fromkeys(move.symbol for move in plan.moves if move.symbol):
        wanted = sum((m.qty for m in plan.moves if m.symbol == symbol), ZERO)
        held = unassigned.positions.get(symbol)
        if wanted > (held.qty if held else ZERO):
            has = f"{held.qty.normalize():f}" if held else "none"
            yield f"it wants {wanted.normalize():f} {symbol}, of which no strategy owns {has}"
    funding = sum((t.initial_cash for t in _new(books, plan, recipients)), ZERO)
    given = sum((move.cash for move in plan.moves), ZERO)
    if funding + given > max(unassigned.cash, ZERO):
        new = f", and ${funding:,.2f} begin the books of new strategies" if funding else ""
        yield (
            f"it wants ${given:,.2f} of cash{new}; no strategy owns ${unassigned.cash:,.2f}."
            " Lower the moves, or initial_cash"
        )


def _new(books: Books, plan: Plan, recipients: Mapping[str, Recipient]) -> list[Recipient]:
    """The plan's strategies that have no book yet."""
    names = dict.fromkeys(move.strategy for move in plan.moves)
    return [recipients[n] for n in names if n in recipients and n not in books.ledger]


@exactly
def adoption(
    books: Books,
    plan: Plan,
    recipients: Mapping[str, Recipient],
    market: Market,
    now: datetime,
    by: str,
) -> list[r.Record]:
    """The records that carry out a plan without objections; they are not applied here."""
    records: list[r.Record] = [
        r.Transferred(now, UNASSIGNED, recipient.name, recipient.initial_cash, FUNDING)
        for recipient in _new(books, plan, recipients)
    ]
    for number, move in enumerate(plan.moves, 1):
        at_price = price(books, market, move.symbol) if move.symbol else ZERO
        assert at_price is not None, "refused without a price"
        for name, sign in ((UNASSIGNED, -1), (move.strategy, 1)):
            records.append(
                r.ActivityBooked(
                    at=now,
                    activity_id=plan.activity_id(number),
                    strategy=name,
                    kind=r.ActivityKind.TRANSFER,
                    symbol=move.symbol,
                    qty=sign * move.qty,
                    price=at_price,
                    amount=sign * move.cash,
                    allocated_by=f"imported by {by}",
                    day=now.date(),
                )
            )
    return records
