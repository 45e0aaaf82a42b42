"""Finds executions that the broker took back or corrected while nobody was listening, by REST.

The stream reports this once, and only to clients that are connected at that moment. REST shows what
is left: how much of the order is filled, and of which executions that consists.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Container, Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import zip_longest

from coordinator.core import messages as m
from coordinator.core.books import Books
from coordinator.core.executions import OF_REST, Posting
from coordinator.core.orders import PHASE, Order, Phase
from coordinator.core.values import CENT, ZERO, exactly
from coordinator.errors import BrokerRejected
from coordinator.shell.broker import Broker
from coordinator.shell.evidence import FEW, gather
from coordinator.shell.fields import Malformed
from coordinator.shell.wire import Fill

log = logging.getLogger("coordinator")
SETTLED = timedelta(minutes=2)
"""The list of executions may lag: those of an order that ended so long ago are all on it."""


def unheard(
    broker: Broker,
    books: Books,
    listed: Iterable[Fill],
    since: datetime,
    now: datetime,
    told: Container[str] = (),
) -> list[m.OrderUpdate]:
    """Reports that take back what the books have of an order and the broker has no longer.

    `listed` are the account's executions after `since`. An order counts only if it has ended by the
    broker's word, too, and if the executions that are listed of it sum to what is filled of it. One
    that the broker does not show, or shows unreadable, stays as it is; so does one whose client
    order id is among those `told` of already.
    """
    theirs: dict[str, list[m.Execution]] = defaultdict(list)
    for fill in listed:
        theirs[fill.order_id].append(fill.execution)
    suspects: list[Order] = []
    for order in list(books.orders):  # at once: the loop may add to them meanwhile
        recent = [posting for posting in order.executions.standing() if posting.at > since]
        is_settled = order.phase is Phase.DONE and all(p.at < now - SETTLED for p in recent)
        was_sent = bool(order.broker_order_id)  # else it was matched with another strategy's
        if order.client_order_id in told:
            continue
        if was_sent and is_settled and _compared(recent, theirs[order.broker_order_id])[0]:
            suspects.append(order)
    batches = [suspects] if len(suspects) > FEW else [[order] for order in suspects]
    found = [relisted(broker, batch, now) for batch in batches]
    return [update for orders in found for updates in orders.values() for update in updates]


def relisted(
    broker: Broker, suspects: Sequence[Order], now: datetime
) -> dict[str, list[m.OrderUpdate]]:
    """By client order id, the reports on executions that the books have and REST lists no longer.

    The orders are asked about at once. One of which REST proves nothing now is left out.
    """
    try:
        known = gather(suspects, broker, _not_at_all, patient=())
    except (BrokerRejected, Malformed) as error:
        log.error("the broker could not be asked which executions it took back: %s", error)
        return {}
    found: dict[str, list[m.OrderUpdate]] = {}
    for order in suspects:
        reports = known.get(order.client_order_id, ())
        own = [told for told in reports if told.broker_order_id == order.broker_order_id]
        if _are_whole(own):
            found[order.client_order_id] = _differing(order, own, now)
    return found


def _are_whole(reports: Sequence[m.OrderUpdate]) -> bool:
    """Whether an order has ended, and its reports have all the executions that it is filled of."""
    if not reports or PHASE[reports[0].status] is not Phase.DONE:
        return False
    executed = sum((one.execution.qty for one in reports if one.execution), ZERO)
    return executed == reports[0].filled_qty


def _differing(
    order: Order, reports: Sequence[m.OrderUpdate], now: datetime
) -> list[m.OrderUpdate]:
    """What the reports on one order, one for each execution, say that the books have otherwise."""
    told, executions = reports[0], [one.execution for one in reports if one.execution]
    gone, new = _compared(order.executions.standing(), executions)
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


def _not_at_all(_: float) -> None:
    """Nothing is waited for: an order that the broker does not show stays as it is."""


def _compared(
    ours: Sequence[Posting], theirs: Iterable[m.Execution]
) -> tuple[list[Posting], list[m.Execution]]:
    """The executions that only the books have, and those that only the broker lists.

    The same id is the same execution, and so are the same sums. A list may round prices: of the
    rest, those that make less than a cent of difference are alike.
    """
    gone, new = list(ours), list(theirs)
    for are_same in (_have_one_id, _have_one_sum, _are_alike):
        for posting in list(gone):
            same = next((one for one in new if are_same(posting, one)), None)
            if same is not None:
                gone.remove(posting)
                new.remove(same)
    return gone, new


def _have_one_id(ours: Posting, theirs: m.Execution) -> bool:
    return ours.execution_id == theirs.execution_id


def _have_one_sum(ours: Posting, theirs: m.Execution) -> bool:
    return (ours.qty, ours.price) == (theirs.qty, theirs.price)


@exactly
def _are_alike(ours: Posting, theirs: m.Execution) -> bool:
    return ours.qty == theirs.qty and abs(ours.price - theirs.price) * ours.qty < CENT


def _bust(posting: Posting, now: datetime) -> m.Bust:
    """No other bust has its name: the stream's of a correction is called after the correction."""
    name = posting.execution_id
    return m.Bust(f"unlisted{OF_REST}{name}", name, posting.qty, posting.price, now)
