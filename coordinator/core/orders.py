"""The life of an order: every move from state to state that can happen, as one table.

An order is born LOCAL: waiting for its turn, or sent and not yet answered, or of unknown fate.
The broker's reports make it LIVE and in the end DONE. Reports arrive late, twice and out of
order, so a report never moves an order backwards: a state of an earlier phase is ignored, and so is
an earlier step of a LIVE order. DONE is final but for two corrections: an order that was cancelled,
expired or thought dead turns out to be filled, and one that was thought never to have reached the
broker turns out to be open there, or to have ended there.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from enum import Enum

from coordinator.core.executions import Executions, Posting
from coordinator.core.values import ZERO, Reason, Side


class OrderStatus(Enum):
    """Alpaca's words for an order's state, and our own four."""

    __hash__ = object.__hash__  # members are singletons; Enum's own hash is a Python call

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


_ARRIVING = {
    OrderStatus.PENDING_NEW,
    OrderStatus.ACCEPTED,
    OrderStatus.ACCEPTED_FOR_BIDDING,
    OrderStatus.HELD,
}
"""Steps of a LIVE order before the market has it; later ones alternate, but fills stay."""


def may_move(now: OrderStatus, then: OrderStatus) -> bool:
    """Whether a report of state `then` moves an order that is in state `now`."""
    match PHASE[now], PHASE[then]:
        case Phase.LOCAL, Phase.LOCAL:
            return then in _LOCAL_MOVES[now]
        case Phase.LIVE, Phase.LIVE:
            back = then in _ARRIVING and now not in _ARRIVING
            unfilled = now is OrderStatus.PARTIALLY_FILLED and then is OrderStatus.NEW
            return now is not then and not back and not unfilled
        case Phase.DONE, Phase.DONE:
            filled = then is OrderStatus.FILLED and now is not OrderStatus.FILLED
            return filled or (now is OrderStatus.DENIED and then is not OrderStatus.DENIED)
        case Phase.DONE, Phase.LIVE:
            return now is OrderStatus.DENIED
        case Phase.LIVE | Phase.DONE, Phase.LOCAL:
            return False
        case Phase.LOCAL | Phase.LIVE, Phase.LIVE | Phase.DONE:
            return True
    raise AssertionError(now, then)


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
    filled_avg_price: Decimal | None = None
    """The broker's average over what it reported filled."""
    cancel_reason: Reason | None = None
    """Why the order is to be cancelled; None if it is not."""
    entry_day: date | None = None
    """The strategy's day on which it counts as an entry."""
    corrected: bool = False
    """Set once an execution was busted: from then on the broker's counts prove nothing."""
    booked: Executions | None = None
    """The booked executions that are remembered; None before the first."""
    successor: str = ""
    """The broker's id of the order that replaced it, until that one is adopted."""

    @property
    def executions(self) -> Executions:
        """The booked executions that are remembered, for reading."""
        return Executions() if self.booked is None else self.booked

    @property
    def phase(self) -> Phase:
        """How far its life has come."""
        return PHASE[self.status]

    @property
    def is_open(self) -> bool:
        """Whether a fill can still reach the book: not ended, or ended with a fill missing, or
        replaced by an order that we have not heard of yet."""
        return self.phase is not Phase.DONE or bool(self.successor) or self.misses_fills

    @property
    def open_qty(self) -> Decimal:
        """How much can still fill; of an ended order, only what the books are known to miss."""
        ended = self.phase is Phase.DONE and not self.successor
        most = self.reported_qty if ended else self.qty
        return max(most - self.booked_qty, ZERO)

    @property
    def is_entry(self) -> bool:
        """Whether it uses up one of its day's entries: a buy that may fill, or that has."""
        return self.side is Side.BUY and (self.is_open or bool(self.reported_qty))

    @property
    def hold(self) -> Decimal:
        """Dollars that an open buy keeps from being spent twice."""
        return self.open_qty * self.decision_price if self.side is Side.BUY else ZERO

    @property
    def misses_fills(self) -> bool:
        """Whether the broker reported more filled than executions have reached the book."""
        return self.reported_qty > self.booked_qty and not self.corrected

    @property
    def never_at_broker(self) -> bool:
        """Whether it ended without ever having been at the broker, as far as we know."""
        return self.phase is Phase.DONE and not self.broker_order_id and not self.booked_qty

    def replacement(
        self, client_order_id: str, broker_order_id: str, qty: Decimal, known: Executions
    ) -> Order:
        """The order that a human put in this one's place, of which `known` was booked already."""
        return replace(
            self,
            client_order_id=client_order_id,
            broker_order_id=broker_order_id,
            qty=qty,
            status=OrderStatus.ACCEPTED,
            reported_qty=ZERO,
            booked_qty=sum((posting.qty for posting in known.postings), ZERO),
            filled_avg_price=None,
            corrected=any(posting.qty < 0 for posting in known.postings),
            booked=known,
            successor="",
        )


