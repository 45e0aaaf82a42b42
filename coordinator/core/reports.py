"""Books what the broker reports on orders: each execution once, in the one book that owns it.

The client order id says whose an order is; an order that a human put in the place of one of ours is
ours. What no strategy ordered goes to UNASSIGNED. Nothing is decided here: when an order has ended,
the desk goes on.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from coordinator.core import messages as m
from coordinator.core import records as r
from coordinator.core.desk import OrderDesk
from coordinator.core.executions import OF_REST, Executions, Posting
from coordinator.core.fees import fees
from coordinator.core.orders import Order, OrderStatus, may_move
from coordinator.core.sequences import pass_over, strategy_of
from coordinator.core.values import UNASSIGNED


class Reports:
    """Takes the broker's reports on orders. Call inside the EXACT decimal context."""

    def __init__(self, desk: OrderDesk, crypto_fee_rate: Decimal) -> None:
        self._desk = desk
        self._books = desk.books
        self._fee_rate = crypto_fee_rate

    def on_update(self, update: m.OrderUpdate) -> None:
        """Take a report on an order, from the stream or from REST."""
        order = self._books.orders.get(update.client_order_id) or self._adopted(update)
        if order is None or (order.never_at_broker and not _fits(order, update)):
            self._on_foreign(update)
            return
        if not _fits(order, update):
            self._desk.blotter.command(m.LookUpOrder(order.client_order_id))
            return
        if update.symbol != order.symbol:
            update = replace(update, symbol=order.symbol)
        was_open, reported, booked = order.is_open, order.reported_qty, order.booked_qty
        was_replaced = order.successor
        self._book_missing(update, order)
        self._post(update, order, order.executions)
        if _is_news(order, reported, update):
            self._desk.blotter.record(
                r.OrderMoved(
                    at=update.at,
                    client_order_id=order.client_order_id,
                    status=update.status if may_move(order.status, update.status) else order.status,
                    broker_order_id=update.broker_order_id,
                    filled_qty=update.filled_qty,
                    filled_avg_price=update.filled_avg_price,
                    submitted_at=update.submitted_at,
                    reason=update.reason,
                    replaced_by=self._successor(update),
                )
            )
        reopened = order.is_open and not was_open
        if order.misses_fills or reopened or order.successor != was_replaced:
            self._desk.blotter.command(m.LookUpOrder(order.client_order_id))
        if was_open or order.booked_qty != booked:
            self._desk.settle(order, update.at)

    def on_refused(self, message: m.SubmitRefused) -> None:
        """Note that the broker refused an order; sell what it has available of a sale."""
        self._desk.refuse(message.client_order_id, message.reason, message.available, message.at)

    def on_unclear(self, message: m.SubmitUnclear) -> None:
        """Note that an order's fate is unknown; only the broker's evidence will end that."""
        self._desk.move(message.client_order_id, OrderStatus.UNKNOWN, message.reason, message.at)
        self._desk.blotter.command(m.LookUpOrder(message.client_order_id))

    def on_absent(self, message: m.OrderAbsent) -> None:
        """Give up an order that the broker, asked for long enough, still does not know."""
        self._desk.give_up(message.client_order_id, message.at)

    def _adopted(self, update: m.OrderUpdate) -> Order | None:
        """Adopt the order if a human put it in the place of one of ours; None if not."""
        old = self._books.orders.at_broker(update.replaces) if update.replaces else None
        if old is None:
            return None
        self._desk.blotter.record(
            r.OrderAdopted(
                update.at,
                update.client_order_id,
                old.client_order_id,
                update.broker_order_id,
                update.qty,
            )
        )
        return self._books.order(update.client_order_id)

    def _successor(self, update: m.OrderUpdate) -> str:
        """The broker's id of the order that replaced this one, while that one is not ours."""
        replaced = update.status is OrderStatus.REPLACED and update.replaced_by
        return replaced if replaced and self._books.orders.at_broker(replaced) is None else ""

    def _on_foreign(self, update: m.OrderUpdate) -> None:
        """Take a report on an order that is not ours, but another coordinator's or a human's.

        A human may have chosen an id that would be ours next.
        """
        owner = strategy_of(update.client_order_id)
        if owner in self._books.days:
            pass_over(self._books.sequences, update.client_order_id)
        elif owner in self._books.neighbours.strategies:
            return
        if self._books.neighbours.took_over(update.client_order_id, update.replaces):
            return
        if self._books.posted.unowned(update.broker_order_id).postings:  # the only id known then
            update = replace(update, client_order_id=update.broker_order_id)
        known = self._books.posted.unowned(update.client_order_id)
        if update.replaces and not known.postings and self._may_be_ours(update):
            return  # a look will tell: it asks the broker what was replaced
        self._post(update, None, known)

    def _may_be_ours(self, update: m.OrderUpdate) -> bool:
        """Whether an order that replaced an unknown one may descend from a coordinator's: that one
        stays open, with the same side, while a report on what replaced it is missing."""
        every = self._books.all_orders
        on_ticker = (order for orders in every for order in orders.open_on(update.symbol))
        return any(order.side is update.side for order in on_ticker)

    def _book_missing(self, update: m.OrderUpdate, order: Order) -> None:
        """Book the execution that a bust takes back, if it is missing and will not be reported.

        REST lists no busted execution, so the order would miss for ever what it was reported to
        have filled.
        """
        bust = update.bust
        if bust is None or order.corrected or order.reported_qty - order.booked_qty < bust.qty:
            return
        if _busted(bust, order.executions, update.execution) is None:
            name = bust.previous_id or f"of.{bust.execution_id}"
            cum_qty = update.filled_qty + bust.qty
            missing = m.Execution(name, bust.qty, bust.price, cum_qty, bust.at)
            self._desk.blotter.record(self._fill(update, missing, order.strategy, ""))

    def _post(self, update: m.OrderUpdate, order: Order | None, known: Executions) -> None:
        """Reverse the execution that a report busts, and book the one that it brings.

        `known` are the booked executions of its order, which is None if no strategy owns it.
        """
        busted = self._take_back(update, known)
        if update.execution is None or (update.bust is not None and busted is None):
            return  # nothing new, or a correction of what is not in the books
        owner = order.strategy if order else UNASSIGNED
        strategy, instead_of = (busted.strategy, busted.execution_id) if busted else (owner, "")
        fill = self._fill(update, update.execution, strategy, instead_of)
        if not self._books.posted.has(fill, order):
            self._desk.blotter.record(fill)

    def _fill(
        self, update: m.OrderUpdate, execution: m.Execution, strategy: str, instead_of: str
    ) -> r.FillBooked:
        fee, fee_qty = fees(
            update.symbol, update.side, execution.qty, execution.price, self._fee_rate
        )
        return r.FillBooked(
            at=execution.at,
            execution_id=execution.execution_id,
            client_order_id=update.client_order_id,
            strategy=strategy,
            symbol=update.symbol,
            side=update.side,
            qty=execution.qty,
            price=execution.price,
            fee=fee,
            fee_qty=fee_qty,
            cum_qty=execution.cum_qty,
            reverses=instead_of,
            broker_order_id=_unowned_id(update, strategy),
        )

    def _take_back(self, update: m.OrderUpdate, known: Executions) -> Posting | None:
        """Reverse a busted execution in the book that has it; one that is in none is left alone."""
        bust = update.bust
        busted = _busted(bust, known, update.execution) if bust is not None else None
        if bust is None or busted is None:
            return None
        reversal = r.FillBooked(
            at=bust.at,
            execution_id=bust.execution_id,
            client_order_id=update.client_order_id,
            strategy=busted.strategy,
            symbol=update.symbol,
            side=update.side,
            qty=-busted.qty,
            price=busted.price,
            fee=-busted.fee,
            fee_qty=-busted.fee_qty,
            cum_qty=update.filled_qty,
            reverses=busted.execution_id,
            broker_order_id=_unowned_id(update, busted.strategy),
        )
        order = self._books.orders.of(busted.strategy, reversal.client_order_id, reversal.reverses)
        if not self._books.posted.has(reversal, order):
            self._desk.blotter.record(reversal)
        return busted


