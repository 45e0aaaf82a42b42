"""The order desk: turns entries and exits into intents, and follows every order until its end.

Every change is a record first. An order waits while an opposite one on its ticker is at the broker.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal

from coordinator.core import messages as m
from coordinator.core import records as r
from coordinator.core.arbiter import next_waiting, outdated
from coordinator.core.blotter import Blotter
from coordinator.core.books import Books
from coordinator.core.clearance import Clearance
from coordinator.core.crossing import Wish
from coordinator.core.intents import Intents
from coordinator.core.left_behind import left_behind
from coordinator.core.orders import Order, OrderStatus, Phase, may_move
from coordinator.core.risk import Asset
from coordinator.core.session import SessionPlan
from coordinator.core.values import Bar, Denial, Reason, Side

NO_LIMIT = Decimal("Infinity")
"""Units of a sale that may be of the whole position."""


class OrderDesk:
    """Makes and follows the orders of one session. Call inside the EXACT decimal context.

    `plan` is None between two sessions. `crossing` and `apart` are as in `Intents`.
    """

    def __init__(
        self,
        blotter: Blotter,
        assets: Mapping[str, Asset],
        plan: SessionPlan | None,
        *,
        crossing: bool = False,
        apart: bool = False,
    ) -> None:
        self.blotter, self.books, self.assets = blotter, blotter.books, assets
        self._plan, self._apart = plan, apart
        session_date = plan.date if plan else date.min
        self.intents = Intents(blotter, assets, session_date, crossing=crossing, apart=apart)
        self._clearance = Clearance(blotter.books, self.intents, assets, plan)

    @classmethod
    def at_rest(cls, books: Books, assets: Mapping[str, Asset]) -> OrderDesk:
        """The desk between two sessions: it follows the orders in the books, and intends none."""
        return cls(Blotter(books), assets, None)

    def buy(self, strategy: str, symbol: str, qty: Decimal, close: Decimal, now: datetime) -> None:
        """Intend an entry decided at `close`."""
        self.intents.wish(Wish(strategy, symbol, Side.BUY, qty, close, Reason.SIGNAL), now)

    def deny_entry(
        self, strategy: str, symbol: str, qty: Decimal, close: Decimal, reason: str, now: datetime
    ) -> None:
        """Record that a limit refused an entry, unless the last refusal had the same reason."""
        if self.books.denied.get((strategy, symbol)) != reason:
            order_id = self.intents.next_id(strategy)
            self.blotter.record(r.EntryDenied(now, order_id, strategy, symbol, qty, close, reason))

    def exit(
        self,
        strategy: str,
        symbol: str,
        close: Decimal,
        reason: Reason,
        now: datetime,
        *,
        at_most: Decimal = NO_LIMIT,
    ) -> None:
        """Sell the whole position, or `at_most` so many units of it.

        An open buy of the strategy is ended first (see `settle`). Between two sessions nothing is
        ordered: the next one does it.
        """
        if self._plan is None:
            return
        own = self.books.orders.open_of(strategy, symbol)
        if own and not self._end_buys(own, reason, now):
            return
        if symbol not in self.assets:
            return
        available = min(self._clearance.available(symbol), at_most)
        qty = self._clearance.sellable(strategy, symbol, available)
        if qty:
            self.intents.wish(Wish(strategy, symbol, Side.SELL, qty, close, reason), now)

    def _end_buys(self, own: Collection[Order], reason: Reason, now: datetime) -> bool:
        """End a strategy's open buys on a ticker; returns whether it can sell there now."""
        if any(order.side is Side.SELL for order in own):
            return False
        for order in own:
            if order.cancel_reason in (None, Reason.REMOVED):
                self.withdraw(order, reason, now)
        return not any(order.is_open for order in own)

    def withdraw(self, order: Order, reason: Reason, now: datetime) -> None:
        """End an open order, or ask for that again: a request can be lost. What its strategy holds
        is then sold, unless `reason` is REMOVED.
        """
        if order.status is OrderStatus.WAITING:
            self._deny(order, now, Denial.WITHDRAWN)
            return
        if order.cancel_reason in (None, Reason.REMOVED) and order.cancel_reason is not reason:
            self.blotter.record(r.CancelRequested(now, order.client_order_id, reason))
        self._cancel(order)

    def _cancel(self, order: Order) -> None:
        if order.phase is not Phase.DONE:
            self.blotter.command(m.CancelOrder(order.client_order_id, order.broker_order_id))

    def withdraw_buys(self, strategy: str, now: datetime, symbol: str = "") -> None:
        """End a strategy's open buys, on all tickers or on one, and sell what they filled."""
        for order in list(self.books.orders.open_of(strategy, symbol)):
            if order.side is Side.BUY:
                self.withdraw(order, Reason.FLATTEN, now)

    def on_next_bars(self, bars: Sequence[Bar], now: datetime) -> None:
        """Go over the open orders on tickers whose next bar has come.

        Cancellations are asked for again: a request can be lost, and a strategy need not want out
        twice. The entries that still wait are dropped. What the price has left behind is ended, and
        what is left of a sale ordered anew.
        """
        orders = self.books.orders
        busy = orders.open_among([bar.symbol for bar in bars])
        newest = {bar.symbol: bar for bar in bars} if busy else {}
        for symbol in busy:
            for order in orders.open_on(symbol):
                if order.cancel_reason is not None:
                    self._cancel(order)
            for order in outdated(orders.open_on(symbol)):
                self._deny(order, now, Denial.STALE)
            for order in left_behind(orders.open_on(symbol), newest[symbol]):
                is_sale = order.side is Side.SELL
                self.withdraw(order, order.reason if is_sale else Reason.REMOVED, now)

    def drop_waiting(self, now: datetime, *, older_than: timedelta = timedelta(0)) -> None:
        """Drop orders that have waited for `older_than`, or cannot be sent any more."""
        for order in self.books.orders.open():
            too_old = now - order.decided_at >= older_than or order.symbol not in self.assets
            if order.status is OrderStatus.WAITING and too_old:
                self._deny(order, now, Denial.SESSION_OVER)

    def drop_barred(self, now: datetime) -> None:
        """Drop waiting orders that may not be sent any more (see `Clearance`)."""
        for order in self.books.orders.open():
            if order.status is not OrderStatus.WAITING:
                continue  # dropping another one may have sent it
            if barred := self._clearance.denial(order, now):
                self._drop(order, now, barred)

    def reconsider(self, commands: Iterable[m.Command], now: datetime) -> None:
        """Command again what was not sent yet, on books that others have moved since. Orders that
        may not be sent any more are dropped."""
        for command in commands:
            if isinstance(command, m.SubmitOrder):
                order = self.books.order(command.client_order_id)
                if barred := self._clearance.denial(order, now):
                    self._drop(order, now, barred)
                    continue
            self.blotter.command(command)

    def resume(self, unsent: Iterable[str], now: datetime) -> None:
        """Send again, under the same ids, what a restart found `unsent`; then what may be released.

        Those that are to be cancelled, or may not be sent any more, are not. A look-up tells if the
        broker has them.
        """
        for order_id in unsent:
            order = self.books.orders.get(order_id)
            if order is None or order.symbol not in self.assets:
                self.give_up(order_id, now)
            elif order.status is OrderStatus.SUBMITTED and not self._is_off(order, now):
                self.intents.submit(order_id, order.symbol, order.side, order.qty)
        for symbol in dict.fromkeys(order.symbol for order in self.books.orders.open()):
            self._release_next(symbol, now)

    def give_up(self, order_id: str, now: datetime) -> None:
        """Deny an order that never reached the broker."""
        order = self.books.orders.get(order_id)
        if order is not None and order.status in (OrderStatus.SUBMITTED, OrderStatus.UNKNOWN):
            self._deny(order, now, Denial.NEVER_REACHED_BROKER)

    def move(self, order_id: str, status: OrderStatus, reason: str, now: datetime) -> None:
        """Move an order by our own decision, if its state allows that."""
        order = self.books.order(order_id)
        if may_move(order.status, status):
            self.blotter.record(r.OrderMoved(now, order_id, status, reason=reason))
            self.settle(order, now)

    def refuse(self, order_id: str, reason: str, available: Decimal | None, now: datetime) -> None:
        """Note that the broker refused an order. Of a sale, sell what it has `available` instead,
        before what waited for the sale is released.

        An order that a human has placed may hold the rest.
        """
        order = self.books.order(order_id)
        if not may_move(order.status, OrderStatus.REJECTED):
            return
        self.blotter.record(r.OrderMoved(now, order_id, OrderStatus.REJECTED, reason=reason))
        is_sale = order.side is Side.SELL and order.cancel_reason is None
        if is_sale and available is not None and available < order.qty:
            self._exit_again(order, now, available)
        self.settle(order, now)

    def settle(self, order: Order, now: datetime) -> None:
        """Once an order has ended: sell what is left to sell after it; release the next."""
        if order.is_open:
            return
        reason = reason_to_sell_after(order, self.assets)
        if reason is not None and not self._bought_since(order):
            mark = self.books.ledger.marks.get(order.symbol, order.decision_price)
            self.exit(order.strategy, order.symbol, mark, reason, now)
            self.intents.end_minute(now)
        if not self._apart:
            self._release_next(order.symbol, now)

    def _bought_since(self, ended: Order) -> bool:
        """Whether its strategy bought the ticker again, so that late news is no reason to sell."""
        whose = ended.strategy, ended.symbol
        own = [o for o in self.books.orders if (o.strategy, o.symbol) == whose]
        later = [o for o in own[own.index(ended) + 1 :] if not o.never_at_broker]
        return bool(later) and later[-1].side is Side.BUY

    def _deny(self, order: Order, now: datetime, reason: Denial) -> None:
        self.move(order.client_order_id, OrderStatus.DENIED, reason, now)

    def _drop(self, order: Order, now: datetime, reason: Denial) -> None:
        """Deny an order; what there is left to sell of an exit is ordered anew in a session."""
        self._deny(order, now, reason)
        if order.side is Side.SELL and self._plan is not None:
            self._exit_again(order, now)

    def _exit_again(self, sale: Order, now: datetime, at_most: Decimal = NO_LIMIT) -> None:
        """Order anew what is left to sell of an exit that has ended unfilled."""
        whose = sale.strategy, sale.symbol, sale.decision_price
        self.exit(*whose, sale.reason, now, at_most=at_most)
        self.intents.end_minute(now)

    def _is_off(self, order: Order, now: datetime) -> bool:
        return order.cancel_reason is not None or bool(self._clearance.denial(order, now))

    def _release_next(self, symbol: str, now: datetime) -> None:
        while waiting := next_waiting(self.books.orders.open_on(symbol)):
            if barred := self._clearance.denial(waiting, now):
                self._drop(waiting, now, barred)
                continue
            self.blotter.record(r.OrderReleased(now, waiting.client_order_id))
            self.intents.submit(waiting.client_order_id, waiting.symbol, waiting.side, waiting.qty)


def reason_to_sell_after(ended: Order, assets: Mapping[str, Asset]) -> Reason | None:
    """Why a strategy sells what it still holds after an order: that was withdrawn, or it is an exit
    that sold as much as one order may."""
    if ended.cancel_reason is not None:
        return None if ended.cancel_reason is Reason.REMOVED else ended.cancel_reason
    if ended.side is Side.BUY or ended.status is not OrderStatus.FILLED:
        return None
    if ended.booked_qty < ended.qty and not ended.corrected:
        return None  # REST tells first that it is filled, and then its executions, one by one
    asset = assets.get(ended.symbol)
    whole = asset is None or not asset.is_most(ended.qty, ended.decision_price)
    return None if whole else ended.reason
