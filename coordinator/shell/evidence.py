"""What the broker knows of the orders that an earlier process left open, asked in few requests.

Many orders are looked up in lists, few one by one. An order counts as absent only after several
look-ups in a row have missed it, the last one by its own id.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from coordinator.core import messages as m
from coordinator.core.orders import Order
from coordinator.core.values import MINUTE
from coordinator.shell.broker import Broker
from coordinator.shell.order_lookups import ABSENT_AFTER

ABSENT_WAIT_S = 0.5
"""Local seconds between two look-ups of an order that the broker does not know."""
FEW = 5
"""Up to this many orders are asked for one by one."""


Evidence = Mapping[str, Sequence[m.OrderUpdate]]
"""The broker's reports by client order id, one for each execution; absent orders have no key."""


def gather(
    orders: Sequence[Order],
    broker: Broker,
    sleep: Callable[[float], None],
    *,
    patient: Collection[str],
) -> Evidence:
    """Look the orders up: those in `patient` up to ABSENT_AFTER times, the others once or twice."""
    found: dict[str, m.OrderUpdate] = {}
    missing = list(orders)
    for attempt in range(ABSENT_AFTER):
        if attempt:
            sleep(ABSENT_WAIT_S)
        found |= _look_up(missing, broker)
        missing = [o for o in missing if o.client_order_id not in found]
        missing = [o for o in missing if not attempt or o.client_order_id in patient]
        if not any(o.client_order_id in patient for o in missing):
            break
    for order in missing if len(orders) > FEW else ():
        last = broker.order(order.client_order_id)
        if last is not None:
            found[order.client_order_id] = last
    return _with_executions(found, broker)


def reports_of(
    order: m.OrderUpdate, broker: Broker, executions: Sequence[m.Execution] | None = None
) -> list[m.OrderUpdate]:
    """An order's reports, one for each execution; last, the order by which a human replaced it.

    `executions` are asked for unless they are given.
    """
    if executions is None and order.filled_qty:
        executions = broker.executions(order.broker_order_id, _sent_by(order))
    reports = [replace(order, execution=execution) for execution in executions or ()] or [order]
    instead = broker.order_at(order.replaced_by) if order.replaced_by else None
    return [*reports, instead] if instead else reports


def _sent_by(order: m.OrderUpdate) -> datetime:
    """A time before which an order cannot have been executed."""
    return (order.submitted_at or order.at) - MINUTE


def _look_up(orders: Sequence[Order], broker: Broker) -> dict[str, m.OrderUpdate]:
    if len(orders) <= FEW:
        asked = {o.client_order_id: broker.order(o.client_order_id) for o in orders}
        return {name: update for name, update in asked.items() if update is not None}
    since = min(order.decided_at for order in orders) - MINUTE
    wanted = {order.client_order_id for order in orders}
    listed = broker.orders_after(since)
    return {u.client_order_id: u for u in listed if u.client_order_id in wanted}


def _with_executions(
    found: dict[str, m.OrderUpdate], broker: Broker
) -> dict[str, list[m.OrderUpdate]]:
    filled = [update for update in found.values() if update.filled_qty]
    if len(filled) <= FEW:
        return {name: reports_of(update, broker) for name, update in found.items()}
    executions: dict[str, list[m.Execution]] = {u.broker_order_id: [] for u in filled}
    for fill in broker.fills(min(map(_sent_by, filled))):
        if fill.order_id in executions:
            executions[fill.order_id].append(fill.execution)
    return {
        name: reports_of(update, broker, executions.get(update.broker_order_id, ()))
        for name, update in found.items()
    }
