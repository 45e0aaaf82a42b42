"""The parts of a SessionOpened record: books, positions and open orders that are carried over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from coordinator.core.executions import Executions
from coordinator.core.orders import Order, OrderStatus
from coordinator.core.values import Reason, Side


@dataclass(frozen=True, slots=True)
class Holding:
    """A position as stored: quantity of one symbol and its total cost in dollars."""

    symbol: str
    qty: Decimal
    cost: Decimal


@dataclass(frozen=True, slots=True)
class Opening:
    """One book as a session finds it; amounts are dollars.

    `initial_cash` is what the book began with, `transferred` what came later, of which
    `baseline_transferred` came before this session's own transfers; `configured_cash` is the
    `initial_cash` that the configuration has now. `start_equity` is the day's baseline: the
    previous session's end equity, or the initial cash of a new book. `code` is the digest of a
    user's own strategy file.
    """

    strategy: str
    strategy_type: str
    params: Mapping[str, object]
    tickers: tuple[str, ...]
    initial_cash: Decimal
    configured_cash: Decimal
    transferred: Decimal
    baseline_transferred: Decimal
    cash: Decimal
    holdings: tuple[Holding, ...]
    start_equity: Decimal
    code: str = ""


@dataclass(frozen=True, slots=True)
class OpenOrder:
    """An order of an earlier session that a fill can still reach, as this session finds it.

    `booked_until` is the order's cumulative quantity after each booked execution. It is empty for a
    `corrected` order, whose quantity the broker has counted anew since.
    """

    client_order_id: str
    strategy: str
    symbol: str
    side: Side
    qty: Decimal
    decision_price: Decimal
    reason: Reason
    decided_at: datetime
    status: OrderStatus
    broker_order_id: str
    reported_qty: Decimal
    booked_qty: Decimal
    booked_until: tuple[Decimal, ...]
    filled_avg_price: Decimal | None
    corrected: bool = False
    successor: str = ""

    @classmethod
    def of(cls, order: Order) -> OpenOrder:
        """An order as the next session finds it in the journal."""
        return cls(
            client_order_id=order.client_order_id,
            strategy=order.strategy,
            symbol=order.symbol,
            side=order.side,
            qty=order.qty,
            decision_price=order.decision_price,
            reason=order.reason,
            decided_at=order.decided_at,
            status=order.status,
            broker_order_id=order.broker_order_id,
            reported_qty=order.reported_qty,
            booked_qty=order.booked_qty,
            booked_until=() if order.corrected else tuple(sorted(order.executions.until)),
            filled_avg_price=order.filled_avg_price,
            corrected=order.corrected,
            successor=order.successor,
        )

    def revived(self) -> Order:
        """The order, as far as it was carried over."""
        return Order(
            client_order_id=self.client_order_id,
            strategy=self.strategy,
            symbol=self.symbol,
            side=self.side,
            qty=self.qty,
            decision_price=self.decision_price,
            reason=self.reason,
            decided_at=self.decided_at,
            status=self.status,
            broker_order_id=self.broker_order_id,
            reported_qty=self.reported_qty,
            booked_qty=self.booked_qty,
            filled_avg_price=self.filled_avg_price,
            corrected=self.corrected,
            booked=Executions(until=dict.fromkeys(self.booked_until, self.decided_at)),
            successor=self.successor,
        )
