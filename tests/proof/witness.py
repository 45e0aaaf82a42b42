"""The witness of a machine: every durable record against the truth, in whole numbers of its own.

It reads the journal as it grows, checks each record, adds the books up from the truth's executions
and from nothing else, and replays each coordinator's view beside it. What it says is a sentence.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from coordinator.core import messages as m
from coordinator.core import records as r
from coordinator.core.books import Books
from coordinator.core.codec import decode_all
from coordinator.core.ledger import Ledger
from coordinator.core.orders import OrderStatus
from coordinator.core.values import Side
from coordinator.shell.journal_rows import GENESIS
from tests.proof.model import OVER
from tests.proof.truth import BY_HAND, Deal, Ticket, Truth


def cash_of(dollars: Decimal) -> int:
    """Dollars in 1e-18; they have no further digits."""
    whole = dollars.scaleb(18)
    assert whole == int(whole), dollars
    return int(whole)


def units_of(qty: Decimal) -> int:
    """Shares or coins in 1e-9; they have no further digits."""
    whole = qty.scaleb(9)
    assert whole == int(whole), qty
    return int(whole)


@dataclass
class Intent:
    """An order as its records tell, whoever sent it."""

    coordinator: str
    record: r.OrderIntended
    released: bool
    status: str = ""
    booked: int = 0
    reported: int = 0
    busted: bool = False
    replaced_by: str = ""
    """The order at the broker that a human put in its place, until a book has that one too."""
    revived: bool = False
    """Whether it arrived after it was given up, and may meet what was sent meanwhile."""

    @property
    def over(self) -> bool:
        """Whether it has ended, and nothing unknown stands in its place."""
        return self.status in OVER and not self.replaced_by

    @property
    def open_units(self) -> int:
        """What may still reach the book."""
        missing = 0 if self.busted else self.reported - self.booked
        return max(missing if self.over else units_of(self.record.qty) - self.booked, 0)


@dataclass
class Plain:
    """One book in plain sums."""

    cash: int = 0
    held: dict[str, int] = field(default_factory=lambda: defaultdict(int))


class Witness:
    """Reads one journal of these coordinators."""

    def __init__(self, path: Path, truth: Truth, coordinators: Iterable[str]) -> None:
        self.intents: dict[str, Intent] = {}
        self.books: dict[str, Plain] = defaultdict(Plain)
        self.booked: dict[int, r.FillBooked] = {}
        """By the number of the execution at the broker."""
        self.killed = False
        self.frozen: dict[str, str] = {}
        self.moved: dict[str, list[int]] = {}
        """Dollars and units that each activity of the broker came to in the books."""
        self.shadows = {name: Books() for name in coordinators}
        self.wrong: list[str] = []
        self.history: list[tuple[str, r.Record]] = []
        self.seq, self._hash = 0, GENESIS
        self._path, self._truth = path, truth
        self._named: set[str] = set()
        """The broker's ids of orders that are known as a strategy's."""
        self._whose: dict[str, str] = {}
        """In whose book each execution was booked, by its id."""
        self._cross: r.FillBooked | None = None
        self._taken_back: set[str] = set()
        """Orders of which an execution was taken back."""

    def blame(self, sentence: str) -> None:
        """Note a violation."""
        self.wrong.append(sentence)

    def read(self) -> list[tuple[str, r.Record]]:
        """Take what was written since: (coordinator, record)."""
        fresh = []
        with sqlite3.connect(f"file:{self._path}?mode=ro", uri=True) as connection:
            rows = connection.execute(
                "SELECT seq, coordinator, session_id, kind, body, hash FROM records"
                " WHERE seq > ? ORDER BY seq",
                (self.seq,),
            ).fetchall()
        connection.close()
        for seq, coordinator, session, kind, body, digest in rows:
            text = "\x1f".join((self._hash, str(seq), coordinator, session, kind, body))
            if seq != self.seq + 1 or hashlib.sha256(text.encode()).hexdigest() != digest:
                self.blame(f"invariant 12: the chain breaks at record {seq}")
            self.seq, self._hash = seq, digest
            for record in decode_all(kind, body):
                self._shadow(coordinator, record)
                self._take(coordinator, record)
                fresh.append((coordinator, record))
        self.history += fresh
        if self._cross is not None:
            self.blame(f"invariant 2: one side of a cross alone: {self._cross}")
        return fresh

    def posting(self, order: m.SubmitOrder) -> None:
        """An order leaves for the broker: was it intended, durably, and does it still stand?"""
        intent = self.intents.get(order.client_order_id)
        if intent is None or not intent.released:
            self.blame(f"invariant 7: {order} without a durable, released intent")
            return
        wanted = intent.record
        if (order.symbol, order.side, order.qty) != (wanted.symbol, wanted.side, wanted.qty):
            self.blame(f"invariant 7: {order} is not what was intended: {wanted}")
        if intent.over:
            self.blame(f"invariant 10: {order.client_order_id} was sent after its end")

    def refused(self, order: m.SubmitOrder, why: str) -> None:
        """The broker's no to an order of ours, that our own other orders must not have caused.

        One that comes after it was given up has no place beside others any more.
        """
        if self.intents[order.client_order_id].over:
            return
        for ticket in self._truth.open():
            other = self.intents.get(ticket.client_id)
            ours = other is not None and not other.over and other.record.side is not order.side
            known = other is not None and not other.revived
            if ticket.symbol == order.symbol and ours and known and "wash" in why:
                self.blame(f"opposite orders together: {order} while {ticket.client_id} stood")

    def _shadow(self, coordinator: str, record: r.Record) -> None:
        for name, books in self.shadows.items():
            if name == coordinator or isinstance(record, r.AccountAdopted):
                books.apply_all([record])
            else:
                books.apply_foreign(record)

    def _take(self, coordinator: str, record: r.Record) -> None:
        match record:
            case r.AccountAdopted():
                self.books[BY_HAND].cash += cash_of(record.cash)
                for holding in record.holdings:
                    self.books[BY_HAND].held[holding.symbol] += units_of(holding.qty)
            case r.Transferred():
                self.books[record.source].cash -= cash_of(record.amount)
                self.books[record.target].cash += cash_of(record.amount)
            case r.OrderIntended():
                self._intend(coordinator, record)
            case r.OrderReleased():
                self.intents[record.client_order_id].released = True
            case r.OrderAdopted():
                self._adopt(coordinator, record)
            case r.OrderMoved():
                self._move(record)
            case r.FillBooked() if record.is_cross:
                self._pass(record)
            case r.FillBooked():
                self._book(record)
            case r.ActivityBooked():
                self._post(record)
            case r.DiscrepancyFound():
                self.frozen[record.discrepancy_id] = record.symbol
            case r.DiscrepancyResolved():
                self.frozen.pop(record.discrepancy_id, None)
            case r.Killed() | r.Revived():
                self.killed = isinstance(record, r.Killed)
            case _:
                pass

    def _intend(self, coordinator: str, record: r.OrderIntended) -> None:
        name = record.client_order_id
        if name in self.intents:
            self.blame(f"invariant 6: the id {name} was used twice")
        for other in self.intents.values():
            wanted = other.record
            same = (wanted.strategy, wanted.symbol, wanted.side) == (
                record.strategy, record.symbol, record.side
            )  # fmt: skip
            if same and not other.over and other.status != "":
                self.blame(f"invariant 6: {name} while {wanted.client_order_id} is open")
        self.intents[name] = Intent(coordinator, record, record.released)

    def _adopt(self, coordinator: str, record: r.OrderAdopted) -> None:
        self._named.add(record.broker_order_id)
        ticket = self._truth.tickets[record.client_order_id]
        old = self.intents[record.replaces]
        if ticket.replaces is None or ticket.replaces.client_id != record.replaces:
            self.blame(f"{record} took the place of no such order")
        old.replaced_by = ""
        intent = r.OrderIntended(
            record.at,
            record.client_order_id,
            old.record.strategy,
            old.record.symbol,
            old.record.side,
            record.qty,
            old.record.decision_price,
            old.record.reason,
            released=True,
        )
        known = (fill for fill in self.booked.values() if fill.client_order_id == ticket.client_id)
        booked = sum(units_of(fill.qty) for fill in known)
        adopted = Intent(coordinator, intent, True, "accepted", booked)
        adopted.busted = record.client_order_id in self._taken_back
        self.intents[record.client_order_id] = adopted

    def _move(self, record: r.OrderMoved) -> None:
        self._named.add(record.broker_order_id)
        intent = self.intents[record.client_order_id]
        before, after = intent.status, record.status.value
        if before in OVER and after not in ("filled", before) and before != "denied":
            self.blame(f"invariant 10: {record.client_order_id} went from {before} to {after}")
        held_back = record.status is OrderStatus.DENIED
        intent.revived |= before == "denied" and not held_back
        if not (before in OVER and held_back):
            intent.status, intent.replaced_by = after, record.replaced_by
        intent.reported = max(intent.reported, units_of(record.filled_qty))

    def _pass(self, record: r.FillBooked) -> None:
        """One side of a cross, whose other side stands beside it."""
        first, self._cross = self._cross, record
        if first is not None:
            same = first.qty, first.price, first.symbol
            opposite = first.side is not record.side and first.strategy != record.strategy
            if not opposite or same != (record.qty, record.price, record.symbol):
                self.blame(f"invariant 2: {first} and {record} are no cross")
            self._cross = None
        self._add(record, units_of(record.qty), units_of(record.price), 0, 0)

    def _book(self, record: r.FillBooked) -> None:
        deal = self._deal(record)
        if deal is None:
            self.blame(f"invariant 5: booked, but never executed: {record}")
            return
        ticket, sign = deal.ticket, (1 if record.qty > 0 else -1)
        if sign > 0 and deal.number in self.booked:
            self.blame(f"invariant 5: booked twice: {record}")
        if sign > 0:
            self.booked[deal.number] = record
            self._whose[record.execution_id] = record.strategy
        else:
            del self.booked[deal.number]
            self._taken_back.add(record.client_order_id)
        said = (record.symbol, record.side.value, record.qty * sign, record.price)
        facts = (ticket.symbol, "buy" if ticket.sign > 0 else "sell",
                 Decimal(deal.qty).scaleb(-9), Decimal(deal.price).scaleb(-9))  # fmt: skip
        fees = units_of(record.fee_qty) * sign, cash_of(record.fee) * sign
        owed = deal.coins, deal.dollars or deal.coins * deal.price
        if said != facts or fees != owed or not self._may_own(record, ticket):
            self.blame(f"invariant 5: {record} is not {deal} of {ticket.owner}")
        self._add(record, sign * deal.qty, deal.price, sign * deal.coins, sign * deal.dollars)

    def _may_own(self, record: r.FillBooked, ticket: Ticket) -> bool:
        """Whose an order is that took the place of one whose broker's id nobody knew yet, nobody
        can say. What is taken back, or corrected, stays in the book that has it."""
        if record.reverses:
            return record.strategy == self._whose[record.reverses]
        old = ticket.replaces
        unknown = old is not None and old.broker_id not in self._named
        return record.strategy == ticket.owner or (record.strategy == BY_HAND and unknown)

    def _deal(self, record: r.FillBooked) -> Deal | None:
        """The execution that a record books, or takes back; of twins, the one that fell.

        Of a chain of corrections that ends as it began REST tells the end first: that one is taken
        back as the first, and told again.
        """
        name = record.reverses if record.qty < 0 else record.execution_id
        number = int(name.rpartition("-")[2])
        found = next((deal for deal in self._truth.deals if deal.number == number), None)
        if found is None or record.qty > 0 or not found.stands:
            return found
        twins = (d for d in found.ticket.deals if (d.qty, d.price) == (found.qty, found.price))
        return next((d for d in twins if not d.stands and d.number in self.booked), found)

    def _add(self, record: r.FillBooked, qty: int, price: int, coins: int, dollars: int) -> None:
        book, side = self.books[record.strategy], (1 if record.side is Side.BUY else -1)
        book.cash -= side * qty * price + dollars
        book.held[record.symbol] += side * qty - coins
        intent = self.intents.get(record.client_order_id)
        if intent is None:
            return
        intent.booked += qty
        intent.busted |= qty < 0
        if intent.busted and qty < 0:
            intent.reported = intent.booked
        intent.reported = max(intent.reported, intent.booked)
        if intent.booked > units_of(intent.record.qty) + self._fallen(record.client_order_id):
            self.blame(f"invariant 8: {intent.booked} booked of {intent.record}")

    def _fallen(self, client_order_id: str) -> int:
        """What is booked of an order and was taken back: REST may tell first what came after."""
        ticket = self._truth.tickets.get(client_order_id)
        deals = ticket.deals if ticket else []
        return sum(d.qty for d in deals if not d.stands and d.number in self.booked)

    def _post(self, record: r.ActivityBooked) -> None:
        book, cash, units = self.books[record.strategy], cash_of(record.amount), 0
        book.cash += cash
        if record.symbol:
            units = units_of(record.qty)
            book.held[record.symbol] += units
        totals = self.moved.setdefault(record.activity_id.removesuffix(".beyond"), [0, 0])
        totals[0] += cash
        totals[1] += units


# what is compared after each step, and at rest


def holds(witness: Witness, coordinator: str) -> Decimal:
    """Dollars that a coordinator's open buys keep, by its records alone."""
    total = Decimal(0)
    for intent in witness.intents.values():
        if intent.coordinator == coordinator and intent.record.side is Side.BUY:
            total += Decimal(intent.open_units).scaleb(-9) * intent.record.decision_price
    return total


