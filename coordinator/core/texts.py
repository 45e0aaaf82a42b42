"""Writes the JSON of the most frequent records, field by field.

Each text is exactly what `codec` makes of a record by walking its fields, at a twentieth of the
cost. A value that is not of its field's type raises an AttributeError, KeyError or TypeError, and
the record is left to the walk.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from json.encoder import encode_basestring as _quoted
from typing import Any

from coordinator.core.records import FillBooked, OrderIntended, OrderMoved

_exact = Decimal.__str__
_TRUTH = {True: "true", False: "false"}


def _order_intended(order: OrderIntended, at: str) -> str:
    return (
        f'{{"at":"{at}","client_order_id":{_quoted(order.client_order_id)}'
        f',"strategy":{_quoted(order.strategy)},"symbol":{_quoted(order.symbol)}'
        f',"side":"{order.side._value_}","qty":"{_exact(order.qty)}"'
        f',"decision_price":"{_exact(order.decision_price)}"'
        f',"reason":"{order.reason._value_}","released":{_TRUTH[order.released]}}}'
    )


def _order_moved(moved: OrderMoved, at: str) -> str:
    price, submitted = moved.filled_avg_price, moved.submitted_at
    priced = "null" if price is None else f'"{_exact(price)}"'
    sent = "null" if submitted is None else f'"{submitted.isoformat()}"'
    return (
        f'{{"at":"{at}","client_order_id":{_quoted(moved.client_order_id)}'
        f',"status":"{moved.status._value_}","broker_order_id":{_quoted(moved.broker_order_id)}'
        f',"filled_qty":"{_exact(moved.filled_qty)}","filled_avg_price":{priced}'
        f',"submitted_at":{sent},"reason":{_quoted(moved.reason)}'
        f',"replaced_by":{_quoted(moved.replaced_by)}}}'
    )


def _fill_booked(fill: FillBooked, at: str) -> str:
    return (
        f'{{"at":"{at}","execution_id":{_quoted(fill.execution_id)}'
        f',"client_order_id":{_quoted(fill.client_order_id)},"strategy":{_quoted(fill.strategy)}'
        f',"symbol":{_quoted(fill.symbol)},"side":"{fill.side._value_}"'
        f',"qty":"{_exact(fill.qty)}","price":"{_exact(fill.price)}","fee":"{_exact(fill.fee)}"'
        f',"fee_qty":"{_exact(fill.fee_qty)}","cum_qty":"{_exact(fill.cum_qty)}"'
        f',"reverses":{_quoted(fill.reverses)},"broker_order_id":{_quoted(fill.broker_order_id)}}}'
    )


WRITERS: Mapping[type, Callable[[Any, str], str]] = {
    OrderIntended: _order_intended,
    OrderMoved: _order_moved,
    FillBooked: _fill_booked,
}
"""By type, what writes a record, given the text of its time, which a minute's records share."""
