"""The venue: takes orders, leads each through its life, and reports what happened.

What the account allows is computed in `account.py`, what a bar lets execute in `executor.py`.

Rule: values in, values out. Each call is given the `Market` (what the clock, the calendar and the
tape say at that moment); nothing here reads a clock, a file or a random number. What happened is
collected as `Update`s, in order, until `take_updates`.

An order's life: `submit` checks and stores it (pending_new, or accepted while the exchange is
closed); `work` makes it live and matches it against the last close; `on_bars` matches what rests
against each new bar; `turn` makes stock orders live or expire as trading begins and ends. Overnight
(20:00 to 04:00 in New York) nothing trades here: an order for extended hours waits for 04:00.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from simulator.account import Account
from simulator.errors import invalid, malformed
from simulator.executor import Executor
from simulator.fills import FillModel
from simulator.ledger import CRYPTO_FEE_RATE, Ledger
from simulator.market import Market
from simulator.matching import Match, match_bar, match_quote
from simulator.money import exact
from simulator.order_table import OrderTable
from simulator.rules import check_size
from simulator.values import (
    Bar,
    Execution,
    Order,
    OrderStatus,
    Ticket,
    TimeInForce,
    Update,
)


class Venue:
    """The orders of one account at one broker.

    cash: dollars at the start. ids: gives a new unique id at each call. cash_decimals: as the
    ledger takes it. fee_rate: of crypto, a fraction.
    """

    def __init__(
        self,
        cash: Decimal,
        model: FillModel,
        ids: Callable[[], str],
        cash_decimals: int | None = None,
        fee_rate: Decimal = CRYPTO_FEE_RATE,
    ) -> None:
        self.ledger = Ledger(cash, cash_decimals)
        self.orders = OrderTable()
        self.account = Account(self.ledger, self.orders)
        self.executions: list[Execution] = []
        self.model = model
        self.ids = ids
        self.fee_rate = fee_rate
        self._executor = Executor(model, self.ledger.qty, ids, fee_rate)
        self._arrivals: list[str] = []  # ids that `work` has not made live yet
        self._updates: list[Update] = []

    def submit(self, ticket: Ticket, market: Market) -> Order:
        """Check and store an order; it fills in `work` at the earliest. Raises Rejection."""
        order = self._admit(ticket, market, ignoring=None)
        self.orders.put(order)
        self._arrivals.append(order.id)
        return order

    def work(self, market: Market) -> None:
        """Make arrived orders live and match them against the last close."""
        arrivals, self._arrivals = self._arrivals, []
        for order_id in arrivals:
            order = self.orders.find(order_id)
            if not order.status.is_open:
                continue
            arrived = replace(order, status=OrderStatus.PENDING_NEW)
            self._updates.append(Update("pending_new", arrived, market.now))
            if market.may_trade(order.ticket):
                self._enliven(order, market)
            elif order.ticket.time_in_force is TimeInForce.IOC:
                self._finish(order, OrderStatus.CANCELED, market.now)
            else:
                self._change(order, "accepted", market.now, status=OrderStatus.ACCEPTED)

    def on_bars(self, bars: Sequence[Bar], market: Market) -> None:
        """Match resting orders against bars that are about to become known."""
        by_symbol = {bar.symbol: bar for bar in bars}
        for order in self.orders.open():
            bar = by_symbol.get(order.symbol)
            if bar is None or order.status is OrderStatus.PENDING_NEW:
                continue
            if market.may_trade(order.ticket, bar.start):
                self._meet(order, match_bar(order, bar, self.model), bar, market.now)

    def turn(self, market: Market) -> None:
        """Trading begins or ends: orders that waited for it become `new`, a day's orders expire."""
        for order in self.orders.open():
            is_day = order.ticket.time_in_force is TimeInForce.DAY
            if is_day and order.expires_at is not None and order.expires_at <= market.now:
                self._finish(order, OrderStatus.EXPIRED, market.now)
                continue
            waits = order.status is OrderStatus.ACCEPTED and order.id not in self._arrivals
            if waits and market.may_trade(order.ticket):
                self._change(order, "new", market.now, status=OrderStatus.NEW)

    def cancel(self, order_id: str, now: datetime) -> Order:
        """Cancel an open order; 404 if there is none, 422 if it has ended."""
        order = self.orders.find(order_id)
        if not order.status.is_open:
            raise invalid(f'order is already in "{order.status.value}" state')
        return self._finish(replace(order, cancel_requested_at=now), OrderStatus.CANCELED, now)

    def replace(self, order_id: str, ticket: Ticket, market: Market) -> Order:
        """Put `ticket` in the place of an open order, under a new id. Raises Rejection."""
        old = self.orders.find(order_id)
        if not old.status.is_replaceable:
            raise invalid(f"cannot replace order in {old.status.value} status")
        if old.ticket.notional is not None:
            raise invalid("notional orders cannot be replaced")
        if ticket.qty is None or ticket.qty <= old.filled_qty:
            raise invalid("qty must be greater than the quantity already filled")
        rest = replace(ticket, qty=ticket.qty - old.filled_qty)
        new = replace(self._admit(rest, market, ignoring=old.id), replaces=old.id)
        self._finish(replace(old, replaced_by=new.id), OrderStatus.REPLACED, market.now)
        self.orders.put(new)
        self._arrivals.append(new.id)
        return new

    def restate(self, order: Order, update: Update) -> None:
        """Store an order's new state, and queue the update that reports it."""
        self.orders.put(order)
        self._updates.append(update)

    def take_updates(self) -> list[Update]:
        """What happened since the last call, in order."""
        taken, self._updates = self._updates, []
        return taken

    @exact
    def _admit(self, ticket: Ticket, market: Market, ignoring: str | None) -> Order:
        """An order checked against the account, not stored yet."""
        if self.orders.knows_client(ticket.client_order_id):
            raise malformed("client_order_id must be unique")
        bar = market.last(ticket.symbol)
        if bar is None:
            raise invalid(f'no market data is known for asset "{ticket.symbol}"')
        price = ticket.limit_price or ticket.stop_price or self.model.price(ticket.side, bar.close)
        check_size(ticket, price)
        opens, hold_price = self.account.admit(ticket, price, bar, market, ignoring)
        live = market.may_trade(ticket)
        return Order(
            id=self.ids(),
            sequence=len(self.orders) + 1,
            ticket=ticket,
            status=OrderStatus.PENDING_NEW if live else OrderStatus.ACCEPTED,
            created_at=market.now,
            updated_at=market.now,
            opens=opens,
            hold_price=hold_price,
            expires_at=market.expiry(ticket),
        )

    def _enliven(self, order: Order, market: Market) -> None:
        order = self._change(order, "new", market.now, status=OrderStatus.NEW)
        bar = market.quote(order.ticket)
        if bar is not None:
            order = self._meet(order, match_quote(order, bar.close, self.model), bar, market.now)
        if order.ticket.time_in_force is TimeInForce.IOC and order.status.is_open:
            self._finish(order, OrderStatus.CANCELED, market.now)

    def _meet(self, order: Order, match: Match, bar: Bar, now: datetime) -> Order:
        """Match an order against a bar, and book what executes."""
        after, fill = self._executor.execute(order, match, bar, now)
        if fill is None:
            if after is not order:
                self.orders.put(after)
            return after
        self.ledger.book(fill)
        self.executions.append(fill)
        event = "fill" if fill.is_final else "partial_fill"
        self.restate(after, Update(event, after, now, fill))
        return after

    def _change(self, order: Order, event: str, now: datetime, **fields: Any) -> Order:
        after = replace(order, updated_at=now, **fields)
        self.restate(after, Update(event, after, now))
        return after

    def _finish(self, order: Order, status: OrderStatus, now: datetime) -> Order:
        moments: dict[OrderStatus, str] = {
            OrderStatus.CANCELED: "canceled_at",
            OrderStatus.EXPIRED: "expired_at",
            OrderStatus.REPLACED: "replaced_at",
        }
        return self._change(order, status.value, now, status=status, **{moments[status]: now})
