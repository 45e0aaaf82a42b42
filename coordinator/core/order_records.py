"""What records make of orders, of our own and of another coordinator's alike."""

from __future__ import annotations

from datetime import datetime, timedelta

from coordinator.core import records as r
from coordinator.core.executions import Executions
from coordinator.core.orders import Order, Orders, OrderStatus

LATE_FILLS = timedelta(days=5)
"""How long an ended order of an earlier session is remembered, for a late fill or a correction: on
the Tuesday after a holiday the last session was four days ago."""


def intend(orders: Orders, record: r.OrderIntended) -> Order:
    """Take in the order that a record intends."""
    order = Order(
        record.client_order_id,
        record.strategy,
        record.symbol,
        record.side,
        record.qty,
        record.decision_price,
        record.reason,
        record.at,
        OrderStatus.SUBMITTED if record.released else OrderStatus.WAITING,
    )
    orders.add(order)
    return order


def change(
    orders: Orders, order: Order, record: r.OrderReleased | r.OrderMoved | r.CancelRequested
) -> None:
    """Change an order as a record says."""
    match record:
        case r.OrderReleased():
            orders.move(order, OrderStatus.SUBMITTED)
        case r.CancelRequested():
            order.cancel_reason = record.reason
        case r.OrderMoved():
            if record.broker_order_id:
                orders.note_broker_id(order, record.broker_order_id)
            order.filled_avg_price = record.filled_avg_price or order.filled_avg_price
            orders.report(order, record.filled_qty)
            orders.move(order, record.status, record.replaced_by)


def adopt(orders: Orders, old: Order, record: r.OrderAdopted, known: Executions) -> Order | None:
    """Take in the order by which a human replaced an `old` one; `known` of it is booked already.

    None if it was taken in before: two coordinators may adopt it.
    """
    orders.forget_successor(old)
    if record.client_order_id in orders:
        return None
    new = old.replacement(record.client_order_id, record.broker_order_id, record.qty, known)
    orders.add(new)
    return new


def remembered(orders: Orders, now: datetime) -> Orders:
    """The open orders, and those decided or executed at most LATE_FILLS ago."""

    def is_recent(order: Order) -> bool:
        executed = (posting.at for posting in order.executions.postings)
        return order.is_open or now - max((order.decided_at, *executed)) <= LATE_FILLS

    return orders.only(is_recent)
