"""A look at the broker's account: cash, positions, open orders, and what has moved them.

Cash and positions are read first, so that whatever moved them is among the movements read after
them, or belongs to an order of ours that is still open. Blocking; for one worker.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

from coordinator.core import messages as m
from coordinator.core.books import Books
from coordinator.core.discrepancies import DiscrepancyKind, discrepancy_id
from coordinator.core.orders import Order, OrderStatus, Phase
from coordinator.core.postings import FEE_DAYS
from coordinator.core.sequences import strategy_of
from coordinator.core.values import ZERO
from coordinator.errors import BrokerRejected
from coordinator.shell.account import Bars
from coordinator.shell.amends import relisted, unheard
from coordinator.shell.broker import Broker
from coordinator.shell.fields import Malformed
from coordinator.shell.watchdog import Depth
from coordinator.shell.wire import Fill

log = logging.getLogger("coordinator")
OVERLAP = timedelta(minutes=2)
"""The broker's list of executions may lag: each look begins so long before the last one."""
BACKDATED = timedelta(days=180)
"""How long before it is listed an activity may be dated: Alpaca's example of a dividend in shares
has a date three months before. So far back is asked only in doubt."""
SHOWN = timedelta(seconds=8)
"""REST may list an execution so long before it shows the order; later, it may have no order."""
UNSEEN = (OrderStatus.SUBMITTED, OrderStatus.UNKNOWN)
"""States of an order that the broker may have under an id that we do not know yet."""
SUMS = DiscrepancyKind.POSITION, DiscrepancyKind.CASH
"""Kinds of discrepancies that an execution listed late can explain."""


