"""What these books must know of the account's other coordinators."""

from __future__ import annotations

from dataclasses import dataclass, field

from coordinator.core import records as r
from coordinator.core.orders import PHASE, Phase
from coordinator.core.sequences import strategy_of
from coordinator.core.values import UNASSIGNED


def joining(opened: r.SessionOpened, before: r.SessionOpened | None) -> set[str]:
    """The strategies that join with an opening; `before` is the same coordinator's last one.

    A session that is opened again names all that it has run, and some may be run elsewhere by now.
    """
    names = {opening.strategy for opening in opened.openings}
    if before is not None and before.session_id == opened.session_id:
        names -= {opening.strategy for opening in before.openings}
    return names - {UNASSIGNED}


@dataclass(slots=True)
class Neighbours:
    """The other coordinators' strategies and open orders."""

    strategies: set[str] = field(default_factory=set)
    """The strategies that they have run, by name."""
    orders: dict[str, str] = field(default_factory=dict)
    """The tickers of their open orders, by client order id. One that was replaced by hand counts as
    open until the order in its place is theirs."""
    _at_broker: set[str] = field(default_factory=set)
    """The broker's ids of their orders."""
    _adopted: dict[str, str] = field(default_factory=dict)
    """The strategies of the orders that replaced theirs, by client order id, of any form."""
    _opened: dict[str, r.SessionOpened] = field(default_factory=dict)
    """The last opening of each of them, by its name."""

    def may_move(self, symbol: str) -> bool:
        """Whether an open order of theirs can change the position in a ticker, or cash for ''."""
        return symbol in self.orders.values() if symbol else bool(self.orders)

    def may_own(self, broker_order_id: str, symbol: str) -> bool:
        """Whether the broker's order of this id, on this ticker, may be theirs."""
        return broker_order_id in self._at_broker or self.may_move(symbol)

    def took_over(self, client_order_id: str, replaces: str) -> bool:
        """Whether an order replaced one of theirs, known to the broker as `replaces`."""
        return client_order_id in self._adopted or replaces in self._at_broker

    def owner_of(self, client_order_id: str) -> str:
        """The strategy of one of their orders."""
        return self._adopted.get(client_order_id) or strategy_of(client_order_id)

    def apply(self, record: r.Record) -> None:
        """Take in a record that one of them wrote."""
        match record:
            case r.OrderIntended():
                self.strategies.add(record.strategy)
                self.orders[record.client_order_id] = record.symbol
            case r.EntryDenied():
                self.strategies.add(record.strategy)
            case r.OrderMoved():
                self._move(record)
            case r.OrderAdopted():
                self._adopted[record.client_order_id] = self.owner_of(record.replaces)
                self._at_broker.add(record.broker_order_id)
                if ticker := self.orders.pop(record.replaces, ""):
                    self.orders[record.client_order_id] = ticker
            case _:
                pass

    def open(self, opened: r.SessionOpened) -> set[str]:
        """Take in that one of them opens a session; returns the strategies that it runs now."""
        names = joining(opened, self._opened.get(opened.coordinator))
        self._opened[opened.coordinator] = opened
        self.strategies |= names
        return names

    def _move(self, record: r.OrderMoved) -> None:
        if PHASE[record.status] is Phase.DONE and not record.replaced_by:
            self.orders.pop(record.client_order_id, None)
        if record.broker_order_id:
            self._at_broker.add(record.broker_order_id)
