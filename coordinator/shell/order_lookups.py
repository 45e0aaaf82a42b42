"""When open orders are looked up at the broker: soon at first, then at growing intervals.

An order counts as never arrived only after several look-ups in a row that do not find it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from coordinator.core.books import Books
from coordinator.core.orders import Order
from coordinator.shell.clock import BrokerClock

log = logging.getLogger("coordinator")
ORDER_DEADLINE_S = 10.0
"""Broker seconds after which an order that is still open is looked up."""
LONGEST_WAIT_S = 60.0
"""Broker seconds between two look-ups of one order, at most."""
LEAST_WAIT_S = 0.5
"""Local seconds between two look-ups of one order, at least, however fast the broker's clock is."""
ABSENT_AFTER, QUIET = 5, timedelta(seconds=60)
"""Failed look-ups in a row, and broker time since it was sent, before an order counts as never
arrived: longer than a request can be under way."""
STUCK = timedelta(minutes=2)
"""Broker time after which an order that neither fills nor ends is warned of, once."""


@dataclass(slots=True)
class _Lookup:
    """How often an open order was looked up, and when to do it next (local time).

    `sent_at` is the broker time by which it was sent, as far as is known.
    """

    due_s: float
    sent_at: datetime
    tries: int = 0
    not_found: int = 0
    warned: bool = False


class OrderLookups:
    """The open orders that are looked up until they have ended."""

    def __init__(self, books: Books, clock: BrokerClock, monotonic: Callable[[], float]) -> None:
        self._books = books
        self._clock = clock
        self._monotonic = monotonic
        self._lookups: dict[str, _Lookup] = {}

    @property
    def due_s(self) -> float | None:
        """Local time at which the next one is due; None while there is none."""
        return min((lookup.due_s for lookup in self._lookups.values()), default=None)

    def begin(self, client_order_id: str) -> None:
        """An order was just sent: look it up once it is overdue."""
        wait_s = self._clock.local_s(ORDER_DEADLINE_S, least_s=LEAST_WAIT_S)
        self._lookups[client_order_id] = _Lookup(self._monotonic() + wait_s, self._clock.now())

    def hasten(self, order: Order) -> None:
        """Look an order up at once the first time, then at its own pace."""
        lookup = self._lookups.setdefault(order.client_order_id, _Lookup(0.0, order.decided_at))
        if not lookup.tries:
            lookup.due_s = 0.0

    def due(self) -> list[Order]:
        """The open orders to look up now; each waits longer for its next look-up."""
        now_s, orders = self._monotonic(), []
        for client_order_id, lookup in list(self._lookups.items()):
            order = self._books.orders.get(client_order_id)
            if order is None or not order.is_open:
                del self._lookups[client_order_id]
            elif now_s >= lookup.due_s:
                self._warn_if_stuck(order, lookup)
                wait_s = min(2.0 ** min(lookup.tries, 10), LONGEST_WAIT_S)
                lookup.tries += 1
                lookup.due_s = now_s + self._clock.local_s(
                    wait_s, least_s=min(wait_s, LEAST_WAIT_S)
                )
                orders.append(order)
        return orders

    def missed(self, client_order_id: str, now: datetime) -> bool:
        """The broker does not know the order; returns whether it counts as never arrived."""
        lookup = self._lookups.get(client_order_id)
        if lookup is None:
            return False
        lookup.not_found += 1
        return lookup.not_found >= ABSENT_AFTER and now - lookup.sent_at >= QUIET

    def _warn_if_stuck(self, order: Order, lookup: _Lookup) -> None:
        if not lookup.warned and self._clock.now() - order.decided_at > STUCK:
            lookup.warned = True
            log.warning(
                "[%s] ⚠ order %s is %s since %s: it is asked for until the broker says more",
                order.strategy,
                order.client_order_id,
                order.status.value,
                order.decided_at,
            )
