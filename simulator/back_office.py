"""What happens to the account without the client: activities, busts and a human's orders.

Rule: each act is done at once, and the exchange publishes what follows from it. What cannot be done
(nothing to bust, a human's order refused) is logged and changes nothing. The venue's rules hold for
a human as for any client; his client order ids are random, as the dashboard's are.
"""

import logging
import uuid
from dataclasses import replace
from decimal import Decimal
from typing import assert_never

from simulator.activities import Activity
from simulator.amends import bust, correct
from simulator.assets import is_crypto
from simulator.errors import Rejection
from simulator.faults import OfficeFault
from simulator.faults.account import (
    CASH_TYPES,
    Bust,
    CallOff,
    CashDrift,
    Correct,
    HandCancel,
    HandOrder,
    HandReplace,
    PositionDrift,
    PostActivity,
)
from simulator.ledger import Move
from simulator.market import Market
from simulator.money import ZERO
from simulator.postings import post
from simulator.rules import read_ticket
from simulator.values import Order, Side
from simulator.venue import Venue

log = logging.getLogger("simulator")


class BackOffice:
    """The broker's and other people's acts on one account.

    posted: activities so far, in order. silent: ids of orders that the stream never reports.
    """

    def __init__(self, venue: Venue) -> None:
        self.posted: list[Activity] = []
        self.silent: set[str] = set()
        self._venue = venue

    def carry_out(self, fault: OfficeFault, market: Market) -> None:
        """Carry out a fault of the script; one that cannot be is logged."""
        try:
            done = self._carry_out(fault, market)
        except Rejection as refusal:
            log.warning("%s at %s was refused: %s", type(fault).__name__, market.now, refusal)
        else:
            if not done:
                log.warning("%s at %s found nothing to act on", type(fault).__name__, market.now)

    def _carry_out(self, fault: OfficeFault, market: Market) -> bool:
        venue = self._venue
        match fault:
            case PostActivity():
                posted = post(venue.ledger, fault, market, venue.ids)
                self.posted += posted
                return bool(posted)
            case CallOff():
                return self._call_off(fault.type)
            case HandOrder():
                order = _place(venue, market, fault.symbol, fault.side, fault.qty)
                if fault.silent:
                    self.silent.add(order.id)
                return True
            case HandCancel():
                return _cancel_all(venue, market, fault.symbol)
            case HandReplace():
                return _replace_one(venue, market, fault.symbol, fault.qty)
            case Bust():
                return bust(venue, fault.symbol, market.now)
            case Correct():
                return correct(venue, fault.symbol, fault.price, fault.qty, market.now)
            case CashDrift():
                venue.ledger.pay(fault.amount)
                return True
            case PositionDrift():
                bar = market.last(fault.symbol)
                venue.ledger.move(fault.symbol, Move(fault.qty, bar.close if bar else ZERO))
                return True
            case _:
                assert_never(fault)

    def _call_off(self, kind: str | None) -> bool:
        """Call off the newest activity that moved dollars alone; returns whether there was one."""
        for place, one in reversed(list(enumerate(self.posted))):
            fits = kind in (None, one.type) and one.status == "executed"
            if fits and one.moved and one.net_amount and one.type in CASH_TYPES:
                self._venue.ledger.pay(-one.net_amount)
                self.posted[place] = replace(one, status="canceled")
                return True
        return False


def _place(venue: Venue, market: Market, symbol: str, side: Side, qty: Decimal) -> Order:
    """A human's market order, worked at once. Raises Rejection."""
    body = {
        "symbol": symbol,
        "side": side.value,
        "type": "market",
        "qty": qty,
        "time_in_force": "gtc" if is_crypto(symbol) else "day",
    }
    order = venue.submit(read_ticket(body, str(uuid.uuid4())), market)
    venue.work(market)
    return order


def _cancel_all(venue: Venue, market: Market, symbol: str) -> bool:
    """Cancel every open order on the symbol; returns whether there was one."""
    found = [order for order in venue.orders.open() if order.symbol == symbol]
    for order in found:
        venue.cancel(order.id, market.now)
    return bool(found)


def _replace_one(venue: Venue, market: Market, symbol: str | None, qty: Decimal) -> bool:
    """Give the newest order that may be replaced another quantity.

    Returns whether there was one. Raises Rejection.
    """
    for old in reversed(venue.orders.open()):
        fits = symbol in (None, old.symbol) and old.ticket.qty is not None
        if fits and old.status.is_replaceable:
            ticket = replace(old.ticket, qty=qty, client_order_id=str(uuid.uuid4()))
            venue.replace(old.id, ticket, market)
            venue.work(market)
            return True
    return False


def next_number(account_number: str) -> str:
    """Another account number of the same form."""
    name = account_number.rstrip("0123456789")
    digits = account_number.removeprefix(name)
    return f"{name}{int(digits or 1) + 1:0{len(digits)}d}"
