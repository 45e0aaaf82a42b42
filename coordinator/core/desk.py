"""The order desk: intents of ours become orders, the broker's reports become bookings.

Every change is a record first. An order goes out only if no opposite one stands on its ticker;
an execution is booked once, to the one book that owns the order, whichever way it was learned.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal

from coordinator.core import messages as m
from coordinator.core import records as r
from coordinator.core import risk
from coordinator.core.arbiter import may_send, next_waiting, outdated
from coordinator.core.books import Books
from coordinator.core.orders import Order, OrderStatus, Phase, may_move
from coordinator.core.risk import Asset
from coordinator.core.values import UNASSIGNED, ZERO, Reason, Side, is_crypto

COIN = Decimal("1e-9")
"""Step to which a crypto fee is rounded, half up."""


class OrderDesk:
    """Makes and follows the orders of one session. Call inside the EXACT decimal context."""

    def __init__(
        self,
        books: Books,
        assets: Mapping[str, Asset],
        session_date: date,
        own_strategies: frozenset[str],
        crypto_fee_rate: Decimal,
    ) -> None:
        self.books = books
        self.out = m.Outcome()
        self._assets = assets
        self._date = session_date
        self._own = own_strategies
        self._fee_rate = crypto_fee_rate

    def record(self, record: r.Record) -> None:
        """Let a record change the books, and hand it out to be kept."""
        self.books.apply(record)
        self.out.records.append(record)

    # intents

    def buy(self, strategy: str, symbol: str, qty: Decimal, close: Decimal, now: datetime) -> None:
        """Intend an entry decided at `close`."""
        self._intend(strategy, symbol, Side.BUY, qty, close, Reason.SIGNAL, now)

    def deny_entry(
        self, strategy: str, symbol: str, qty: Decimal, close: Decimal, reason: str, now: datetime
    ) -> None:
        """Record that a limit refused an entry; the same refusal again says nothing new."""
        if self.books.denied.get((strategy, symbol)) != reason:
            order_id = self._next_id(strategy)
            self.record(r.EntryDenied(now, order_id, strategy, symbol, qty, close, reason))

    def exit(
        self, strategy: str, symbol: str, close: Decimal, reason: Reason, now: datetime
    ) -> None:
        """Sell the whole position; first end the strategy's own open buy, if there is one."""
        own = [o for o in self.books.orders.open_of(strategy) if o.symbol == symbol]
        if any(order.side is Side.SELL for order in own):
            return
        for order in own:
            self._withdraw(order, reason, now)
        if any(order.is_open for order in own):
            return
        position = self.books.ledger[strategy].positions.get(symbol)
        qty = risk.exit_qty(self._assets[symbol], position, self._available(symbol))
        if qty:
            self._intend(strategy, symbol, Side.SELL, qty, close, reason, now)

    def expire_waiting(self, symbol: str, now: datetime) -> None:
        """Drop the entries that still wait when their ticker's next bar comes."""
        for order in outdated(self.books.orders.open_on(symbol)):
            self._deny(order, now, "stale")

    def drop_waiting(self, now: datetime, *, older_than: timedelta = timedelta(0)) -> None:
        """Drop what still waits for its turn and is older than that, or cannot be sent any more."""
        for order in self.books.orders.open():
            too_old = now - order.decided_at >= older_than or order.symbol not in self._assets
            if order.status is OrderStatus.WAITING and too_old:
                self._deny(order, now, "session_over")

    def resume(self, unsent: Iterable[str], now: datetime) -> None:
        """Send again, under the same ids, what a restart found never sent; then those in line."""
        for order_id in unsent:
            order = self.books.orders.get(order_id)
            if order is None or order.symbol not in self._assets:
                self.on_absent(m.OrderAbsent(order_id, now))
            elif order.status is OrderStatus.SUBMITTED:
                self._submit(order_id, order.symbol, order.side, order.qty)
        for symbol in dict.fromkeys(order.symbol for order in self.books.orders.open()):
            self._release_next(symbol, now)

    # reports

    def on_update(self, update: m.OrderUpdate) -> None:
        """The broker's word on an order, from the stream or from REST."""
        order = self.books.orders.get(update.client_order_id)
        if order is None:
            self._on_foreign(update)
            return
        was_open, reported, booked = order.is_open, order.reported_qty, order.booked_qty
        if update.execution is not None:
            self._book(update, update.execution, order.strategy, order)
        if _tells_news(order, reported, update):
            self.record(
                r.OrderMoved(
                    update.at,
                    order.client_order_id,
                    update.status,
                    update.broker_order_id,
                    update.filled_qty,
                    update.filled_avg_price,
                    update.submitted_at,
                    update.reason,
                )
            )
        reopened = order.is_open and not was_open
        if order.misses_fills or reopened:
            self.out.commands.append(m.LookUpOrder(order.client_order_id))
        if was_open or order.booked_qty != booked:
            self._settle(order, update.at)

    def on_refused(self, message: m.SubmitRefused) -> None:
        """The broker refused an order."""
        self._move(message.client_order_id, OrderStatus.REJECTED, message.reason, message.at)

    def on_unclear(self, message: m.SubmitUnclear) -> None:
        """An order's fate is unknown; only the broker's evidence will end that."""
        self._move(message.client_order_id, OrderStatus.UNKNOWN, message.reason, message.at)
        self.out.commands.append(m.LookUpOrder(message.client_order_id))

    def on_absent(self, message: m.OrderAbsent) -> None:
        """The broker has been asked long enough and does not know the order."""
        order = self.books.orders.get(message.client_order_id)
        if order is not None and order.status in (OrderStatus.SUBMITTED, OrderStatus.UNKNOWN):
            self._deny(order, message.at, "never_reached_broker")

    # inside

    def _intend(
        self,
        strategy: str,
        symbol: str,
        side: Side,
        qty: Decimal,
        close: Decimal,
        reason: Reason,
        now: datetime,
    ) -> None:
        released = may_send(side, self.books.orders.open_on(symbol))
        order_id = self._next_id(strategy)
        self.record(
            r.OrderIntended(now, order_id, strategy, symbol, side, qty, close, reason, released)
        )
        if released:
            self._submit(order_id, symbol, side, qty)

    def _submit(self, order_id: str, symbol: str, side: Side, qty: Decimal) -> None:
        tif = self._assets[symbol].time_in_force
        self.out.commands.append(m.SubmitOrder(order_id, symbol, side, qty, tif))

    def _next_id(self, strategy: str) -> str:
        key = f"{strategy}.{self._date.isoformat()}"
        return f"{key}.{self.books.sequences.get(key, 0) + 1}"

    def _withdraw(self, order: Order, reason: Reason, now: datetime) -> None:
        if order.status is OrderStatus.WAITING:
            self._deny(order, now, "withdrawn")
            return
        if order.cancel_reason is None:
            self.record(r.CancelRequested(now, order.client_order_id, reason))
        if order.phase is not Phase.DONE:  # asked again on each bar, for a request can be lost
            self.out.commands.append(m.CancelOrder(order.client_order_id, order.broker_order_id))

    def _available(self, symbol: str) -> Decimal:
        """What the account holds of a symbol beyond the sells that are already open."""
        accounts = self.books.ledger.accounts.values()
        held = sum((a.positions[symbol].qty for a in accounts if symbol in a.positions), ZERO)
        on_ticker = self.books.orders.open_on(symbol)
        return held - sum((o.open_qty for o in on_ticker if o.side is Side.SELL), ZERO)

    def _on_foreign(self, update: m.OrderUpdate) -> None:
        """An order that this session did not intend: another coordinator's, or a human's."""
        owner = update.client_order_id.partition(".")[0]
        others = owner in self.books.others and owner not in self._own
        if update.execution is not None and not others:
            self._book(update, update.execution, UNASSIGNED, None)

    def _book(
        self, update: m.OrderUpdate, execution: m.Execution, owner: str, order: Order | None
    ) -> None:
        known = execution.execution_id in self.books.executions
        if known or (order is not None and execution.cum_qty in order.booked_until):
            return
        fee, fee_qty = self._fee(update.symbol, update.side, execution)
        self.record(
            r.FillBooked(
                execution.at,
                execution.execution_id,
                update.client_order_id,
                owner,
                update.symbol,
                update.side,
                execution.qty,
                execution.price,
                fee,
                fee_qty,
                execution.cum_qty,
            )
        )

    def _fee(self, symbol: str, side: Side, execution: m.Execution) -> tuple[Decimal, Decimal]:
        """(dollars, coins): a crypto buy pays in coin, a crypto sale in dollars, stocks nothing."""
        if not is_crypto(symbol):
            return ZERO, ZERO
        if side is Side.BUY:
            coins = (execution.qty * self._fee_rate).quantize(COIN, ROUND_HALF_UP)
            return coins * execution.price, coins
        dollars = execution.qty * execution.price * self._fee_rate
        return dollars.quantize(COIN, ROUND_HALF_UP), ZERO

    def _deny(self, order: Order, now: datetime, reason: str) -> None:
        self._move(order.client_order_id, OrderStatus.DENIED, reason, now)

    def _move(self, order_id: str, status: OrderStatus, reason: str, now: datetime) -> None:
        order = self.books.order(order_id)
        if not may_move(order.status, status):
            return
        self.record(r.OrderMoved(now, order_id, status, reason=reason))
        self._settle(order, now)

    def _settle(self, order: Order, now: datetime) -> None:
        """Once an order has ended: who wants out sells what filled, and the next one goes."""
        if order.is_open:
            return
        if order.cancel_reason is not None:
            mark = self.books.ledger.marks.get(order.symbol, order.decision_price)
            self.exit(order.strategy, order.symbol, mark, order.cancel_reason, now)
        self._release_next(order.symbol, now)

    def _release_next(self, symbol: str, now: datetime) -> None:
        while waiting := next_waiting(self.books.orders.open_on(symbol)):
            self.record(r.OrderReleased(now, waiting.client_order_id))
            self._submit(waiting.client_order_id, waiting.symbol, waiting.side, waiting.qty)


def _tells_news(order: Order, reported: Decimal, update: m.OrderUpdate) -> bool:
    return (
        may_move(order.status, update.status)
        or update.filled_qty > reported
        or bool(update.broker_order_id and not order.broker_order_id)
    )
