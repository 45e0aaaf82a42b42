"""What is true at a broker, in whole numbers: a tiny model for machines that play with it.

One is 1e-9 of a share or coin, or of a dollar of price; cash is in 1e-18 of a dollar. It knows
nothing of ledgers, books or reports; what it says of an order goes out as the program's messages.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Container, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

from coordinator.core import messages as m
from coordinator.core.orders import OrderStatus
from coordinator.core.values import Side

NANO = 10**9
BY_HAND = "UNASSIGNED"
S = OrderStatus
ENDED = frozenset({S.FILLED, S.CANCELED, S.EXPIRED, S.REJECTED, S.REPLACED})


class Refused(Exception):
    """The broker's definite no."""


@dataclass(eq=False)
class Deal:
    """One execution. `cum` is what its order came to with it, when it was made."""

    ticket: Ticket = field(repr=False)
    number: int
    qty: int
    price: int
    cum: int
    at: datetime
    stands: bool = True
    fee_posted: bool = False

    @property
    def coins(self) -> int:
        """The fee that a purchase of coins pays in coin: a quarter per cent, half up."""
        bought = "/" in self.ticket.symbol and self.ticket.sign > 0
        return (self.qty * 50 + 10_000) // 20_000 if bought else 0

    @property
    def dollars(self) -> int:
        """The fee that a sale of coins pays in dollars, to nine places."""
        sold = "/" in self.ticket.symbol and self.ticket.sign < 0
        return (self.qty * self.price * 50 + 10_000 * NANO) // (20_000 * NANO) * NANO if sold else 0

    @property
    def cash(self) -> int:
        """What it moved of the account's dollars."""
        return -self.ticket.sign * self.qty * self.price - self.dollars

    @property
    def units(self) -> int:
        """What it moved of the account's shares or coins."""
        return self.ticket.sign * self.qty - self.coins

    def told(self, source: str) -> m.Execution:
        """As the stream or REST names it: ids of activities have two colons."""
        return m.Execution(
            f"{'rest::' if source == 'rest' else source}-{self.number}",
            amount(self.qty),
            amount(self.price),
            amount(self.cum),
            self.at,
        )


@dataclass(eq=False)
class Ticket:
    """One order at the broker."""

    client_id: str
    broker_id: str
    owner: str
    symbol: str
    sign: int
    qty: int
    at: datetime
    replaces: Ticket | None = None
    replaced_by: str = ""
    status: OrderStatus = S.ACCEPTED
    deals: list[Deal] = field(default_factory=list)

    @property
    def filled(self) -> int:
        """What stands executed."""
        return sum(deal.qty for deal in self.deals if deal.stands)

    @property
    def left(self) -> int:
        """What can still be executed."""
        return 0 if self.status in ENDED else self.qty - self.filled


def amount(nano: int) -> Decimal:
    """A quantity or a price as the messages have it."""
    return Decimal(nano).scaleb(-9)


