"""The venue's state as others may read it: a value, exact to the last digit."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from simulator.activities import Activity
from simulator.exchange import Exchange
from simulator.protocols import MARKET_ENDPOINTS, ORDER_PATH
from simulator.values import Execution, Order


@dataclass(frozen=True)
class VenueSnapshot:
    """The venue at one moment, exact; what tests compare books with.

    account_number: changes when the account is reset. positions: symbol -> net quantity.
    executions: those that stand, busted ones not. activities: all but fills; coin fees are listed
    once their day has ended. connections: path -> authenticated now. most_connections: the most
    there ever were at once. requests: 'METHOD /route' -> how many.
    """

    at: datetime
    account_number: str
    cash: Decimal
    positions: dict[str, Decimal]
    orders: tuple[Order, ...]
    executions: tuple[Execution, ...]
    activities: tuple[Activity, ...]
    connections: dict[str, int]
    most_connections: dict[str, int]
    requests: dict[str, int]

    @staticmethod
    def of(exchange: Exchange) -> "VenueSnapshot":
        """The venue now; call it on the exchange's thread."""
        ledger, slots = exchange.venue.ledger, exchange.slots
        paths = [*(endpoint.path for endpoint in MARKET_ENDPOINTS), ORDER_PATH]
        return VenueSnapshot(
            at=exchange.now(),
            account_number=exchange.account_number,
            cash=ledger.cash,
            positions={name: held.qty for name, held in ledger.positions.items()},
            orders=tuple(exchange.venue.orders),
            executions=tuple(exchange.venue.executions),
            activities=tuple(exchange.activities()),
            connections={path: slots.now(path) for path in paths},
            most_connections={path: slots.most[path] for path in paths},
            requests=dict(exchange.requests),
        )
