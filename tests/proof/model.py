"""What is true at the broker: one account, its orders, each execution, every dollar.

A model of Alpaca of its own, written from the protocol's description alone; it is the judge's
measure and is never wrong about itself. It knows no clock and no chance: whoever drives it says
when something happens and how.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import ROUND_HALF_UP, Context, Decimal, localcontext
from typing import Any

from tests.proof.market import Listing

WIDE = Context(prec=90)
NOUGHT = Decimal(0)
COIN_PLACES = Decimal("1e-9")
CRYPTO_RATE = Decimal("0.0025")
MOST_COIN_DOLLARS = 200_000
"""Alpaca takes no order of coins for more."""
ENDED = frozenset({"filled", "canceled", "expired", "rejected", "replaced"})
OVER = ENDED | {"denied"}
"""How an order ends in the journal: the broker does not know one that was denied."""


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
    replaces: TrueOrder | None = field(default=None, repr=False)
    replaced_by: str = ""

    @property
    def symbol(self) -> str:
        """Its ticker."""
        return self.listing.symbol

    @property
    def standing(self) -> list[TrueExecution]:
        """Executions that were not taken back."""
        return [fill for fill in self.executions if fill.stands]

    @property
    def filled(self) -> Decimal:
        """What has been executed so far, and stands."""
        return sum((fill.qty for fill in self.standing), NOUGHT)

    @property
    def left(self) -> Decimal:
        """What can still be executed."""
        return NOUGHT if self.status in ENDED else self.qty - self.filled

    @property
    def average(self) -> Decimal | None:
        """Average price of what was executed, as the broker rounds it."""
        if not self.standing:
            return None
        paid = sum((e.qty * e.price for e in self.standing), NOUGHT)
        return (paid / self.filled).quantize(COIN_PLACES)


@dataclass(eq=False)
class TrueExecution:
    """One execution. `visible_at` is when the list of activities has it.

    It `stands` until it is busted or corrected; it came `instead_of` the one that it corrects.
    """

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
    stands: bool = True
    instead_of: TrueExecution | None = field(default=None, repr=False)
    dated: datetime | None = None
    """The time that the list of activities gives it, if it is another one."""

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
    """Something other than an execution, and the cash and shares that it tells of.

    What was taken with a fill already is told of and moves nothing: `moves` is false.
    """

    activity_id: str
    kind: str
    at: datetime
    symbol: str
    cash: Decimal
    shares: Decimal
    visible_at: datetime
    moves: bool
    note: str


@dataclass
class TruePosition:
    """Net shares of one ticker and what they cost."""

    qty: Decimal = NOUGHT
    cost: Decimal = NOUGHT


class Brokerage:
    """The account. `new_id` makes ids; `price` is the last price of a ticker in dollars."""

    def __init__(
        self,
        number: str,
        cash: Decimal,
        new_id: Callable[[], str],
        price: Callable[[str], Decimal],
        *,
        whole_cents: bool,
    ) -> None:
        self.number, self.cash = number, cash
        self.whole_cents = whole_cents
        """Whether each execution moves cash by whole cents only."""
        self.drifts: list[tuple[datetime, str]] = []
        """When what changed ('' is cash) although nothing tells of it."""
        self.positions: dict[str, TruePosition] = {}
        self.orders: dict[str, TrueOrder] = {}
        self.by_client_id: dict[str, TrueOrder] = {}
        self.executions: list[TrueExecution] = []
        self.by_any_id: dict[str, TrueExecution] = {}
        self.activities: list[TrueActivity] = []
        self.refusals: list[tuple[str, str]] = []
        self._new_id, self._price = new_id, price

    def begin_with(self, symbol: str, qty: Decimal, cost: Decimal) -> None:
        """It holds something that nobody remembers to have bought."""
        self.positions[symbol] = TruePosition(qty, cost)

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

    def replace(
        self, order: TrueOrder, client_order_id: str, qty: Decimal, now: datetime
    ) -> TrueOrder:
        """A human puts another order in the place of one: of no more than that has left."""
        assert 0 < qty <= order.left, (qty, order)
        self.move(order, "replaced", now)
        new = TrueOrder(
            self._new_id(), client_order_id, order.listing, order.side, qty, order.time_in_force,
            now, by_hand=True, replaces=order,
        )  # fmt: skip
        order.replaced_by = new.order_id
        self.orders[new.order_id] = self.by_client_id[client_order_id] = new
        return new

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
            self._take_in(execution)
            self.move(order, "filled" if total == order.qty else "partially_filled", now)
        return execution

    def take_back(self, execution: TrueExecution) -> None:
        """Bust an execution: it never was."""
        assert execution.stands
        execution.stands = False
        with localcontext(WIDE):
            self._post(execution.order.symbol, -self._paid(execution), -execution.shares)

    def correct(
        self, execution: TrueExecution, price: Decimal, now: datetime, dated: datetime | None
    ) -> TrueExecution:
        """Give an execution another price; the one that corrects it has ids of its own."""
        self.take_back(execution)
        with localcontext(WIDE):
            fee, fee_qty = _fee(execution.order, execution.qty, price)
            name = f"{execution.activity_id.partition('::')[0]}::{self._new_id()}"
            instead = replace(
                execution, execution_id=self._new_id(), activity_id=name, price=price, fee=fee,
                fee_qty=fee_qty, visible_at=now, stands=True, instead_of=execution, dated=dated,
            )  # fmt: skip
            self._take_in(instead)
        return instead

    def post(
        self,
        kind: str,
        symbol: str,
        cash: Decimal,
        shares: Decimal,
        now: datetime,
        visible_at: datetime,
        *,
        moves: bool = True,
        note: str = "",
    ) -> TrueActivity:
        """Book something that no order did: a dividend, a fee, a split, a deposit."""
        name = f"{now:%Y%m%d}000000000::{self._new_id()}"
        activity = TrueActivity(name, kind, now, symbol, cash, shares, visible_at, moves, note)
        self.activities.append(activity)
        if moves:
            self._post(symbol, cash, shares)
        return activity

    def drift(self, symbol: str, cash: Decimal, shares: Decimal, now: datetime) -> None:
        """Change the account, and tell nobody."""
        self.drifts.append((now, symbol))
        self._post(symbol, cash, shares)

    def _take_in(self, execution: TrueExecution) -> None:
        execution.order.executions.append(execution)
        self.executions.append(execution)
        for name in (execution.execution_id, execution.activity_id):
            self.by_any_id[name] = execution
        self._post(execution.order.symbol, self._paid(execution), execution.shares)

    def _paid(self, execution: TrueExecution) -> Decimal:
        """Dollars that an execution moved on the account, as the broker rounds them."""
        return round(execution.cash, 2) if self.whole_cents else execution.cash

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
        if listing.crypto and qty * self._price(listing.symbol) > MOST_COIN_DOLLARS:
            raise Refused(403, 40310000, f"more than {MOST_COIN_DOLLARS} dollars in one order")
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
