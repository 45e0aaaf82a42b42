"""Busts and corrections of executions.

Rule: the newest execution is amended, so that nothing later counts on it. An order that has ended
stays ended; one that still rests has more to fill. `venue.executions` and the FILL activities list
what stands; only the stream reports the amendment itself.
"""

from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from simulator.ledger import crypto_fees
from simulator.money import ZERO, exact
from simulator.values import Execution, Order, OrderStatus, Update
from simulator.venue import Venue


def bust(venue: Venue, symbol: str | None, now: datetime) -> bool:
    """Take back the last execution (of the symbol); returns whether there was one."""
    old = _last(venue, symbol)
    if old is None:
        return False
    venue.ledger.amend(old, None)
    venue.executions.remove(old)
    position = venue.ledger.qty(old.symbol)
    busted = replace(old, id=venue.ids(), cum_qty=old.cum_qty - old.qty, position_qty=position)
    order = _amended(venue.orders.find(old.order_id), old, None, now)
    venue.restate(order, Update("trade_bust", order, now, busted, amends=old.id))
    return True


def correct(
    venue: Venue, symbol: str | None, price: Decimal | None, qty: Decimal | None, now: datetime
) -> bool:
    """Give the last execution (of the symbol) another price or quantity.

    A quantity larger than the order's is cut to that. Returns whether there was an execution.
    """
    old = _last(venue, symbol)
    if old is None:
        return False
    new = _corrected(venue, old, price or old.price, qty or old.qty)
    venue.ledger.amend(old, new)
    new = replace(new, position_qty=venue.ledger.qty(old.symbol))
    venue.executions[venue.executions.index(old)] = new
    order = _amended(venue.orders.find(old.order_id), old, new, now)
    venue.restate(order, Update("trade_correct", order, now, new, amends=old.id))
    return True


def _last(venue: Venue, symbol: str | None) -> Execution | None:
    fitting = (fill for fill in reversed(venue.executions) if symbol in (None, fill.symbol))
    return next(fitting, None)


@exact
def _corrected(venue: Venue, old: Execution, price: Decimal, qty: Decimal) -> Execution:
    order = venue.orders.find(old.order_id)
    before = old.cum_qty - old.qty
    if order.ticket.qty is not None:
        qty = min(qty, order.ticket.qty - before)
    fee_qty, fee_cash = crypto_fees(old.symbol, old.side, qty, price, venue.fee_rate)
    leaves = max(ZERO, old.leaves_qty + old.qty - qty) if order.status.is_open else old.leaves_qty
    return replace(
        old,
        id=venue.ids(),
        activity_id=f"{old.activity_id.partition('::')[0]}::{venue.ids()}",
        qty=qty,
        price=price,
        fee_qty=fee_qty,
        fee_cash=fee_cash,
        cum_qty=before + qty,
        leaves_qty=leaves,
    )


@exact
def _amended(order: Order, old: Execution, new: Execution | None, now: datetime) -> Order:
    """The order with one of its executions replaced, or removed."""
    qty, cost = order.filled_qty - old.qty, order.filled_cost - old.qty * old.price
    if new is not None:
        qty, cost = qty + new.qty, cost + new.qty * new.price
    after = replace(order, filled_qty=qty, filled_cost=cost, updated_at=now)
    return replace(after, status=_status(after)) if order.status.is_open else after


def _status(order: Order) -> OrderStatus:
    if order.remaining() == 0:
        return OrderStatus.FILLED
    return OrderStatus.PARTIALLY_FILLED if order.filled_qty else OrderStatus.NEW
