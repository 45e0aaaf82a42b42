"""What is true at the broker: one account, its orders, each execution, every dollar.

A model of Alpaca of its own, written from the protocol's description alone; it is the judge's
measure and is never wrong about itself. It knows no clock and no chance: whoever drives it says
when something happens and how.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from decimal import ROUND_HALF_UP, Context, Decimal, localcontext
from typing import Any

from tests.proof.market import Listing

WIDE = Context(prec=90)
NOUGHT = Decimal(0)
COIN_PLACES = Decimal("1e-9")
CRYPTO_RATE = Decimal("0.0025")
ENDED = frozenset({"filled", "canceled", "expired", "rejected", "replaced"})


class Refused(Exception):
    """The broker's definite no."""

    def __init__(self, status: int, code: int, message: str, **more: Any) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message
        self.body = {"code": code, "message": message, **more}


@dataclass
class TrueOrder:
    """An order as the broker has it."""

    order_id: str
    client_order_id: str
    listing: Listing
    side: str
    qty: Decimal
    time_in_force: str
    submitted_at: datetime
    by_hand: bool
    status: str = "pending_new"
    updated_at: datetime | None = None
    executions: list[TrueExecution] = field(default_factory=list)

    @property
    def symbol(self) -> str:
        """Its ticker."""
        return self.listing.symbol

    @property
    def filled(self) -> Decimal:
        """What has been executed so far."""
        return self.executions[-1].cum_qty if self.executions else NOUGHT

    @property
    def left(self) -> Decimal:
        """What can still be executed."""
        return NOUGHT if self.status in ENDED else self.qty - self.filled

    @property
    def average(self) -> Decimal | None:
        """Average price of what was executed, as the broker rounds it."""
        if not self.executions:
            return None
        paid = sum((e.qty * e.price for e in self.executions), NOUGHT)
        return (paid / self.filled).quantize(COIN_PLACES)


@dataclass(frozen=True)
class TrueExecution:
    """One execution. `visible_at` is when the list of activities has it."""

    order: TrueOrder = field(repr=False)
    execution_id: str
    activity_id: str
    qty: Decimal
    price: Decimal
    cum_qty: Decimal
    fee: Decimal
    fee_qty: Decimal
    at: datetime
    visible_at: datetime

    @property
    def cash(self) -> Decimal:
        """Dollars that it moved on the account."""
        worth = self.qty * self.price
        if self.order.side == "buy":
            return -worth - (NOUGHT if self.fee_qty else self.fee)
        return worth - self.fee

    @property
    def shares(self) -> Decimal:
        """Shares or coins that it moved on the account."""
        return self.qty - self.fee_qty if self.order.side == "buy" else -self.qty


@dataclass(frozen=True)
class TrueActivity:
    """Something other than an execution that moved cash or shares."""

    activity_id: str
    kind: str
    at: datetime
    symbol: str
    cash: Decimal
    shares: Decimal
    visible_at: datetime


@dataclass
class TruePosition:
    """Net shares of one ticker and what they cost."""

    qty: Decimal = NOUGHT
    cost: Decimal = NOUGHT


