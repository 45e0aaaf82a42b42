"""The order desk: who wants in or out gets an intent, and every order is followed until its end.

Every change is a record first. An order goes out only if no opposite one stands on its ticker.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal

from coordinator.core import messages as m
from coordinator.core import records as r
from coordinator.core import risk
from coordinator.core.arbiter import next_waiting, outdated
from coordinator.core.blotter import Blotter
from coordinator.core.books import Books
from coordinator.core.crossing import Wish
from coordinator.core.flat import in_the_account
from coordinator.core.intents import Intents
from coordinator.core.lane import StrategySpec
from coordinator.core.orders import Order, OrderStatus, Phase, may_move
from coordinator.core.risk import Asset
from coordinator.core.values import Denial, Reason, Side


class OrderDesk:
    """Makes and follows the orders of one session. Call inside the EXACT decimal context.

    `own` are the strategies that are this coordinator's; `crossing` and `apart` are of the Intents.
    """

    def __init__(
        self,
        blotter: Blotter,
        assets: Mapping[str, Asset],
        session_date: date,
        own_strategies: frozenset[str],
        *,
        crossing: bool = False,
        apart: bool = False,
    ) -> None:
        self.blotter, self.books, self.assets = blotter, blotter.books, assets
        self.own = own_strategies
        self._apart = apart
        self.intents = Intents(blotter, assets, session_date, crossing=crossing, apart=apart)

    @classmethod
    def at_rest(cls, books: Books, assets: Mapping[str, Asset]) -> OrderDesk:
        """The desk between two sessions: of whatever the books know, and with nothing to intend."""
        return cls(Blotter(books), assets, date.min, frozenset(books.strategies()))

    def follow(self, specs: Iterable[StrategySpec], *, crossing: bool) -> None:
        """These strategies are this coordinator's from now on; orders of others go on."""
        self.own = frozenset(spec.name for spec in specs)
        self.intents.crossing = crossing

    def buy(self, strategy: str, symbol: str, qty: Decimal, close: Decimal, now: datetime) -> None:
        """Intend an entry decided at `close`."""
        self.intents.wish(Wish(strategy, symbol, Side.BUY, qty, close, Reason.SIGNAL), now)

    def deny_entry(
        self, strategy: str, symbol: str, qty: Decimal, close: Decimal, reason: str, now: datetime
    ) -> None:
        """Record that a limit refused an entry; the same refusal again says nothing new."""
        if self.books.denied.get((strategy, symbol)) != reason:
            order_id = self.intents.next_id(strategy)
            self.blotter.record(r.EntryDenied(now, order_id, strategy, symbol, qty, close, reason))

    def exit(
        self, strategy: str, symbol: str, close: Decimal, reason: Reason, now: datetime
    ) -> None:
        """Sell the whole position; first end the strategy's own open buy, if there is one."""
        own = [o for o in self.books.orders.open_of(strategy) if o.symbol == symbol]
        if own and not self._is_withdrawn(own, reason, now):
            return
        if symbol not in self.assets:
            return
        position = self.books.ledger[strategy].positions.get(symbol)
        qty = risk.exit_qty(self.assets[symbol], position, self._available(symbol))
        if qty:
            self.intents.wish(Wish(strategy, symbol, Side.SELL, qty, close, reason), now)

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
            self._deny(order, now, Denial.WITHDRAWN)
            return
        if order.cancel_reason is None:
            self.blotter.record(r.CancelRequested(now, order.client_order_id, reason))
        if order.phase is not Phase.DONE:  # asked again on each bar, for a request can be lost
            self.blotter.command(m.CancelOrder(order.client_order_id, order.broker_order_id))

    def cancel(self, strategy: str, now: datetime) -> None:
        """End a strategy's open buys and sell what they filled."""
        for order in list(self.books.orders.open_of(strategy)):
            if order.side is Side.BUY:
                self.withdraw(order, Reason.FLATTEN, now)

    def expire_waiting(self, symbols: Iterable[str], now: datetime) -> None:
        """Drop the entries that still wait when their ticker's next bar comes."""
        orders = self.books.orders
        for symbol in orders.open_among(symbols):
            for order in outdated(orders.open_on(symbol)):
                self._deny(order, now, Denial.STALE)

    def drop_waiting(self, now: datetime, *, older_than: timedelta = timedelta(0)) -> None:
        """Drop what still waits for its turn and is older than that, or cannot be sent any more."""
        for order in self.books.orders.open():
            too_old = now - order.decided_at >= older_than or order.symbol not in self.assets
            if order.status is OrderStatus.WAITING and too_old:
                self._deny(order, now, Denial.SESSION_OVER)

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
            if order is None or order.symbol not in self.assets:
                self.give_up(order_id, now)
            elif order.status is OrderStatus.SUBMITTED and not self._barred(order):
                self.intents.submit(order_id, order.symbol, order.side, order.qty)
        for symbol in dict.fromkeys(order.symbol for order in self.books.orders.open()):
            self._release_next(symbol, now)

    def give_up(self, order_id: str, now: datetime) -> None:
        """An order never reached the broker."""
        order = self.books.orders.get(order_id)
        if order is not None and order.status in (OrderStatus.SUBMITTED, OrderStatus.UNKNOWN):
            self._deny(order, now, Denial.NEVER_REACHED_BROKER)

    def move(self, order_id: str, status: OrderStatus, reason: str, now: datetime) -> None:
        """Move an order on our own account, if its state allows that."""
        order = self.books.order(order_id)
        if may_move(order.status, status):
            self.blotter.record(r.OrderMoved(now, order_id, status, reason=reason))
            self.settle(order, now)

    def settle(self, order: Order, now: datetime) -> None:
        """Once an order has ended: who wants out sells what filled, and the next one goes."""
        if order.is_open:
            return
        if order.cancel_reason not in (None, Reason.REMOVED):
            mark = self.books.ledger.marks.get(order.symbol, order.decision_price)
            self.exit(order.strategy, order.symbol, mark, order.cancel_reason, now)
            self.intents.end_minute(now)
        if not self._apart:
            self._release_next(order.symbol, now)

    def _available(self, symbol: str) -> Decimal:
        """What the account holds of a symbol beyond the sells that are open or wished for.

        Of strategies apart it is no less than what any one of them holds beyond its own.
        """
        left = in_the_account(self.books, symbol)
        for order in self.books.orders.open_on(symbol):
            if order.side is Side.SELL:
                left -= order.open_qty
        return left - self.intents.sale_wished(symbol)

    def _deny(self, order: Order, now: datetime, reason: Denial) -> None:
        self.move(order.client_order_id, OrderStatus.DENIED, reason, now)

    def _barred(self, order: Order) -> Denial | None:
        """Why an entry may not go any more, since an operator halted it."""
        return self.books.halted(order.strategy) if order.side is Side.BUY else None

    def _release_next(self, symbol: str, now: datetime) -> None:
        while waiting := next_waiting(self.books.orders.open_on(symbol)):
            if barred := self._barred(waiting):
                self._deny(waiting, now, barred)
                continue
            self.blotter.record(r.OrderReleased(now, waiting.client_order_id))
            self.intents.submit(waiting.client_order_id, waiting.symbol, waiting.side, waiting.qty)
