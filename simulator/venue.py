"""The venue: takes orders, holds what they need, fills them, and says what happened.

Rule: values in, values out. Each call is given the `Market` (what the clock, the calendar and the
tape say at that moment); nothing here reads a clock, a file or a random number. What happened is
collected as `Update`s, in order, until `take_updates`.

An order's life: `submit` checks and stores it (pending_new, or accepted while the exchange is
closed); `work` makes it live and matches it against the last close; `on_bars` matches what rests
against each new bar; `open_session` and `close_session` turn the stock orders over.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from simulator.assets import is_crypto
from simulator.errors import invalid, malformed
from simulator.fills import FillModel
from simulator.ledger import CRYPTO_FEE_RATE, Funds, Ledger, crypto_fees, funds, held_qty
from simulator.market import Market
from simulator.matching import Match, match_bar, match_quote
from simulator.money import CRYPTO_PRICE_STEP, QTY_STEP, ZERO, exact, floor_to, half_even
from simulator.order_table import OrderTable
from simulator.rules import (
    check_available,
    check_cost,
    check_funds,
    check_short,
    check_wash,
)
from simulator.values import (
    Bar,
    Execution,
    Order,
    OrderStatus,
    Side,
    Ticket,
    TimeInForce,
    Update,
)

_SHORT_COLLAR = Decimal("1.03")
_ONE_SHARE = Decimal(1)


class Venue:
    """One account at one broker.

    cash: dollars at the start. ids: gives a new unique id at each call. cash_decimals: as the
    ledger takes it. fee_rate: of crypto, a fraction.
    """

    def __init__(
        self,
        cash: Decimal,
        model: FillModel,
        ids: Callable[[], str],
        cash_decimals: int | None = None,
        fee_rate: Decimal = CRYPTO_FEE_RATE,
    ) -> None:
        self.ledger = Ledger(cash, {}, cash_decimals)
        self.fee_rate = fee_rate
        self.model = model
        self.ids = ids
        self.orders = OrderTable()
        self.executions: list[Execution] = []
        self._arrivals: list[str] = []  # ids that `work` has not made live yet
        self._updates: list[Update] = []
        self._used: dict[str, tuple[datetime, Decimal]] = {}  # symbol -> bar start, qty executed

    def submit(self, ticket: Ticket, market: Market) -> Order:
        """Check and store an order; it fills in `work` at the earliest. Raises Rejection."""
        order = self._admit(ticket, market, ignoring=None)
        self.orders.put(order)
        self._arrivals.append(order.id)
        return order

    def work(self, market: Market) -> None:
        """Make arrived orders live and match them against the last close."""
        arrivals, self._arrivals = self._arrivals, []
        for order_id in arrivals:
            order = self.orders.find(order_id)
            if not order.status.is_open:
                continue
            self._say("pending_new", replace(order, status=OrderStatus.PENDING_NEW), market.now)
            if market.is_open(order.symbol) or order.ticket.extended_hours:
                self._enliven(order, market)
            elif order.ticket.time_in_force is TimeInForce.IOC:
                self._finish(order, OrderStatus.CANCELED, market.now)
            else:
                self._change(order, "accepted", market.now, status=OrderStatus.ACCEPTED)

    def on_bars(self, bars: Sequence[Bar], market: Market) -> None:
        """Match resting orders against bars that are about to become known.

        market.session is the one in which the bars were made.
        """
        by_symbol = {bar.symbol: bar for bar in bars}
        for order in self.orders.open():
            bar = by_symbol.get(order.symbol)
            if bar is None or order.status is OrderStatus.PENDING_NEW:
                continue
            session = market.session
            inside = is_crypto(order.symbol) or (
                session is not None and session.open <= bar.start < session.close
            )
            if inside or order.ticket.extended_hours:
                self._apply(order, match_bar(order, bar, self.model), bar, market.now)

    def open_session(self, now: datetime) -> None:
        """The exchange opens: stock orders that waited become `new`."""
        for order in self.orders.open():
            if order.status is OrderStatus.ACCEPTED and order.id not in self._arrivals:
                self._change(order, "new", now, status=OrderStatus.NEW)

    def close_session(self, now: datetime) -> None:
        """The exchange has closed: stock orders good for the day expire."""
        for order in self.orders.open():
            is_day = order.ticket.time_in_force is TimeInForce.DAY
            if is_day and order.expires_at is not None and order.expires_at <= now:
                self._finish(order, OrderStatus.EXPIRED, now)

    def cancel(self, order_id: str, now: datetime) -> Order:
        """Cancel an open order; 404 if there is none, 422 if it has ended."""
        order = self.orders.find(order_id)
        if not order.status.is_open:
            raise invalid(f'order is already in "{order.status.value}" state')
        return self._finish(replace(order, cancel_requested_at=now), OrderStatus.CANCELED, now)

    def replace(self, order_id: str, ticket: Ticket, market: Market) -> Order:
        """Put `ticket` in the place of an open order, under a new id. Raises Rejection."""
        old = self.orders.find(order_id)
        if old.status not in (OrderStatus.NEW, OrderStatus.PARTIALLY_FILLED):
            raise invalid(f"cannot replace order in {old.status.value} status")
        if old.ticket.notional is not None:
            raise invalid("notional orders cannot be replaced")
        if ticket.qty is None or ticket.qty <= old.filled_qty:
            raise invalid("qty must be greater than the quantity already filled")
        rest = replace(ticket, qty=ticket.qty - old.filled_qty)
        new = replace(self._admit(rest, market, ignoring=old.id), replaces=old.id)
        self._finish(replace(old, replaced_by=new.id), OrderStatus.REPLACED, market.now)
        self.orders.put(new)
        self._arrivals.append(new.id)
        return new

    def funds(self, market: Market, *, ignoring: str | None = None) -> Funds:
        """Equity and buying power at the last closes."""
        held = [order for order in self.orders.open() if order.id != ignoring]
        return funds(self.ledger, held, self.marks(market))

    def marks(self, market: Market) -> dict[str, Decimal]:
        """Last close of every symbol held (its average cost when no bar is within reach)."""
        found = {}
        for symbol, position in self.ledger.positions.items():
            bar = market.last(symbol)
            found[symbol] = (
                bar.close if bar else half_even(position.cost / position.qty, CRYPTO_PRICE_STEP)
            )
        return found

    def available(self, symbol: str) -> Decimal:
        """Quantity of a position (absolute) that no open order has reserved."""
        reserved = sum(
            (held_qty(order) for order in self.orders.open() if order.symbol == symbol), ZERO
        )
        return abs(self.ledger.qty(symbol)) - reserved

    def restate(self, order: Order, update: Update) -> None:
        """Put on record what has become of an order by an amended execution, and say it."""
        self.orders.put(order)
        self._updates.append(update)

    def take_updates(self) -> list[Update]:
        """What happened since the last call, in order."""
        taken, self._updates = self._updates, []
        return taken

    @exact
    def _admit(self, ticket: Ticket, market: Market, ignoring: str | None) -> Order:
        """An order checked against the account, not stored yet."""
        if self.orders.knows_client(ticket.client_order_id):
            raise malformed("client_order_id must be unique")
        resting = [order for order in self.orders.open() if order.id != ignoring]
        bar = market.last(ticket.symbol)
        if bar is None:
            raise invalid(f'no market data is known for asset "{ticket.symbol}"')
        price = ticket.limit_price or ticket.stop_price or self.model.price(ticket.side, bar.close)
        check_cost(ticket, price)
        check_wash(ticket, resting)
        held = self.ledger.qty(ticket.symbol)
        opens = held * ticket.side.sign >= 0 and not (
            held == 0 and ticket.side is Side.SELL and ticket.is_crypto
        )
        hold_price = price
        if not opens:
            check_available(ticket, price, held, resting)
        else:
            money = self.funds(market, ignoring=ignoring)
            if ticket.side is Side.SELL:
                check_short(ticket, money)
                hold_price = max(price, bar.close * _SHORT_COLLAR)
            check_funds(ticket, hold_price, money)
        live = market.is_open(ticket.symbol)
        return Order(
            id=self.ids(),
            sequence=len(self.orders) + 1,
            ticket=ticket,
            status=OrderStatus.PENDING_NEW if live else OrderStatus.ACCEPTED,
            created_at=market.now,
            updated_at=market.now,
            opens=opens,
            hold_price=hold_price,
            expires_at=market.expiry(ticket.time_in_force),
        )

    def _enliven(self, order: Order, market: Market) -> None:
        order = self._change(order, "new", market.now, status=OrderStatus.NEW)
        bar = market.quote(order.symbol)
        if bar is not None:
            order = self._apply(order, match_quote(order, bar.close, self.model), bar, market.now)
        if order.ticket.time_in_force is TimeInForce.IOC and order.status.is_open:
            self._finish(order, OrderStatus.CANCELED, market.now)

    def _apply(self, order: Order, match: Match, bar: Bar, now: datetime) -> Order:
        if match.triggered != order.triggered:
            order = replace(order, triggered=match.triggered, updated_at=now)
            self.orders.put(order)
        if match.price is None:
            return order
        wanted = order.remaining()
        if wanted is None:
            wanted = floor_to(
                ((order.ticket.notional or ZERO) - order.filled_cost) / match.price, QTY_STEP
            )
        qty = min(wanted, self._capacity(order, bar, wanted))
        if qty <= 0:
            return order
        start, used = self._used.get(order.symbol, (bar.start, ZERO))
        self._used[order.symbol] = (bar.start, qty + (used if start == bar.start else ZERO))
        return self._fill(order, qty, wanted - qty, match.price, now)

    def _capacity(self, order: Order, bar: Bar, wanted: Decimal) -> Decimal:
        """What the fill model still lets execute against this bar."""
        limit = self.model.capacity(bar)
        if limit is None:
            return wanted
        start, used = self._used.get(order.symbol, (bar.start, ZERO))
        left = max(ZERO, limit - (used if start == bar.start else ZERO))
        whole = not is_crypto(order.symbol) and wanted == wanted.to_integral_value()
        return floor_to(left, _ONE_SHARE if whole else QTY_STEP)

    @exact
    def _fill(
        self, order: Order, qty: Decimal, leaves: Decimal, price: Decimal, now: datetime
    ) -> Order:
        fee_qty, fee_cash = crypto_fees(order.symbol, order.side, qty, price, self.fee_rate)
        cumulative = order.filled_qty + qty
        change = order.side.sign * qty - fee_qty
        fill = Execution(
            id=self.ids(),
            activity_id=f"{now:%Y%m%d%H%M%S}{now.microsecond // 1000:03d}::{self.ids()}",
            order_id=order.id,
            client_order_id=order.ticket.client_order_id,
            symbol=order.symbol,
            side=order.side,
            qty=qty,
            price=price,
            fee_qty=fee_qty,
            fee_cash=fee_cash,
            at=now,
            cum_qty=cumulative,
            leaves_qty=leaves,
            position_qty=self.ledger.qty(order.symbol) + change,
        )
        self.ledger.book(fill)
        self.executions.append(fill)
        after = replace(
            order,
            filled_qty=cumulative,
            filled_cost=order.filled_cost + qty * price,
            status=OrderStatus.FILLED if fill.is_final else OrderStatus.PARTIALLY_FILLED,
            filled_at=now if fill.is_final else None,
            updated_at=now,
        )
        self.orders.put(after)
        self._updates.append(Update("fill" if fill.is_final else "partial_fill", after, now, fill))
        return after

    def _change(self, order: Order, event: str, now: datetime, **fields: Any) -> Order:
        after = replace(order, updated_at=now, **fields)
        self.orders.put(after)
        self._say(event, after, now)
        return after

    def _finish(self, order: Order, status: OrderStatus, now: datetime) -> Order:
        moments: dict[OrderStatus, str] = {
            OrderStatus.CANCELED: "canceled_at",
            OrderStatus.EXPIRED: "expired_at",
            OrderStatus.REPLACED: "replaced_at",
        }
        return self._change(order, status.value, now, status=status, **{moments[status]: now})

    def _say(self, event: str, order: Order, now: datetime) -> None:
        self._updates.append(Update(event, order, now))
