"""Opposite orders on one ticker never stand at the broker together: it would call them a wash.

An order whose opposite stands waits, and goes out when that one has ended; exits before entries.
An entry that is still waiting when its ticker's next bar comes is too old to be sent.
"""

from __future__ import annotations

from collections.abc import Iterable

from coordinator.core.orders import Order, OrderStatus
from coordinator.core.values import Side


def may_send(side: Side, on_ticker: Iterable[Order]) -> bool:
    """Whether an order of `side` can go out beside the open orders on its ticker."""
    return all(order.side is side or order.status is OrderStatus.WAITING for order in on_ticker)


def next_waiting(on_ticker: Iterable[Order]) -> Order | None:
    """The waiting order whose turn it is, exits first; None while an opposite one stands."""
    orders = list(on_ticker)
    waiting = [order for order in orders if order.status is OrderStatus.WAITING]
    waiting.sort(key=lambda order: order.side is Side.BUY)
    return next((order for order in waiting if may_send(order.side, orders)), None)


def outdated(on_ticker: Iterable[Order]) -> list[Order]:
    """Entries that still wait now that their ticker's next bar is here."""
    return [
        order
        for order in on_ticker
        if order.status is OrderStatus.WAITING and order.side is Side.BUY
    ]
