"""Which open orders are looked up at the broker, and when: soon at first, then ever more rarely.

Only after several look-ups in a row that do not find it does an order count as never arrived.
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
"""Local seconds between two look-ups of one order, at least, however fast the broker's clock."""
ABSENT_AFTER, QUIET = 5, timedelta(seconds=60)
"""Look-ups in a row that must not find an order, and broker time since it was sent, before it
counts as never arrived: longer than a request can be under way."""
STUCK = timedelta(minutes=2)
"""Broker time after which an order that neither fills nor ends is told of, once."""


@dataclass(slots=True)
class _Pursuit:
    """How often an open order was looked up, and when to do it next (local time).

    `sent_at` is the broker's time at which it had been sent at the latest, as far as is known.
    """

    due_s: float
    sent_at: datetime
    tries: int = 0
    not_found: int = 0
    told: bool = False


class Pursuits:
    """The open orders that are looked up until they have ended."""

    def __init__(
        self, books: Callable[[], Books], clock: BrokerClock, monotonic: Callable[[], float]
    ) -> None:
        self._books = books
        self._clock = clock
        self._monotonic = monotonic
        self._pursuits: dict[str, _Pursuit] = {}

    @property
    def due_s(self) -> float | None:
        """Local time at which the next one is due; None while there is none."""
        return min((pursuit.due_s for pursuit in self._pursuits.values()), default=None)

    def begin(self, client_order_id: str) -> None:
        """An order has left just now: look it up once it is late."""
        wait_s = self._clock.local_s(ORDER_DEADLINE_S, least_s=LEAST_WAIT_S)
        self._pursuits[client_order_id] = _Pursuit(self._monotonic() + wait_s, self._clock.now())

    def hasten(self, order: Order) -> None:
        """Look an order up at once the first time, then at its own pace."""
        pursuit = self._pursuits.setdefault(order.client_order_id, _Pursuit(0.0, order.decided_at))
        if not pursuit.tries:
            pursuit.due_s = 0.0

    def due(self) -> list[Order]:
        """The open orders to look up now; each waits longer for its next time."""
        now_s, orders = self._monotonic(), []
        for client_order_id, pursuit in list(self._pursuits.items()):
            order = self._books().orders.get(client_order_id)
            if order is None or not order.is_open:
                del self._pursuits[client_order_id]
            elif now_s >= pursuit.due_s:
                self._tell_if_stuck(order, pursuit)
                wait_s = min(2.0 ** min(pursuit.tries, 10), LONGEST_WAIT_S)
                pursuit.tries += 1
                pursuit.due_s = now_s + self._clock.local_s(
                    wait_s, least_s=min(wait_s, LEAST_WAIT_S)
                )
                orders.append(order)
        return orders

    def found(self, client_order_id: str) -> None:
        """The broker knows the order."""
        if (pursuit := self._pursuits.get(client_order_id)) is not None:
            pursuit.not_found = 0

    def missed(self, client_order_id: str, now: datetime) -> bool:
        """The broker does not know the order; whether it counts as never arrived by that."""
        pursuit = self._pursuits.get(client_order_id)
        if pursuit is None:
            return False
        pursuit.not_found += 1
        return pursuit.not_found >= ABSENT_AFTER and now - pursuit.sent_at >= QUIET

    def _tell_if_stuck(self, order: Order, pursuit: _Pursuit) -> None:
        if not pursuit.told and self._clock.now() - order.decided_at > STUCK:
            pursuit.told = True
            log.warning(
                "[%s] ⚠ order %s is %s since %s: it is asked for until the broker says more",
                order.strategy,
                order.client_order_id,
                order.status.value,
                order.decided_at,
            )
