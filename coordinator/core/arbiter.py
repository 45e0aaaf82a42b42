"""Opposite orders on one ticker never stand at the broker together: it calls them a wash trade.

An order waits while an opposite one stands, and is sent once that has ended, exits before entries.
An entry that still waits when its ticker's next bar comes is too old to be sent.
"""

from __future__ import annotations

from collections.abc import Iterable

from coordinator.core.orders import Order, OrderStatus
from coordinator.core.values import Side


def may_send(side: Side, on_ticker: Iterable[Order]) -> bool:
    """Whether an order of `side` may be sent beside these open orders on its ticker."""
    return all(order.side is side or order.status is OrderStatus.WAITING for order in on_ticker)


def next_waiting(on_ticker: Iterable[Order]) -> Order | None:
    """The waiting order to send next, exits first; None while an opposite one is at the broker."""
    orders = list(on_ticker)
    waiting = [order for order in orders if order.status is OrderStatus.WAITING]
    waiting.sort(key=lambda order: order.side is Side.BUY)
    return next((order for order in waiting if may_send(order.side, orders)), None)


def outdated(on_ticker: Iterable[Order]) -> list[Order]:
    """The entries that still wait when their ticker's next bar has come."""
    return [
        order
        for order in on_ticker
        if order.status is OrderStatus.WAITING and order.side is Side.BUY
    ]
