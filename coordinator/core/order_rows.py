"""The warehouse's rows of a session's orders, kept up to date record by record.

An order that an earlier session left open has a row only if something happened to it in this one.
An order that no strategy gave, a human's, has a row of UNASSIGNED for what was executed of it,
which is all that is known of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal

from coordinator.core import records as r
from coordinator.core.orders import Order, OrderStatus, Phase
from coordinator.core.values import ATTO, ZERO, Side, storable

Row = dict[str, object]


class OrderRows:
    """The rows, in the order in which their orders were first mentioned."""

    def __init__(self) -> None:
        self._rows: dict[str, Row] = {}
        self._session_id = ""
        self._carried: dict[str, r.OpenOrder] = {}
        self._averaged: dict[str, Decimal] = {}
        """By order, the filled quantity that the broker's average price covers."""
        self._unowned: dict[str, list[r.FillBooked]] = {}

    def __iter__(self) -> Iterator[Row]:
        yield from self._rows.values()
        for name, fills in self._unowned.items():
            if name not in self._rows and sum((fill.qty for fill in fills), ZERO) >= 0:
                yield _unowned_row(self._session_id, fills)

    def open(self, record: r.SessionOpened) -> None:
        """Begin a session, with the orders that it found open."""
        self._session_id = record.session_id
        self._carried = {order.client_order_id: order for order in record.orders} | self._carried

    def intend(self, record: r.OrderIntended | r.EntryDenied) -> None:
        """Add the row of a new order, or of an entry that was denied at once."""
        row = self._add(record, record.at)
        match record:
            case r.OrderIntended():
                row |= {"side": record.side.value, "reason": record.reason.value}
                row |= {"status": OrderStatus.UNKNOWN.value}
            case r.EntryDenied():
                row |= {"side": Side.BUY.value, "reason": record.reason, "closed_at": record.at}
                row |= {"status": OrderStatus.DENIED.value}

    def adopt(self, record: r.OrderAdopted, order: Order) -> None:
        """Add the row of an order that a human put in the place of one of ours, if it has none."""
        if record.client_order_id in self._rows:
            return
        row = self._add(order, record.at)
        row |= {
            "side": order.side.value,
            "reason": order.reason.value,
            "status": order.status.value,
            "broker_order_id": order.broker_order_id,
        }

    def move(self, record: r.OrderMoved, order: Order) -> None:
        """Update the row of `order`, which is as the record left it."""
        row = self._row(record.client_order_id)
        local = order.phase is Phase.LOCAL
        row["status"] = (OrderStatus.UNKNOWN if local else order.status).value
        row["broker_order_id"] = order.broker_order_id or None
        row["filled_qty"] = order.reported_qty
        for name in ("filled_avg_price", "submitted_at"):
            if getattr(record, name) is not None:
                row[name] = getattr(record, name)
        if record.filled_avg_price is not None:
            self._averaged[record.client_order_id] = record.filled_qty
        if order.phase is not Phase.DONE:
            row["closed_at"] = None
        elif row["closed_at"] is None:
            row["closed_at"] = record.at
        if order.status in (OrderStatus.DENIED, OrderStatus.REJECTED) and record.reason:
            row["reason"] = record.reason

    def fill(self, fill: r.FillBooked, order: Order) -> None:
        """Note an execution of `order`, whose average is computed until the broker's has it."""
        row = self._row(fill.client_order_id)
        row["filled_qty"] = order.reported_qty
        row["filled_avg_price"] = row["filled_avg_price"] or fill.price
        booked = order.executions.postings
        before = order.booked_qty - sum((posting.qty for posting in booked), ZERO)
        carried = self._carried.get(fill.client_order_id)
        known = carried.filled_avg_price if carried is not None else None
        uncounted = order.booked_qty > self._averaged.get(fill.client_order_id, ZERO)
        if (order.corrected or uncounted) and (not before or known is not None):
            paid = sum(
                (posting.qty * posting.price for posting in booked), before * (known or ZERO)
            )
            row["filled_avg_price"] = (
                (paid / order.booked_qty).quantize(ATTO) if order.booked_qty else None
            )

    def fill_unowned(self, fill: r.FillBooked) -> None:
        """Note an execution, or a reversal of one, of an order that no strategy gave."""
        self._unowned.setdefault(fill.client_order_id, []).append(fill)

    def _row(self, client_order_id: str) -> Row:
        """The row of an order that this session intended, adopted or found open."""
        carried = self._carried.get(client_order_id)
        if client_order_id not in self._rows and carried is not None:
            row = self._add(carried, carried.decided_at)
            row |= {
                "side": carried.side.value,
                "reason": carried.reason.value,
                "status": carried.status.value,
                "broker_order_id": carried.broker_order_id or None,
                "filled_qty": carried.reported_qty,
                "filled_avg_price": carried.filled_avg_price,
            }
        return self._rows[client_order_id]

    def _add(
        self, order: r.OrderIntended | r.EntryDenied | r.OpenOrder | Order, decided_at: datetime
    ) -> Row:
        row: Row = {
            "client_order_id": order.client_order_id,
            "session_id": self._session_id,
            "broker_order_id": None,
            "strategy": order.strategy,
            "symbol": order.symbol,
            "side": None,
            "qty": order.qty,
            "filled_qty": ZERO,
            "filled_avg_price": None,
            "status": None,
            "reason": None,
            "decision_price": storable(order.decision_price),
            "decided_at": decided_at,
            "submitted_at": None,
            "closed_at": None,
        }
        self._rows[order.client_order_id] = row
        return row


def _unowned_row(session_id: str, fills: Sequence[r.FillBooked]) -> Row:
    """The row of an order that no strategy gave: UNKNOWN if all its executions were taken back."""
    filled = sum((fill.qty for fill in fills), ZERO)
    paid = sum((fill.qty * fill.price for fill in fills), ZERO)
    status = OrderStatus.FILLED if filled else OrderStatus.UNKNOWN
    broker_ids = [fill.broker_order_id for fill in fills if fill.broker_order_id]
    return {
        "client_order_id": fills[0].client_order_id,
        "session_id": session_id,
        "broker_order_id": broker_ids[0] if broker_ids else None,
        "strategy": fills[0].strategy,
        "symbol": fills[0].symbol,
        "side": fills[0].side.value,
        "qty": filled or None,
        "filled_qty": filled,
        "filled_avg_price": (paid / filled).quantize(ATTO) if filled else None,
        "status": status.value,
        "reason": None,
        "decision_price": None,
        "decided_at": None,
        "submitted_at": None,
        "closed_at": fills[-1].at if filled else None,
    }
