"""The life of an order: every move from state to state that can happen, as one table.

An order is born LOCAL: waiting for its turn, or sent and not yet answered, or of unknown fate.
The broker's reports make it LIVE and in the end DONE. Reports arrive late, twice and out of
order, so a report never moves an order backwards: a state of an earlier phase is ignored. DONE
is final but for one move that real markets make: what was cancelled, expired or thought dead
turns out to be filled.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import Enum

from coordinator.core.values import ZERO, Reason, Side


class OrderStatus(Enum):
    """Alpaca's words for an order's state, and our own four."""

    WAITING = "waiting"  # for an opposite order on the ticker to end; the broker knows nothing
    SUBMITTED = "submitted"  # sent, not answered yet
    UNKNOWN = "unknown"  # sent perhaps; only the broker's evidence ends this
    DENIED = "denied"  # refused by us
    PENDING_NEW = "pending_new"
    ACCEPTED = "accepted"
    ACCEPTED_FOR_BIDDING = "accepted_for_bidding"
    NEW = "new"
    HELD = "held"
    PARTIALLY_FILLED = "partially_filled"
    STOPPED = "stopped"
    SUSPENDED = "suspended"
    CALCULATED = "calculated"
    DONE_FOR_DAY = "done_for_day"
    PENDING_CANCEL = "pending_cancel"
    PENDING_REPLACE = "pending_replace"
    FILLED = "filled"
    CANCELED = "canceled"
    EXPIRED = "expired"
    REPLACED = "replaced"
    REJECTED = "rejected"


class Phase(Enum):
    """How far an order's life has come."""

    LOCAL = 0
    LIVE = 1
    DONE = 2


_LOCAL = {OrderStatus.WAITING, OrderStatus.SUBMITTED, OrderStatus.UNKNOWN}
_DONE = {
    OrderStatus.DENIED,
    OrderStatus.FILLED,
    OrderStatus.CANCELED,
    OrderStatus.EXPIRED,
    OrderStatus.REPLACED,
    OrderStatus.REJECTED,
}
PHASE = {
    status: Phase.LOCAL if status in _LOCAL else Phase.DONE if status in _DONE else Phase.LIVE
    for status in OrderStatus
}
"""Which phase each state belongs to."""

_LOCAL_MOVES = {
    OrderStatus.WAITING: {OrderStatus.SUBMITTED},
    OrderStatus.SUBMITTED: {OrderStatus.UNKNOWN},
    OrderStatus.UNKNOWN: {OrderStatus.SUBMITTED},
}


def may_move(now: OrderStatus, then: OrderStatus) -> bool:
    """Whether a report of state `then` moves an order that is in state `now`."""
    match PHASE[now], PHASE[then]:
        case Phase.LOCAL, Phase.LOCAL:
            return then in _LOCAL_MOVES[now]
        case Phase.DONE, Phase.DONE:
            return then is OrderStatus.FILLED and now is not OrderStatus.FILLED
        case Phase.DONE, _:
            return False
        case Phase.LIVE, Phase.LOCAL:
            return False
        case _:
            return now is not then


@dataclass(slots=True)
class Order:
    """One order of one strategy, as far as we know it. Quantities are gross, prices in dollars."""

    client_order_id: str
    strategy: str
    symbol: str
    side: Side
    qty: Decimal
    decision_price: Decimal
    reason: Reason
    decided_at: datetime
    status: OrderStatus
    broker_order_id: str = ""
    reported_qty: Decimal = ZERO
    """The broker's cumulative filled quantity; ahead of `booked_qty` while a fill is missing."""
    booked_qty: Decimal = ZERO
    booked_until: set[Decimal] = field(default_factory=set)
    """Cumulative quantities after each booked execution, which tell a repeated one."""
    cancel_reason: Reason | None = None
    """Set once the strategy wants this buy ended so that it can get out."""

    @property
    def phase(self) -> Phase:
        """How far its life has come."""
        return PHASE[self.status]

    @property
    def is_open(self) -> bool:
        """Whether a fill can still reach the book: not ended, or ended with one missing."""
        return self.phase is not Phase.DONE or self.misses_fills

    @property
    def open_qty(self) -> Decimal:
        """What can still fill."""
        return self.qty - self.booked_qty if self.is_open else ZERO

    @property
    def hold(self) -> Decimal:
        """Dollars that an open buy keeps from being spent twice."""
        return self.open_qty * self.decision_price if self.side is Side.BUY else ZERO

    @property
    def misses_fills(self) -> bool:
        """Whether the broker reported more filled than executions have reached the book."""
        return self.reported_qty > self.booked_qty


class Orders:
    """Every order of the session by id; the open ones by strategy and by ticker.

    The open ones are kept apart, so that no look-up grows with the orders already done.
    """

    def __init__(self) -> None:
        self._by_id: dict[str, Order] = {}
        self._open_of: dict[str, dict[str, Order]] = {}
        self._open_on: dict[str, dict[str, Order]] = {}

    def __contains__(self, client_order_id: str) -> bool:
        return client_order_id in self._by_id

    def __iter__(self) -> Iterator[Order]:
        return iter(self._by_id.values())

    def get(self, client_order_id: str) -> Order | None:
        """The order with this id, or None."""
        return self._by_id.get(client_order_id)

    def add(self, order: Order) -> None:
        """Take in a new order. Its id must be new."""
        assert order.client_order_id not in self._by_id, order.client_order_id
        self._by_id[order.client_order_id] = order
        self._index(order)

    def move(self, order: Order, status: OrderStatus) -> bool:
        """Move an order to `status` if the table allows it; tells whether it moved."""
        if not may_move(order.status, status):
            return False
        order.status = status
        self._index(order)
        return True

    def fill(self, order: Order, qty: Decimal, cum_qty: Decimal) -> None:
        """Note an execution of `qty`, after which the order has filled `cum_qty`."""
        order.booked_qty += qty
        order.booked_until.add(cum_qty)
        order.reported_qty = max(order.reported_qty, order.booked_qty)
        self._index(order)

    def open_of(self, strategy: str) -> Iterable[Order]:
        """Open orders of one strategy, oldest first."""
        return self._open_of.get(strategy, {}).values()

    def open_on(self, symbol: str) -> Iterable[Order]:
        """Open orders on one ticker, oldest first."""
        return self._open_on.get(symbol, {}).values()

    def open(self) -> list[Order]:
        """All open orders."""
        return [order for orders in self._open_of.values() for order in orders.values()]

    def _index(self, order: Order) -> None:
        for index, key in ((self._open_of, order.strategy), (self._open_on, order.symbol)):
            orders = index.setdefault(key, {})
            if order.is_open:
                orders[order.client_order_id] = order
            else:
                orders.pop(order.client_order_id, None)