def _busted(bust: m.Bust, known: Executions, instead: m.Execution | None) -> Posting | None:
    """The booked execution that a bust takes back: the one it names, else the last one from REST,
    which has ids of its own, of the same quantity and price.

    One that the stream reported under another id is not meant: the one that is was never reported.
    Nor is one that equals `instead`, because REST listed the correction first. None is, if one like
    it was taken back by REST's word (`shell/amends.py`), which may have meant that one: if there is
    another, REST will say so.
    """
    standing, sums = known.standing(), (bust.qty, bust.price)
    by_rest = (p for p in known.postings if OF_REST in p.execution_id and p.qty < 0)
    if OF_REST not in bust.execution_id and any((-p.qty, p.price) == sums for p in by_rest):
        return None
    if any(posting.execution_id == bust.previous_id for posting in known.postings):
        return next((p for p in standing if p.execution_id == bust.previous_id), None)
    rest = [p for p in standing if OF_REST in p.execution_id]
    right = (instead.qty, instead.price, instead.cum_qty) if instead else None
    alike = [
        p
        for p in rest
        if (p.qty, p.price) == (bust.qty, bust.price) and (p.qty, p.price, p.cum_qty) != right
    ]
    return alike[-1] if alike else None


def _unowned_id(update: m.OrderUpdate, strategy: str) -> str:
    """The broker's id of the order, if it is in no strategy's book; of others, the order has it."""
    return update.broker_order_id if strategy == UNASSIGNED else ""


def _fits(order: Order, update: m.OrderUpdate) -> bool:
    """Whether a report fits this order. The broker writes a pair with and without '/'."""
    symbols = (order.symbol.replace("/", ""), update.symbol.replace("/", ""))
    same = update.side is order.side and symbols[0] == symbols[1]
    return same and update.qty == order.qty  # a human's order in dollars has none


def _is_news(order: Order, reported: Decimal, update: m.OrderUpdate) -> bool:
    return (
        may_move(order.status, update.status)
        or (update.filled_qty > reported and not order.corrected)
        or bool(update.broker_order_id and not order.broker_order_id)
    )