def sums(witness: Witness, ledger: Ledger) -> Iterable[str]:
    """Where a ledger's cash or quantities are not the plain sums."""
    for name, account in ledger.accounts.items():
        plain = witness.books[name]
        held = {s: units_of(p.qty) for s, p in account.positions.items() if p.qty}
        if cash_of(account.cash) != plain.cash:
            yield f"invariant 1: {name} has {account.cash}, the sum is {plain.cash}"
        if held != {symbol: qty for symbol, qty in plain.held.items() if qty}:
            yield f"invariant 1: {name} holds {held}, the sum is {dict(plain.held)}"


def account_sums(witness: Witness, truth: Truth) -> Iterable[str]:
    """Where all books together, with what is not booked yet, are not the broker's account."""
    cash = sum(book.cash for book in witness.books.values())
    held: dict[str, int] = defaultdict(int)
    for book in witness.books.values():
        for symbol, qty in book.held.items():
            held[symbol] += qty
    for deal in truth.deals:
        off = (deal.number in witness.booked) - deal.stands
        cash -= off * deal.cash
        held[deal.ticket.symbol] -= off * deal.units
    for one in truth.activities:
        told = one.activity_id in witness.moved
        posted = witness.moved.get(one.activity_id, [0, 0])
        units = 0 if one.kind == "CFEE" else units_of(one.qty)
        if told and posted != [cash_of(one.net_amount), units]:
            yield f"invariant 2: {one} came to {posted} in the books"
        if not told:
            cash += cash_of(one.net_amount)
            held[one.symbol] += units
    other = [moved for name, moved in witness.moved.items() if not name.startswith("act-")]
    cash -= sum(moved[0] for moved in other)
    if cash != truth.cash:
        yield f"invariant 4: the books come to {cash}, the broker has {truth.cash}"
    strange = {n for n, moved in witness.moved.items() if moved[1] and not n.startswith("act-")}
    for symbol in {*held, *truth.held}:
        if held[symbol] != truth.held[symbol] and not strange:
            yield f"invariant 3: {held[symbol]} of {symbol}, the broker has {truth.held[symbol]}"
