"""Executions that the broker took back or corrected while nobody heard of it, by REST's word.

The stream tells of it once, and only to who is connected. REST shows what is left: how much of the
order is filled, and of which executions that consists.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import zip_longest

from coordinator.core import messages as m
from coordinator.core.books import Books
from coordinator.core.executions import Posting
from coordinator.core.orders import PHASE, Order, Phase
from coordinator.core.values import ZERO
from coordinator.shell.broker import Broker
from coordinator.shell.wire import Fill

log = logging.getLogger("coordinator")
SETTLED = timedelta(minutes=2)
"""The list of executions may lag: those of an order that ended so long ago are all on it."""


def unheard(
    broker: Broker, books: Books, listed: Iterable[Fill], since: datetime, now: datetime
) -> list[m.OrderUpdate]:
    """Reports that take back what the books have of an order and the broker has no longer.

    `listed` are the account's executions after `since`. An order counts only if it has ended by the
    broker's word, too, and if the executions that are listed of it sum to what is filled of it.
    """
    theirs: dict[str, list[m.Execution]] = defaultdict(list)
    for fill in listed:
        theirs[fill.order_id].append(fill.execution)
    found: list[m.OrderUpdate] = []
    for order in list(books.orders):  # at once: the loop may add to them meanwhile
        standing = order.executions.standing()
        recent = [posting for posting in standing if posting.at > since]
        is_settled = order.phase is Phase.DONE and all(p.at < now - SETTLED for p in recent)
        was_sent = bool(order.broker_order_id)  # else it was matched with another strategy's
        if was_sent and is_settled and _compared(recent, theirs[order.broker_order_id])[0]:
            found += _amended(broker, order, standing, now)
    return found


def _amended(
    broker: Broker, order: Order, standing: Sequence[Posting], now: datetime
) -> list[m.OrderUpdate]:
    """What REST says of one order that the books have otherwise."""
    told = broker.order_at(order.broker_order_id)
    if told is None or PHASE[told.status] is not Phase.DONE:
        return []
    executions = broker.executions(order.broker_order_id, order.decided_at - SETTLED)
    if sum((execution.qty for execution in executions), ZERO) != told.filled_qty:
        return []
    gone, new = _compared(standing, executions)
    if not gone:
        return []
    log.warning(
        "[%s] ⚠ of order %s the broker lists other executions than it once reported: %d were taken"
        " back or corrected",
        order.strategy,
        order.client_order_id,
        len(gone),
    )
    return [
        replace(told, execution=instead, bust=_bust(wrong, now) if wrong else None)
        for wrong, instead in zip_longest(gone, new)
    ]


def _compared(
    ours: Iterable[Posting], theirs: Iterable[m.Execution]
) -> tuple[list[Posting], list[m.Execution]]:
    """The executions that only the books have, and those that only the broker lists."""
    gone, new = list[Posting](), list(theirs)
    for posting in ours:
        sums = posting.qty, posting.price
        alike = next((one for one in new if (one.qty, one.price) == sums), None)
        if alike is None:
            gone.append(posting)
        else:
            new.remove(alike)
    return gone, new


def _bust(posting: Posting, now: datetime) -> m.Bust:
    """No other bust has its name: the stream's of a correction is called after the correction."""
    name = posting.execution_id
    return m.Bust(f"unlisted.{name}", name, posting.qty, posting.price, now)
