"""Turns wishes into intents: orders that are durable before the broker can know of them.

An intent is released at once, or waits while an opposite order stands on its ticker. With crossing
on, opposite wishes of one minute first fill each other without the broker.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal

from coordinator.core import messages as m
from coordinator.core import records as r
from coordinator.core import risk
from coordinator.core.arbiter import may_send
from coordinator.core.blotter import Blotter
from coordinator.core.crossing import Cross, Wish, net
from coordinator.core.orders import OrderStatus
from coordinator.core.risk import Asset
from coordinator.core.values import ZERO, Side, storable


class Intents:
    """Makes the intents of one session, whose date is part of their ids.

    With `crossing`, wishes wait for `end_minute`, which nets them. With `apart`, each strategy is
    alone at a broker of its own, so that no order waits for another strategy's.
    """

    def __init__(
        self,
        blotter: Blotter,
        assets: Mapping[str, Asset],
        session_date: date,
        *,
        crossing: bool,
        apart: bool,
    ) -> None:
        self._blotter, self._assets, self._date = blotter, assets, session_date
        self.crossing, self._apart = crossing, apart
        self._wishes: list[Wish] = []
        self._prefixes: dict[str, str] = {}
        """How each strategy's order ids of this session begin: '<strategy>.<session date>'."""

    def wish(self, wish: Wish, now: datetime) -> None:
        """Order what a strategy wants, or keep it for the minute's end with `crossing`."""
        if self.crossing:
            self._wishes.append(wish)
        else:
            self._intend(wish, now)

    def entries_wished(self, strategy: str) -> int:
        """How many entries of a strategy wait for the minute's end."""
        return sum(w.strategy == strategy and w.side is Side.BUY for w in self._wishes)

    def wished(self, symbol: str, side: Side) -> Decimal:
        """Units of a symbol to buy, or to sell, that wait for the minute's end."""
        return sum((w.qty for w in self._wishes if (w.symbol, w.side) == (symbol, side)), ZERO)

    def end_minute(self, now: datetime) -> None:
        """Net the wishes of a minute that is complete, and order the rest."""
        if not self._wishes:
            return
        wishes, self._wishes = self._wishes, []
        crosses, rest = net(wishes)
        for cross in crosses:
            self._cross(cross, now)
        for wish in rest:
            if risk.orderable(self._assets[wish.symbol], wish.side, wish.qty, wish.close):
                self._intend(wish, now)

    def next_id(self, strategy: str) -> str:
        """The id of a strategy's next order."""
        prefix = self._prefixes.get(strategy)
        if prefix is None:
            prefix = self._prefixes[strategy] = f"{strategy}.{self._date.isoformat()}"
        return f"{prefix}.{self._blotter.books.sequences.get(prefix, 0) + 1}"

    def submit(self, order_id: str, symbol: str, side: Side, qty: Decimal) -> None:
        """Command that a released order be sent, once it is durable."""
        tif = self._assets[symbol].time_in_force
        self._blotter.command(m.SubmitOrder(order_id, symbol, side, qty, tif))

    def _intend(self, wish: Wish, now: datetime) -> None:
        on_ticker = () if self._apart else self._blotter.books.orders.open_on(wish.symbol)
        released = not on_ticker or may_send(wish.side, on_ticker)
        qty = self._assets[wish.symbol].at_once(wish.qty, wish.close)
        order_id = self._record(wish, qty, now, released=released)
        if released:
            self.submit(order_id, wish.symbol, wish.side, qty)

    def _record(self, wish: Wish, qty: Decimal, now: datetime, *, released: bool) -> str:
        order_id = self.next_id(wish.strategy)
        self._blotter.record(
            r.OrderIntended(
                now,
                order_id,
                wish.strategy,
                wish.symbol,
                wish.side,
                qty,
                wish.close,
                wish.reason,
                released,
            )
        )
        return order_id

    def _cross(self, cross: Cross, now: datetime) -> None:
        """Record two orders that fill each other at the last price, without a fee."""
        price = storable(cross.seller.close)
        for wish in (cross.seller, cross.buyer):
            order_id = self._record(wish, cross.qty, now, released=False)
            self._blotter.record(
                r.FillBooked(
                    at=now,
                    execution_id=f"{r.CROSS}{order_id}",
                    client_order_id=order_id,
                    strategy=wish.strategy,
                    symbol=wish.symbol,
                    side=wish.side,
                    qty=cross.qty,
                    price=price,
                    fee=ZERO,
                    fee_qty=ZERO,
                    cum_qty=cross.qty,
                )
            )
            self._blotter.record(
                r.OrderMoved(
                    now,
                    order_id,
                    OrderStatus.FILLED,
                    filled_qty=cross.qty,
                    filled_avg_price=price,
                    reason="crossed",
                )
            )
