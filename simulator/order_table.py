"""The venue's orders: each one's latest state, by either id, in order of acceptance."""

from collections.abc import Iterator

from simulator.errors import not_found
from simulator.values import Order


class OrderTable:
    """All orders of one account, open and ended; iterates over their latest states."""

    def __init__(self) -> None:
        self._orders: dict[str, Order] = {}
        self._by_client: dict[str, str] = {}  # client_order_id -> order id, forever
        self._open: dict[str, None] = {}

    def __len__(self) -> int:
        return len(self._orders)

    def __iter__(self) -> Iterator[Order]:
        return iter(self._orders.values())

    def newest(self) -> Order | None:
        """The order accepted last."""
        return next(reversed(self._orders.values()), None)

    def knows_client(self, client_order_id: str) -> bool:
        """Whether an order has ever had that client id."""
        return client_order_id in self._by_client

    def find(self, order_id: str) -> Order:
        """The order of that id; 404 Rejection if there is none."""
        order = self._orders.get(order_id)
        if order is None:
            raise not_found("order not found")
        return order

    def find_client(self, client_order_id: str) -> Order:
        """The order of that client id; 404 Rejection if there is none."""
        return self.find(self._by_client.get(client_order_id, ""))

    def open(self) -> list[Order]:
        """Orders that may still fill."""
        return [self._orders[order_id] for order_id in self._open]

    def put(self, order: Order) -> None:
        """Take an order in, or its newer state."""
        if order.id not in self._orders:
            self._by_client[order.ticket.client_order_id] = order.id
        self._orders[order.id] = order
        if order.status.is_open:
            self._open[order.id] = None
        else:
            self._open.pop(order.id, None)