class Looks:
    """Takes looks at one account. `books` are read, never changed.

    `doubtful` books differ from the account though all that is listed was booked: each look asks
    what of theirs the broker has no longer.
    """

    def __init__(
        self, broker: Broker, books: Books, since: datetime, *, doubtful: bool = False
    ) -> None:
        self._broker = broker
        self._books = books
        self._since = since
        self._doubtful = doubtful
        self._bars = Bars()
        self._owners: dict[str, m.OrderUpdate] = {}
        self._replaced: list[m.OrderUpdate] = []
        """Orders that the next answer reports because a human replaced them."""

    def take(self, version: int, depth: Depth) -> m.AccountSeen:
        """The account as it is now; `version` is that of the books when the look was asked for.

        Raises:
            BrokerError: the broker did not answer; the next look covers this one's time.
        """
        now = self._broker.clock()
        cash, positions, number = None, {}, ""
        set_aside: tuple[Decimal, ...] = ()
        if depth is not Depth.ORDERS:
            account = self._broker.account()
            self._bars.tell(account, list(self._books.last_bar))
            cash, number, set_aside = account.cash, account.number, account.set_aside
            positions = {held.symbol: held.qty for held in self._broker.positions()}
        open_orders = self._broker.open_orders()
        doubtful = self._differs(depth)
        in_doubt = doubtful or self._doubtful
        since = self._executions_since(doubtful) - OVERLAP
        listed = self._broker.fills(since)
        fills = self._new(listed, now)
        if in_doubt:
            told = {update.client_order_id for update in fills if update.bust}
            fills += unheard(self._broker, self._books, listed, since, now, told)
        activities = self._activities(now, in_doubt) if depth is Depth.ACTIVITIES else ()
        self._since = now
        updates = (*open_orders, *self._replaced, *fills)
        self._replaced = []
        return m.AccountSeen(
            now=now,
            version=version,
            cash=cash,
            positions=positions,
            updates=updates,
            activities=activities,
            account=number,
            set_aside=set_aside,
        )

    def _new(self, listed: Iterable[Fill], now: datetime) -> list[m.OrderUpdate]:
        """The reports of listed executions that are not in the books.

        What is listed of an order that has ended, and of which something was taken back, may stand
        in the place of another execution: the whole order is compared. While that proves nothing,
        it is not reported; the difference that it leaves has a later look ask again.
        """
        new, restated = list[m.OrderUpdate](), dict[str, Order]()
        for fill in listed:
            if (update := self._unbooked(fill, now)) is None:
                continue
            new.append(update)
            order = self._books.orders.at_broker(fill.order_id)
            if order is not None and order.corrected and order.phase is Phase.DONE:
                restated[order.client_order_id] = order
        if not restated:
            return new
        amended = relisted(self._broker, list(restated.values()), now)
        complete = {name for name, updates in amended.items() if not updates}
        held_back = restated.keys() - complete
        instead = [update for updates in amended.values() for update in updates]
        return [*(u for u in new if u.client_order_id not in held_back), *instead]

    def _differs(self, depth: Depth) -> bool:
        """Whether the look is a deep one, and a difference is unexplained."""
        found = list(self._books.frozen.values())  # at once: the loop may add to them meanwhile
        differs = any(discrepancy.is_of(*SUMS) for discrepancy in found)
        return depth is Depth.ACTIVITIES and differs

    def _executions_since(self, doubtful: bool) -> datetime:
        """The time of the last look, or the session's opening if the books are in doubt."""
        opened = self._books.session
        if not doubtful or opened is None:
            return self._since
        return min(self._since, opened.at)

    def _unbooked(self, fill: Fill, now: datetime) -> m.OrderUpdate | None:
        """The report of an execution, under its order's own id; None if it is in the books."""
        execution, books = fill.execution, self._books
        if execution.execution_id in books.posted.activities:
            return None
        key = execution.cum_qty, execution.at, execution.qty, execution.price
        order = books.orders.at_broker(fill.order_id)
        if order is None:
            if books.neighbours.orders.at_broker(fill.order_id) is not None:
                return None  # another coordinator books it
            known = self._owner(fill, now)
            if known is None or books.posted.unowned(known.client_order_id).has(*key):
                return None
            return replace(known, execution=execution)
        if order.executions.has(*key):
            return None
        return m.OrderUpdate(
            client_order_id=order.client_order_id,
            broker_order_id=fill.order_id,
            symbol=order.symbol,
            side=order.side,
            status=self._status(fill, order),
            qty=order.qty,
            filled_qty=execution.cum_qty,
            filled_avg_price=None,
            at=execution.at,
            execution=execution,
        )

    def _status(self, fill: Fill, order: Order) -> OrderStatus:
        """The status of an execution's order.

        If the order was replaced, the list does not say by which: until its own report has said it,
        the order is as the books have it, or it would count as ended.
        """
        if fill.status is not OrderStatus.REPLACED or order.phase is Phase.DONE:
            return fill.status
        if all(told.broker_order_id != fill.order_id for told in self._replaced):
            try:
                told = self._broker.order_at(fill.order_id)
            except (BrokerRejected, Malformed) as error:
                log.error("what replaced %s cannot be asked for: %s", order.client_order_id, error)
                told = None
            self._replaced += [told] if told else []
        return order.status

    def _owner(self, fill: Fill, now: datetime) -> m.OrderUpdate | None:
        """The order of an execution, whose broker id we do not know; asked for once.

        None while the broker does not show it, or shows it unreadable: a later look, or a human,
        will say who sent it. It counts as nobody's only if the books miss the execution and no
        coordinator can have sent the order: else the stream may have reported both.
        """
        if fill.order_id not in self._owners:
            try:
                found = self._broker.order_at(fill.order_id)
                if found is not None and found.replaces:
                    return self._traced(found)
            except (BrokerRejected, Malformed) as error:
                log.error("the order of an execution of %s cannot be had: %s", fill.symbol, error)
                return None
            young = now - fill.execution.at < SHOWN
            if found is None and (young or not self._is_missed(fill) or self._may_be_ours(fill)):
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

    def _traced(self, order: m.OrderUpdate) -> m.OrderUpdate | None:
        """Follow what an order replaced back to an order that the books know, or to the first one.

        If no coordinator sent that one, the order is nobody's. If one did, the orders in between
        are reported before it. None while the broker does not show one of them.
        """
        line = [order]
        while line[0].replaces and not self._knows(line[0].replaces):
            before = self._broker.order_at(line[0].replaces)
            if before is None:
                return None
            line.insert(0, before)
            if self._sent(before.client_order_id):
                break
        if not (line[0].replaces or self._sent(line[0].client_order_id)):
            return self._owners.setdefault(order.broker_order_id, replace(order, replaces=""))
        self._replaced += line[:-1]
        return order

    def _knows(self, broker_order_id: str) -> bool:
        every = self._books.all_orders
        return any(orders.at_broker(broker_order_id) is not None for orders in every)

    def _sent(self, client_order_id: str) -> bool:
        """Whether a coordinator sent the order of this id, maybe since these books were read."""
        books = self._books
        named = strategy_of(client_order_id) in books.ledger
        return named or any(client_order_id in orders for orders in books.all_orders)

    def _is_missed(self, fill: Fill) -> bool:
        """Whether the books' position is known to differ in the direction of this execution, and
        none like it was booked, as the stream may have reported it."""
        name, one = discrepancy_id(DiscrepancyKind.POSITION, fill.symbol), fill.execution
        found = self._books.frozen.get(name)
        differs = found is not None and found.off * fill.side.sign > 0
        return differs and not self._books.posted.has_alike(one.at, one.qty, one.price)

    def _may_be_ours(self, fill: Fill) -> bool:
        """Whether a coordinator can have sent the order of this execution."""
        books = self._books
        open_now = list(books.orders.open_on(fill.symbol))  # at once, as above
        sent = any(order.status in UNSEEN or order.successor for order in open_now)
        return sent or books.neighbours.may_own(fill.order_id, fill.symbol)

    def _activities(self, now: datetime, in_doubt: bool) -> tuple[m.Activity, ...]:
        """The activities that the books may lack; in doubt also those of dates of long ago, if they
        were listed only since all was seen."""
        since = self._seen_until(now) - FEE_DAYS
        first = since - BACKDATED if in_doubt else since
        try:
            listed = self._broker.activities(first.date())
        except BrokerRejected as refusal:
            log.warning("fees and dividends could not be asked for: %s", refusal)
            return ()
        if not in_doubt:
            return tuple(listed)
        seen = self._seen_until(now)
        return tuple(
            one
            for one in listed
            if one.is_void
            or self._books.posted.reversible.of(one.takes_back)
            or one.day > since.date()
            or (one.at is not None and one.at > seen)
        )

    def _seen_until(self, now: datetime) -> datetime:
        """The time up to which all postings have surely been seen; it may be weeks ago."""
        books = self._books
        seen = books.session.at if books.session is not None else books.posted.adopted_at
        return min(seen or now, now)
