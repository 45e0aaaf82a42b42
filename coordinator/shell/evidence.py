"""What the broker knows of orders that an earlier process left open, in few requests.

Many orders are looked for in lists, few one by one. An order counts as absent only after several
looks in a row, the last one by its own id.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace

from coordinator.core import messages as m
from coordinator.core.orders import Order
from coordinator.core.values import MINUTE
from coordinator.shell.broker import Broker

ABSENT_AFTER = 5
"""Looks in a row, ABSENT_WAIT_S local seconds apart, after which an order never arrived."""
ABSENT_WAIT_S = 0.5
FEW = 5
"""So many orders are asked for one by one."""


Evidence = Mapping[str, Sequence[m.OrderUpdate]]
"""The broker's word by client order id, an update for each execution; absent ones have none."""


def gather(
    orders: Sequence[Order],
    broker: Broker,
    sleep: Callable[[float], None],
    *,
    patient: Collection[str],
) -> Evidence:
    """Ask the broker for orders.

    Those in `patient` are looked for again and again, the others once.
    """
    found: dict[str, m.OrderUpdate] = {}
    missing = list(orders)
    for attempt in range(ABSENT_AFTER):
        if attempt:
            sleep(ABSENT_WAIT_S)
        found |= _look(missing, broker)
        missing = [o for o in missing if o.client_order_id not in found]
        missing = [o for o in missing if not attempt or o.client_order_id in patient]
        if not any(o.client_order_id in patient for o in missing):
            break
    for order in missing if len(orders) > FEW else ():
        last = broker.order(order.client_order_id)
        if last is not None:
            found[order.client_order_id] = last
    return _with_executions(found, broker)


def successor(order: m.OrderUpdate, broker: Broker) -> list[m.OrderUpdate]:
    """The order that a human put in the place of this one; nothing if nobody did."""
    found = broker.order_at(order.replaced_by) if order.replaced_by else None
    return [found] if found else []


def _look(orders: Sequence[Order], broker: Broker) -> dict[str, m.OrderUpdate]:
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
    executions: dict[str, list[m.Execution]] = {u.broker_order_id: [] for u in filled}
    if len(filled) <= FEW:
        for update in filled:
            since = (update.submitted_at or update.at) - MINUTE
            executions[update.broker_order_id] = broker.executions(update.broker_order_id, since)
    else:
        for fill in broker.fills(min(u.submitted_at or u.at for u in filled) - MINUTE):
            if fill.order_id in executions:
                executions[fill.order_id].append(fill.execution)
    told = {
        name: [replace(update, execution=e) for e in executions.get(update.broker_order_id, ())]
        for name, update in found.items()
    }
    return {
        name: [*(told[name] or [update]), *successor(update, broker)]
        for name, update in found.items()
    }
