"""What the account's other coordinators do, as far as these books must know it."""

from __future__ import annotations

from dataclasses import dataclass, field

from coordinator.core import records as r
from coordinator.core.orders import PHASE, Phase
from coordinator.core.values import UNASSIGNED


@dataclass(slots=True)
class Neighbours:
    """The other coordinators' strategies and open orders."""

    strategies: set[str] = field(default_factory=set)
    """Those that they have run."""
    orders: dict[str, str] = field(default_factory=dict)
    """The tickers of their open orders, by client order id."""

    def may_move(self, symbol: str) -> bool:
        """Whether an order of theirs can move a ticker, or cash under ''."""
        return symbol in self.orders.values() if symbol else bool(self.orders)

    def apply(self, record: r.Record) -> None:
        """Note what a record that one of them wrote tells of them."""
        match record:
            case r.OrderIntended():
                self.strategies.add(record.strategy)
                self.orders[record.client_order_id] = record.symbol
            case r.EntryDenied():
                self.strategies.add(record.strategy)
            case r.OrderMoved() if PHASE[record.status] is Phase.DONE:
                self.orders.pop(record.client_order_id, None)
            case r.SessionOpened():
                self.strategies.update(o.strategy for o in record.openings)
                self.strategies.discard(UNASSIGNED)
            case _:
                pass