@dataclass
class Truth:
    """The account, its orders and executions, and what else moved it."""

    cash: int
    held: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    tickets: dict[str, Ticket] = field(default_factory=dict)
    deals: list[Deal] = field(default_factory=list)
    activities: list[m.Activity] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def open(self) -> list[Ticket]:
        """Orders that can still be executed."""
        return [ticket for ticket in self.tickets.values() if ticket.status not in ENDED]

    def accept(
        self, client_id: str, owner: str, symbol: str, sign: int, qty: int, now: datetime
    ) -> Ticket:
        """Take an order in, or refuse it."""
        on_ticker = [ticket for ticket in self.open() if ticket.symbol == symbol]
        selling = sum(ticket.left for ticket in on_ticker if ticket.sign < 0)
        if client_id in self.tickets:
            raise Refused("client_order_id must be unique")
        if any(ticket.sign != sign for ticket in on_ticker):
            raise Refused("potential wash trade detected")
        if sign < 0 and qty > self.held[symbol] - selling:
            raise Refused("insufficient qty available for order")
        ticket = Ticket(client_id, f"b{next(self._numbers)}", owner, symbol, sign, qty, now)
        self.tickets[client_id] = ticket
        return ticket

    def execute(self, ticket: Ticket, qty: int, price: int, now: datetime) -> Deal:
        """Fill a part of an order."""
        deal = Deal(ticket, next(self._numbers), qty, price, ticket.filled + qty, now)
        self._add(deal)
        return deal

    def bust(self, deal: Deal) -> None:
        """An execution never was."""
        deal.stands = False
        self._move(deal, -1)

    def correct(self, deal: Deal, price: int, now: datetime) -> Deal:
        """An execution was at another price."""
        self.bust(deal)
        new = Deal(deal.ticket, next(self._numbers), deal.qty, price, deal.cum, now)
        self._add(new)
        return new

    def resize(self, deal: Deal, qty: int) -> None:
        """The newest execution of a ticker was of another quantity."""
        self._move(deal, -1)
        deal.cum, deal.qty = deal.cum - deal.qty + qty, qty
        self._move(deal, 1)

    def replace(self, ticket: Ticket, qty: int, now: datetime) -> Ticket:
        """A human has given an open order another quantity."""
        ticket.status = S.REPLACED
        number = next(self._numbers)
        ticket.replaced_by = f"b{number}"
        new = Ticket(
            f"hand-{number}",
            ticket.replaced_by,
            ticket.owner,
            ticket.symbol,
            ticket.sign,
            qty,
            now,
            ticket,
        )
        self.tickets[new.client_id] = new
        return new

    def post(
        self,
        kind: str,
        day: date,
        symbol: str = "",
        *,
        cash: int = 0,
        units: int = 0,
        told: int = 0,
    ) -> m.Activity:
        """Something other than an execution moved the account; `told` are units that did not."""
        activity = m.Activity(
            f"act-{next(self._numbers)}",
            kind,
            day,
            symbol,
            amount(units or told),
            None,
            Decimal(cash).scaleb(-18),
            "",
        )
        self.activities.append(activity)
        self.cash += cash
        self.held[symbol] += units
        return activity

    def post_coin_fees(self, day: date, symbol: str, heard: Container[int]) -> None:
        """At the end of the day, the fees that were taken in coin are told of: those of executions
        that were `heard` of long since."""
        due = [
            d for d in self.deals if d.stands and d.coins and not d.fee_posted and d.number in heard
        ]
        for deal in due:
            deal.fee_posted = True
        if due:
            self.post("CFEE", day, symbol, told=-sum(deal.coins for deal in due))

    def _add(self, deal: Deal) -> None:
        deal.ticket.deals.append(deal)
        self.deals.append(deal)
        self._move(deal, 1)

    def _move(self, deal: Deal, sign: int) -> None:
        self.cash += sign * deal.cash
        self.held[deal.ticket.symbol] += sign * deal.units
        self._restate(deal.ticket)

    def _restate(self, ticket: Ticket) -> None:
        if ticket.status not in ENDED:
            part = S.PARTIALLY_FILLED if ticket.filled else S.NEW
            ticket.status = S.FILLED if ticket.filled == ticket.qty else part


def told(
    ticket: Ticket,
    now: datetime,
    execution: m.Execution | None = None,
    bust: m.Bust | None = None,
) -> m.OrderUpdate:
    """The broker's word on an order as it is now."""
    return m.OrderUpdate(
        ticket.client_id,
        ticket.broker_id,
        ticket.symbol,
        Side.BUY if ticket.sign > 0 else Side.SELL,
        ticket.status,
        amount(ticket.qty),
        amount(ticket.filled),
        execution.price if execution else None,
        now,
        ticket.at,
        execution,
        bust=bust,
        replaces=ticket.replaces.broker_id if ticket.replaces else "",
        replaced_by=ticket.replaced_by,
    )


def told_bust(deal: Deal, number: int, now: datetime, instead: Deal | None = None) -> m.OrderUpdate:
    """The stream's word that an execution never was, or was another."""
    bust = m.Bust(
        f"bust.{number}", f"stream-{deal.number}", amount(deal.qty), amount(deal.price), now
    )
    return told(deal.ticket, now, instead.told("stream") if instead else None, bust)