class Orders:
    """Every order of the session by id; the open ones by strategy and by ticker.

    The open ones are kept apart, so that no look-up grows with the orders already done.
    """

    def __init__(self) -> None:
        self._by_id: dict[str, Order] = {}
        self._by_broker_id: dict[str, Order] = {}
        self._open_of: dict[str, dict[str, Order]] = {}
        self._open_on: dict[str, dict[str, Order]] = {}

    def __contains__(self, client_order_id: str) -> bool:
        return client_order_id in self._by_id

    def __iter__(self) -> Iterator[Order]:
        return iter(self._by_id.values())

    def get(self, client_order_id: str) -> Order | None:
        """The order with this id, or None."""
        return self._by_id.get(client_order_id)

    def of(self, strategy: str, client_order_id: str, reverses: str = "") -> Order | None:
        """The order with this id that an execution in a strategy's book belongs to, or None.

        The book may be another than the order's: the execution was booked before the order was
        adopted, or by a coordinator that did not know it, or it `reverses` such a one. But if the
        order never was at the broker, the one there under its id is somebody else's.
        """
        order = self._by_id.get(client_order_id)
        if order is None or order.strategy == strategy or not order.never_at_broker:
            return order
        known = (posting.execution_id for posting in order.executions.postings)
        return order if reverses and reverses in known else None

    def add(self, order: Order) -> None:
        """Take in a new order. Its id must be new."""
        assert order.client_order_id not in self._by_id, order.client_order_id
        self._by_id[order.client_order_id] = order
        if order.broker_order_id:
            self._by_broker_id[order.broker_order_id] = order
        self._index(order)

    def move(self, order: Order, status: OrderStatus, successor: str = "") -> None:
        """Move an order to `status` if the table allows it."""
        if may_move(order.status, status):
            order.status, order.successor = status, successor
            self._index(order)

    def forget_successor(self, order: Order) -> None:
        """Note that the order that replaced this one has been adopted."""
        order.successor = ""
        self._index(order)

    def report(self, order: Order, filled_qty: Decimal) -> None:
        """Note how much the broker reports as filled so far; after a bust that proves nothing."""
        if not order.corrected:
            order.reported_qty = max(order.reported_qty, filled_qty)
        self._index(order)

    def fill(self, order: Order, posting: Posting) -> None:
        """Note an execution, or the bust of one, whose quantity is negative."""
        order.booked_qty += posting.qty
        order.booked = order.executions
        order.booked.add(posting)
        if posting.qty < 0:
            order.corrected, order.reported_qty = True, order.booked_qty
        order.reported_qty = max(order.reported_qty, order.booked_qty)
        self._index(order)

    def note_broker_id(self, order: Order, broker_order_id: str) -> None:
        """Note the id under which the broker knows an order. It is never forgotten."""
        order.broker_order_id = broker_order_id
        self._by_broker_id[broker_order_id] = order

    def at_broker(self, broker_order_id: str) -> Order | None:
        """The order that the broker knows under this id, or None."""
        return self._by_broker_id.get(broker_order_id)

    def open_of(self, strategy: str, symbol: str = "") -> Collection[Order]:
        """Open orders of one strategy, on all tickers or on one, oldest first."""
        found = self._open_of.get(strategy)
        if not found:
            return ()
        own = found.values()
        return [order for order in own if order.symbol == symbol] if symbol else own

    def open_on(self, symbol: str) -> Collection[Order]:
        """Open orders on one ticker, oldest first."""
        found = self._open_on.get(symbol)
        return found.values() if found else ()

    def open_among(self, symbols: Iterable[str]) -> list[str]:
        """Those of the tickers that have open orders."""
        return [symbol for symbol in symbols if symbol in self._open_on]

    def open(self) -> list[Order]:
        """All open orders."""
        return [order for orders in self._open_of.values() for order in orders.values()]

    def only(self, which: Callable[[Order], bool]) -> Orders:
        """The orders of one kind, by themselves."""
        kept = Orders()
        for order in filter(which, self):
            kept.add(order)
        return kept

    def _index(self, order: Order) -> None:
        is_open = order.is_open
        for index, key in ((self._open_of, order.strategy), (self._open_on, order.symbol)):
            if is_open:
                index.setdefault(key, {})[order.client_order_id] = order
            elif key in index:
                index[key].pop(order.client_order_id, None)
                if not index[key]:
                    del index[key]
