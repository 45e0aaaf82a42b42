"""A human's plan gives strategies the positions and the cash that no strategy owns, or takes some.

What a human sold by hand stays in the strategy's book, and so does the cash of a strategy that is
not configured any more, until a plan with a negative amount takes it back.

Nothing moves at the broker. UNASSIGNED's book gives and a strategy's book receives at one price, or
the reverse, so the sum of all books does not change. A position changes hands at the last close
that the books know, and counts as a transfer of that value on both sides: no book's P&L changes,
and the profit or loss made until then stays in the book that gives.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from coordinator.core import records as r
from coordinator.core.amounts import dollars, units
from coordinator.core.books import FUNDING, Books
from coordinator.core.funding import free_cash
from coordinator.core.orders import Order
from coordinator.core.values import COIN, UNASSIGNED, ZERO, exactly


@dataclass(frozen=True, slots=True)
class Move:
    """`qty` of `symbol` or, where `symbol` is empty, `cash` dollars for one strategy; if negative,
    from it."""

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
        return f"{r.IMPORT}{self.id}.{number}"


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
    """A position of UNASSIGNED; `price` is None where no price is known.

    If it is short, `held_by` has the units of each strategy that holds the symbol.
    """

    symbol: str
    qty: Decimal
    cost: Decimal
    price: Decimal | None
    held_by: Mapping[str, Decimal]

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
        Unowned(
            held.symbol,
            held.qty,
            held.cost,
            price(books, market, held.symbol),
            _holders(books, held.symbol) if held.qty < 0 else {},
        )
        for held in books.ledger[UNASSIGNED].holdings()
        if held.qty
    ]


def _holders(books: Books, symbol: str) -> dict[str, Decimal]:
    """The units of each book that holds a symbol."""
    units = books.ledger.units(symbol)
    return {name: units[name] for name in sorted(units) if units[name] > 0}


def price(books: Books, market: Market, symbol: str) -> Decimal | None:
    """Dollars per unit at which a position changes hands; None if no price is known.

    If the coordinator's newest session followed the ticker, its last close, at which both books
    value the position; otherwise the broker's newest close, at which they do from then on, or, if
    it has none, the last mark.
    """
    mark = books.ledger.marks.get(symbol)
    found = mark if symbol in books.last_bar else market.prices.get(symbol, mark)
    return None if found is None or found <= 0 else found.quantize(COIN)


@exactly
def refusals(
    books: Books, plan: Plan, recipients: Mapping[str, Recipient], market: Market
) -> list[str]:
    """Every objection to the plan, as a sentence each; none if it can be carried out."""
    found = list[str]()
    if plan.account != books.account:
        found.append(f"it is of account {plan.account}, and the keys are {books.account}'s")
    if books.halts.killed and any(move.qty > 0 for move in plan.moves):
        found.append("the account is killed, which would sell what is imported: `revive` it first")
    for number, move in enumerate(plan.moves):
        found += [f"moves[{number}]: {why}" for why in _against(books, move, recipients, market)]
    return [*found, *_too_many(books, plan), *_too_much(books, plan, recipients)]


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
    if symbol in (*(found.symbol for found in books.frozen.values()), *market.differing):
        what = symbol or "cash"
        yield f"books and broker differ in {what}: see `multi-trader reconcile`"
    if not symbol:
        return
    if move.qty > 0 and name in books.halts.flattened:
        yield f"{name} is flattened and would sell it: `multi-trader resume {name}` first"
    if move.qty > 0 and symbol not in recipient.tickers:
        its = ", ".join(recipient.tickers)
        yield f"{symbol} is none of {name}'s tickers ({its}): it would never sell it"
    if price(books, market, symbol) is None:
        yield f"no price of {symbol} is known"
    if symbol in market.busy:
        yield f"an order that no strategy gave is open on {symbol}: cancel it, or let it end"
    if _open_orders(books, name, symbol):
        yield f"{name} has an open order on {symbol}: repeat once it has ended"


def _open_orders(books: Books, strategy: str, symbol: str) -> list[Order]:
    """A strategy's open orders on a ticker, whichever coordinator sent them."""
    return [order for orders in books.all_orders for order in orders.open_of(strategy, symbol)]


def _too_many(books: Books, plan: Plan) -> Iterator[str]:
    """The objections to moves that together give or take more units than there are."""
    for (name, symbol), change in _changes(plan).items():
        held = books.ledger.units(symbol).get(name, ZERO)
        if name == UNASSIGNED and held + change < min(held, ZERO):
            has = units(held) if held > 0 else "none"
            yield f"it wants {units(-change)} {symbol}, of which no strategy owns {has}"
        if name != UNASSIGNED and held + change < min(held, ZERO):
            yield f"it takes {units(-change)} {symbol} from {name}, which holds {units(held)}"


def _too_much(books: Books, plan: Plan, recipients: Mapping[str, Recipient]) -> Iterator[str]:
    """The objections to moves that together give or take more cash than there is."""
    cash = books.ledger[UNASSIGNED].cash
    funding = sum((t.initial_cash for t in _new(books, plan, recipients)), ZERO)
    wanted = funding + sum((move.cash for move in plan.moves), ZERO)
    if wanted > max(cash, ZERO):
        new = f", as {dollars(funding)} begin the books of new strategies" if funding else ""
        yield (
            f"it wants {dollars(wanted)} of cash{new}; no strategy owns {dollars(cash)}."
            " Lower the moves, or initial_cash"
        )
    for name in dict.fromkeys(move.strategy for move in plan.moves if move.cash < 0):
        taken = -sum((move.cash for move in plan.moves if move.strategy == name), ZERO)
        free = free_cash(books, name) if name in books.ledger else ZERO
        if taken > free:
            yield f"it takes {dollars(taken)} of cash from {name}, which can give {dollars(free)}"


def _changes(plan: Plan) -> dict[tuple[str, str], Decimal]:
    """By how many units of each symbol the plan changes each book."""
    found: dict[tuple[str, str], Decimal] = {}
    for move in plan.moves:
        if move.symbol:
            for name, qty in ((UNASSIGNED, -move.qty), (move.strategy, move.qty)):
                found[name, move.symbol] = found.get((name, move.symbol), ZERO) + qty
    return found


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