class Brokerage:
    """The account. `new_id` makes ids; `price` is the last price of a ticker in dollars."""

    def __init__(
        self, number: str, cash: Decimal, new_id: Callable[[], str], price: Callable[[str], Decimal]
    ) -> None:
        self.number, self.opening_cash, self.cash = number, cash, cash
        self.positions: dict[str, TruePosition] = {}
        self.orders: dict[str, TrueOrder] = {}
        self.by_client_id: dict[str, TrueOrder] = {}
        self.executions: list[TrueExecution] = []
        self.activities: list[TrueActivity] = []
        self.refusals: list[tuple[str, str]] = []
        self._new_id, self._price = new_id, price

    def open_orders(self, symbol: str | None = None) -> Iterator[TrueOrder]:
        """Orders that can still be executed."""
        for order in self.orders.values():
            if order.status not in ENDED and symbol in (None, order.symbol):
                yield order

    def held(self, symbol: str) -> Decimal:
        """Net shares of a ticker."""
        position = self.positions.get(symbol)
        return position.qty if position else NOUGHT

    def available(self, symbol: str) -> Decimal:
        """Shares that no open sell has claimed."""
        claimed = (order.left for order in self.open_orders(symbol) if order.side == "sell")
        return self.held(symbol) - sum(claimed, NOUGHT)

    def buying_power(self) -> Decimal:
        """Cash that no open buy has claimed."""
        buys = (order for order in self.open_orders() if order.side == "buy")
        return self.cash - sum((order.left * self._price(order.symbol) for order in buys), NOUGHT)

    def accept(
        self,
        client_order_id: str,
        listing: Listing,
        side: str,
        qty: Decimal,
        time_in_force: str,
        now: datetime,
        *,
        by_hand: bool = False,
    ) -> TrueOrder:
        """Take a market order in, or refuse it."""
        try:
            self._check(client_order_id, listing, side, qty, time_in_force)
        except Refused as no:
            self.refusals.append((client_order_id, no.message))
            raise
        order = TrueOrder(
            self._new_id(), client_order_id, listing, side, qty, time_in_force, now, by_hand
        )
        self.orders[order.order_id] = self.by_client_id[client_order_id] = order
        return order

    def move(self, order: TrueOrder, status: str, now: datetime) -> None:
        """Let an order come into another state; what has ended stays ended."""
        assert order.status not in ENDED, (order.status, status)
        order.status, order.updated_at = status, now

    def execute(
        self, order: TrueOrder, qty: Decimal, price: Decimal, now: datetime, visible_at: datetime
    ) -> TrueExecution:
        """Fill `qty` of an order at `price`, and move the money."""
        with localcontext(WIDE):
            assert 0 < qty <= order.left, (qty, order)
            fee, fee_qty = _fee(order, qty, price)
            name = self._new_id()
            stamp = now.strftime("%Y%m%d%H%M%S%f")[:17]
            total = order.filled + qty
            execution = TrueExecution(
                order, name, f"{stamp}::{self._new_id()}", qty, price, total, fee, fee_qty, now,
                visible_at,
            )  # fmt: skip
            order.executions.append(execution)
            self.executions.append(execution)
            self._post(order.symbol, execution.cash, execution.shares)
            self.move(order, "filled" if total == order.qty else "partially_filled", now)
        return execution

    def post(
        self,
        kind: str,
        symbol: str,
        cash: Decimal,
        shares: Decimal,
        now: datetime,
        visible_at: datetime,
    ) -> TrueActivity:
        """Book something that no order did: a dividend, a fee, a split, a deposit."""
        stamp = now.strftime("%Y%m%d%H%M%S%f")[:17]
        name = f"{stamp}::{self._new_id()}"
        activity = TrueActivity(name, kind, now, symbol, cash, shares, visible_at)
        self.activities.append(activity)
        self._post(symbol, cash, shares)
        return activity

    def _post(self, symbol: str, cash: Decimal, shares: Decimal) -> None:
        with localcontext(WIDE):
            self.cash += cash
            position = self.positions.setdefault(symbol, TruePosition())
            before, position.qty = position.qty, position.qty + shares
            if shares > 0:
                position.cost -= cash
            elif before:
                position.cost = position.cost * position.qty / before
            if not position.qty:
                del self.positions[symbol]
        assert self.held(symbol) >= 0, f"the model let {symbol} go negative"

    def _check(
        self, client_order_id: str, listing: Listing, side: str, qty: Decimal, tif: str
    ) -> None:
        if client_order_id in self.by_client_id:
            raise Refused(422, 40010001, "client_order_id must be unique")
        if tif != ("gtc" if listing.crypto else "day") or len(client_order_id) > 128:
            raise Refused(422, 42210000, f"invalid time_in_force {tif}")
        if qty < listing.least or qty != round(qty, listing.places):
            raise Refused(422, 42210000, f"invalid qty {qty}")
        for other in self.open_orders(listing.symbol):
            if other.side != side:
                raise Refused(
                    403,
                    40310000,
                    "potential wash trade detected. use complex orders",
                    existing_order_id=other.order_id,
                    reject_reason="opposite side market/stop order exists",
                )
        if side == "sell" and qty > self.available(listing.symbol):
            has = self.available(listing.symbol)
            raise Refused(
                403,
                40310000,
                f"insufficient qty available for order (requested: {qty}, available: {has})",
                available=str(has),
                symbol=listing.symbol,
            )
        if side == "buy" and qty * self._price(listing.symbol) > self.buying_power():
            power = f"{self.buying_power():.2f}"
            raise Refused(403, 40310000, "insufficient buying power", buying_power=power)


def _fee(order: TrueOrder, qty: Decimal, price: Decimal) -> tuple[Decimal, Decimal]:
    """(dollars, coins) that one execution costs; a fee in coin is valued at its price."""
    if not order.listing.crypto:
        return NOUGHT, NOUGHT
    if order.side == "buy":
        coins = (qty * CRYPTO_RATE).quantize(COIN_PLACES, ROUND_HALF_UP)
        return coins * price, coins
    return (qty * price * CRYPTO_RATE).quantize(COIN_PLACES, ROUND_HALF_UP), NOUGHT
