"""The order desk: wishes become intents, and intents orders, one at a time where they must.

Every change is a record first. An order goes out only if no opposite one stands on its ticker;
where crossing is on, opposite wishes of one minute change hands inside first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal

from coordinator.core import messages as m
from coordinator.core import records as r
from coordinator.core import risk
from coordinator.core.arbiter import may_send, next_waiting, outdated
from coordinator.core.books import Books
from coordinator.core.crossing import Cross, Wish, net
from coordinator.core.flat import in_the_account
from coordinator.core.orders import Order, OrderStatus, Phase, may_move
from coordinator.core.risk import Asset
from coordinator.core.values import ZERO, Reason, Side


class OrderDesk:
    """Makes and follows the orders of one session. Call inside the EXACT decimal context.

    `own` are the strategies that are this coordinator's. With `crossing`, wishes wait for
    `end_minute`, which nets them. Strategies `apart` are each alone at a broker of its own, so
    that no order waits for another's.
    """

    def __init__(
        self,
        books: Books,
        assets: Mapping[str, Asset],
        session_date: date,
        own_strategies: frozenset[str],
        *,
        crossing: bool = False,
        apart: bool = False,
    ) -> None:
        self.books = books
        self.out = m.Outcome()
        self._assets = assets
        self._date = session_date
        self.own = own_strategies
        self.crossing = crossing
        self._apart = apart
        self._wishes: list[Wish] = []
        self._keys: dict[str, str] = {}
        """What each strategy's order ids of this session begin with."""

    def record(self, record: r.Record) -> None:
        """Let a record change the books, and hand it out to be kept."""
        self.books.apply(record)
        self.out.records.append(record)

    def buy(self, strategy: str, symbol: str, qty: Decimal, close: Decimal, now: datetime) -> None:
        """Intend an entry decided at `close`."""
        self._wish(Wish(strategy, symbol, Side.BUY, qty, close, Reason.SIGNAL), now)

    def wished(self, strategy: str) -> int:
        """Entries of a strategy that wait for the minute's end."""
        return sum(w.strategy == strategy and w.side is Side.BUY for w in self._wishes)

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
        if own and not self._is_withdrawn(own, reason, now):
            return
        if symbol not in self._assets:
            return
        position = self.books.ledger[strategy].positions.get(symbol)
        qty = risk.exit_qty(self._assets[symbol], position, self._available(symbol))
        if qty:
            self._wish(Wish(strategy, symbol, Side.SELL, qty, close, reason), now)

    def _is_withdrawn(self, own: Sequence[Order], reason: Reason, now: datetime) -> bool:
        """End a strategy's open buys on a ticker, so that it can sell; whether they have ended."""
        if any(order.side is Side.SELL for order in own):
            return False
        for order in own:
            self.withdraw(order, reason, now)
        return not any(order.is_open for order in own)

    def withdraw(self, order: Order, reason: Reason, now: datetime) -> None:
        """End an open order; what it has filled is sold, unless its strategy was `removed`."""
        if order.status is OrderStatus.WAITING:
            self._deny(order, now, "withdrawn")
            return
        if order.cancel_reason is None:
            self.record(r.CancelRequested(now, order.client_order_id, reason))
        if order.phase is not Phase.DONE:  # asked again on each bar, for a request can be lost
            self.out.commands.append(m.CancelOrder(order.client_order_id, order.broker_order_id))

    def cancel(self, strategy: str, now: datetime) -> None:
        """End a strategy's open buys and sell what they filled."""
        for order in list(self.books.orders.open_of(strategy)):
            if order.side is Side.BUY:
                self.withdraw(order, Reason.FLATTEN, now)

    def end_minute(self, now: datetime) -> None:
        """All wishes of a minute are known: net them, and order the rest."""
        if not self._wishes:
            return
        wishes, self._wishes = self._wishes, []
        crosses, rest = net(wishes)
        for cross in crosses:
            self._cross(cross, now)
        for wish in rest:
            if risk.orderable(self._assets[wish.symbol], wish.side, wish.qty, wish.close):
                self._intend(wish, now)

    def expire_waiting(self, symbols: Iterable[str], now: datetime) -> None:
        """Drop the entries that still wait when their ticker's next bar comes."""
        orders = self.books.orders
        for symbol in orders.open_among(symbols):
            for order in outdated(orders.open_on(symbol)):
                self._deny(order, now, "stale")

    def drop_waiting(self, now: datetime, *, older_than: timedelta = timedelta(0)) -> None:
        """Drop what still waits for its turn and is older than that, or cannot be sent any more."""
        for order in self.books.orders.open():
            too_old = now - order.decided_at >= older_than or order.symbol not in self._assets
            if order.status is OrderStatus.WAITING and too_old:
                self._deny(order, now, "session_over")

    def drop_barred(self, now: datetime) -> None:
        """Drop the entries that wait for their turn, and that an operator has halted since."""
        for order in self.books.orders.open():
            if order.status is OrderStatus.WAITING and (barred := self._barred(order)):
                self._deny(order, now, barred)

    def resume(self, unsent: Iterable[str], now: datetime) -> None:
        """Send again, under the same ids, what a restart found never sent; then those in line.

        After a kill or a pause no buy is: whether it stands at the broker after all, a look tells.
        """
        for order_id in unsent:
            order = self.books.orders.get(order_id)
            if order is None or order.symbol not in self._assets:
                self.give_up(order_id, now)
            elif order.status is OrderStatus.SUBMITTED and not self._barred(order):
                self._submit(order_id, order.symbol, order.side, order.qty)
        for symbol in dict.fromkeys(order.symbol for order in self.books.orders.open()):
            self._release_next(symbol, now)

    def give_up(self, order_id: str, now: datetime) -> None:
        """An order never reached the broker."""
        order = self.books.orders.get(order_id)
        if order is not None and order.status in (OrderStatus.SUBMITTED, OrderStatus.UNKNOWN):
            self._deny(order, now, "never_reached_broker")

    def move(self, order_id: str, status: OrderStatus, reason: str, now: datetime) -> None:
        """Move an order on our own account, if its state allows that."""
        order = self.books.order(order_id)
        if may_move(order.status, status):
            self.record(r.OrderMoved(now, order_id, status, reason=reason))
            self.settle(order, now)

    def settle(self, order: Order, now: datetime) -> None:
        """Once an order has ended: who wants out sells what filled, and the next one goes."""
        if order.is_open:
            return
        if order.cancel_reason not in (None, Reason.REMOVED):
            mark = self.books.ledger.marks.get(order.symbol, order.decision_price)
            self.exit(order.strategy, order.symbol, mark, order.cancel_reason, now)
            self.end_minute(now)
        if not self._apart:
            self._release_next(order.symbol, now)

    def _wish(self, wish: Wish, now: datetime) -> None:
        if self.crossing:
            self._wishes.append(wish)
        else:
            self._intend(wish, now)

    def _intend(self, wish: Wish, now: datetime) -> None:
        on_ticker = () if self._apart else self.books.orders.open_on(wish.symbol)
        released = not on_ticker or may_send(wish.side, on_ticker)
        order_id = self._record_intent(wish, wish.qty, now, released=released)
        if released:
            self._submit(order_id, wish.symbol, wish.side, wish.qty)

    def _record_intent(self, wish: Wish, qty: Decimal, now: datetime, *, released: bool) -> str:
        order_id = self._next_id(wish.strategy)
        self.record(
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
        """Two orders that fill each other at the last price, without a fee."""
        for wish in (cross.seller, cross.buyer):
            order_id = self._record_intent(wish, cross.qty, now, released=False)
            self.record(
                r.FillBooked(
                    now,
                    f"{r.CROSS}{order_id}",
                    order_id,
                    wish.strategy,
                    wish.symbol,
                    wish.side,
                    cross.qty,
                    cross.seller.close,
                    ZERO,
                    ZERO,
                    cross.qty,
                )
            )
            self.record(
                r.OrderMoved(
                    now,
                    order_id,
                    OrderStatus.FILLED,
                    filled_qty=cross.qty,
                    filled_avg_price=cross.seller.close,
                    reason="crossed",
                )
            )

    def _submit(self, order_id: str, symbol: str, side: Side, qty: Decimal) -> None:
        tif = self._assets[symbol].time_in_force
        self.out.commands.append(m.SubmitOrder(order_id, symbol, side, qty, tif))

    def _next_id(self, strategy: str) -> str:
        key = self._keys.get(strategy)
        if key is None:
            key = self._keys[strategy] = f"{strategy}.{self._date.isoformat()}"
        return f"{key}.{self.books.sequences.get(key, 0) + 1}"

    def _available(self, symbol: str) -> Decimal:
        """What the account holds of a symbol beyond the sells that are open or wished for.

        Of strategies apart it is no less than what any one of them holds beyond its own.
        """
        left = in_the_account(self.books, symbol)
        for order in self.books.orders.open_on(symbol):
            if order.side is Side.SELL:
                left -= order.open_qty
        for wish in self._wishes:
            if wish.symbol == symbol and wish.side is Side.SELL:
                left -= wish.qty
        return left

    def _deny(self, order: Order, now: datetime, reason: str) -> None:
        self.move(order.client_order_id, OrderStatus.DENIED, reason, now)

    def _barred(self, order: Order) -> str:
        """Why an entry may not go any more, since an operator halted it."""
        return self.books.halted(order.strategy) if order.side is Side.BUY else ""

    def _release_next(self, symbol: str, now: datetime) -> None:
        while waiting := next_waiting(self.books.orders.open_on(symbol)):
            if barred := self._barred(waiting):
                self._deny(waiting, now, barred)
                continue
            self.record(r.OrderReleased(now, waiting.client_order_id))
            self._submit(waiting.client_order_id, waiting.symbol, waiting.side, waiting.qty)
