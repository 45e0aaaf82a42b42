"""One look at the broker's account: what it holds, and what has moved it since the look before.

The account is asked for first and its movements after it, so that whatever the account shows is
among the movements, or an order of ours that is open can be the reason. Blocking; for one worker.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from coordinator.core import messages as m
from coordinator.core.books import Books
from coordinator.core.discrepancies import DiscrepancyKind, discrepancy_id
from coordinator.core.orders import OrderStatus
from coordinator.core.values import ZERO
from coordinator.errors import BrokerRejected
from coordinator.shell.broker import Broker
from coordinator.shell.fields import Malformed
from coordinator.shell.watchdog import Depth
from coordinator.shell.wire import Fill

log = logging.getLogger("coordinator")
OVERLAP = timedelta(minutes=2)
"""The list of executions may lag: each look goes back so far beyond the one before."""
FEE_DAYS = timedelta(days=6)
"""Fees and dividends carry dates and are posted later: asked for so far back from the last
session's opening, which had seen all that was posted by then."""


SHOWN = timedelta(seconds=8)
"""An execution may be listed before its order can be asked for; after so long it may have none."""
UNSEEN = (OrderStatus.SUBMITTED, OrderStatus.UNKNOWN)
"""States of an order that the broker may have, under an id that we do not know."""
SUMS = ("position", "cash")
"""Kinds of discrepancies that an execution that was listed late may be the reason of."""


class Looks:
    """Takes looks at one account. `books` are read, never changed."""

    def __init__(self, broker: Broker, books: Books, since: datetime) -> None:
        self._broker = broker
        self._books = books
        self._since = since
        self._owners: dict[str, m.OrderUpdate] = {}

    def take(self, version: int, depth: Depth) -> m.AccountSeen:
        """The account as it is now, asked for when the books had this version.

        Raises:
            BrokerError: it could not be asked; the next look covers this one's time.
        """
        now = self._broker.clock()
        cash, positions, number = None, {}, ""
        if depth is not Depth.ORDERS:
            account = self._broker.account()
            cash, number = account.cash, account.number
            positions = {held.symbol: held.qty for held in self._broker.positions()}
        open_orders = self._broker.open_orders()
        since = self._since_when(depth) - OVERLAP
        fills = [u for fill in self._broker.fills(since) for u in self._new(fill, now)]
        activities = self._activities(now) if depth is Depth.ACTIVITIES else ()
        self._since = now
        updates = (*open_orders, *fills)
        return m.AccountSeen(
            now=now,
            version=version,
            cash=cash,
            positions=positions,
            updates=updates,
            activities=activities,
            account=number,
        )

    def _since_when(self, depth: Depth) -> datetime:
        """From when on executions are asked for: all of the session's, where a difference stands
        that nothing has explained."""
        books = self._books
        stands = any(found.kind in SUMS for found in books.frozen.values())
        if depth is not Depth.ACTIVITIES or not stands or books.session is None:
            return self._since
        return min(self._since, books.session.at)

    def _new(self, fill: Fill, now: datetime) -> Iterator[m.OrderUpdate]:
        """The report of an execution that is not in the books yet, under its order's own id."""
        books = self._books
        if fill.execution.execution_id in books.posted.activities:
            return
        order = books.orders.at_broker(fill.order_id)
        one = fill.execution
        told = one.cum_qty, one.at, one.qty, one.price
        if order is not None and order.executions.has(*told):
            return
        if order is None:
            known = self._owner(fill, now)
            if known is None:
                return
            if books.posted.unowned(known.client_order_id).has(*told):
                return
            yield replace(known, execution=fill.execution)
            return
        yield m.OrderUpdate(
            client_order_id=order.client_order_id,
            broker_order_id=fill.order_id,
            symbol=order.symbol,
            side=order.side,
            status=fill.status,
            qty=order.qty,
            filled_qty=fill.execution.cum_qty,
            filled_avg_price=None,
            at=fill.execution.at,
            execution=fill.execution,
        )

    def _owner(self, fill: Fill, now: datetime) -> m.OrderUpdate | None:
        """The order of an execution, which is not ours by the broker's id; asked for once.

        None if the broker does not show it yet, or not so that it can be understood, or never:
        whose it is, a later look will tell, or a human. Nobody's is only what the books miss and no
        coordinator can have sent: the stream may have told of it, and whose it is.
        """
        if fill.order_id not in self._owners:
            try:
                found = self._broker.order_at(fill.order_id)
            except (BrokerRejected, Malformed) as error:
                log.error("the order of an execution of %s cannot be had: %s", fill.symbol, error)
                return None
            missed = discrepancy_id(DiscrepancyKind.POSITION, fill.symbol) in self._books.frozen
            young = now - fill.execution.at < SHOWN
            if found is None and (young or not missed or self._may_be_ours(fill)):
                return None
            self._owners[fill.order_id] = found or m.OrderUpdate(
                client_order_id=fill.order_id,
                broker_order_id=fill.order_id,
                symbol=fill.symbol,
                side=fill.side,
                status=fill.status,
                qty=fill.execution.cum_qty,
                filled_qty=ZERO,
                filled_avg_price=None,
                at=fill.execution.at,
            )
        return self._owners[fill.order_id]

    def _may_be_ours(self, fill: Fill) -> bool:
        """Whether the order that was executed can be one that a coordinator has sent."""
        books = self._books
        sent = [o for o in list(books.orders.open_on(fill.symbol)) if o.status in UNSEEN]
        return bool(sent) or books.neighbours.may_own(fill.order_id, fill.symbol)

    def _activities(self, now: datetime) -> tuple[m.Activity, ...]:
        try:
            return tuple(self._broker.activities((self._seen_until(now) - FEE_DAYS).date()))
        except BrokerRejected as refusal:
            log.warning("fees and dividends could not be asked for: %s", refusal)
            return ()

    def _seen_until(self, now: datetime) -> datetime:
        """When all that was posted was surely seen: nobody may have looked for weeks since."""
        books = self._books
        seen = books.session.at if books.session is not None else books.last_at
        return min(seen or now, now)
