"""What the broker knows of the orders that an earlier process left open, asked in few requests.

Many orders are looked up in lists, few one by one. An order counts as absent only after several
look-ups in a row have missed it, the last one by its own id.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace

from coordinator.core import messages as m
from coordinator.core.orders import Order
from coordinator.core.values import MINUTE
from coordinator.shell.broker import Broker

ABSENT_AFTER = 5
"""Look-ups in a row, ABSENT_WAIT_S local seconds apart, after which an order never arrived."""
ABSENT_WAIT_S = 0.5
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


def successor(order: m.OrderUpdate, broker: Broker) -> list[m.OrderUpdate]:
    """The order by which a human replaced this one at the broker; empty if there is none."""
    found = broker.order_at(order.replaced_by) if order.replaced_by else None
    return [found] if found else []


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
    executions: dict[str, list[m.Execution]] = {u.broker_order_id: [] for u in filled}
    if len(filled) <= FEW:
        for update in filled:
            since = (update.submitted_at or update.at) - MINUTE
            executions[update.broker_order_id] = broker.executions(update.broker_order_id, since)
    else:
        for fill in broker.fills(min(u.submitted_at or u.at for u in filled) - MINUTE):
            if fill.order_id in executions:
                executions[fill.order_id].append(fill.execution)
    evidence: dict[str, list[m.OrderUpdate]] = {}
    for name, update in found.items():
        fills = [replace(update, execution=e) for e in executions.get(update.broker_order_id, ())]
        evidence[name] = [*(fills or [update]), *successor(update, broker)]
    return evidence
