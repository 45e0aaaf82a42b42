"""A human who trades on the same account, and cancels or replaces others' orders.

Rule: the venue's rules hold for him as for any client (`Rejection`), and his client order ids are
random, as the dashboard's are.
"""

import uuid
from dataclasses import replace
from decimal import Decimal

from simulator.assets import is_crypto
from simulator.market import Market
from simulator.rules import read_ticket
from simulator.values import Order, OrderStatus, Side
from simulator.venue import Venue

_REPLACEABLE = (OrderStatus.NEW, OrderStatus.PARTIALLY_FILLED)


def place(venue: Venue, market: Market, symbol: str, side: Side, qty: Decimal) -> Order:
    """A market order, worked at once. Raises Rejection."""
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


def cancel_all(venue: Venue, market: Market, symbol: str) -> bool:
    """Cancel every open order on the symbol; returns whether there was one."""
    found = [order for order in venue.orders.open() if order.symbol == symbol]
    for order in found:
        venue.cancel(order.id, market.now)
    return bool(found)


def replace_one(venue: Venue, market: Market, symbol: str | None, qty: Decimal) -> bool:
    """Give the newest order that may be replaced another quantity.

    Returns whether there was one. Raises Rejection.
    """
    for old in reversed(venue.orders.open()):
        fits = symbol in (None, old.symbol) and old.ticket.qty is not None
        if fits and old.status in _REPLACEABLE:
            ticket = replace(old.ticket, qty=qty, client_order_id=str(uuid.uuid4()))
            venue.replace(old.id, ticket, market)
            venue.work(market)
            return True
    return False
