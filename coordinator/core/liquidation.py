"""Liquidation on an operator's word: of all strategies after a kill, of one after a flatten.

Open buys are ended at once; positions are sold while their market is open, and again until nothing
is left that could be sold. UNASSIGNED's positions are never sold.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from coordinator.core.books import Books
from coordinator.core.desk import OrderDesk, reason_to_sell_after
from coordinator.core.flat import sellable
from coordinator.core.ledger import Position
from coordinator.core.left_behind import is_left_standing
from coordinator.core.orders import Order, OrderStatus
from coordinator.core.reload import Removal
from coordinator.core.risk import Asset
from coordinator.core.session import Hours, SessionPlan
from coordinator.core.values import Reason, Side, is_crypto

REFUSED_PAUSE = timedelta(minutes=1)
"""How long after the broker has refused a sale it is not tried again."""
_NOT_SENT = OrderStatus.WAITING, OrderStatus.SUBMITTED
"""At a start these are states of orders that the broker does not know."""


@dataclass(frozen=True, slots=True)
class Liquidation:
    """Ends the orders and sells the positions of the strategies that are to be flat.

    `hours` are the exchange's sessions around the plan's, for positions that the plan does not
    trade; `traded` has each (strategy, ticker) of the configuration.
    """

    books: Books
    desk: OrderDesk
    assets: Mapping[str, Asset]
    plan: SessionPlan
    hours: Sequence[Hours]
    traded: frozenset[tuple[str, str]]

    def go(self, now: datetime) -> None:
        """End the buys of the strategies to be flat, and sell what they hold that trades now."""
        to_flatten = self._to_flatten()
        self._sell_given_up(now)
        for strategy in to_flatten:
            self.desk.withdraw_buys(strategy, now)
            self._end_standing_sales(strategy, now)
            busy = {order.symbol for order in self.books.orders.open_of(strategy)}
            for symbol, position in list(self.books.ledger[strategy].positions.items()):
                if symbol not in busy:
                    self._sell(strategy, symbol, position, now)
        if to_flatten:
            self.desk.intents.end_minute(now)

    def end_orders(self, strategy: str, symbol: str, removal: Removal, now: datetime) -> None:
        """End a strategy's open orders on a ticker that it does not trade any more."""
        for order in list(self.books.orders.open_of(strategy, symbol)):
            goes_on = order.side is Side.SELL and removal is Removal.FLATTEN
            if order.cancel_reason is None and not goes_on:
                self.desk.withdraw(order, Reason.REMOVED, now)

    def end_untraded(self, now: datetime) -> None:
        """End the open orders of what left the configuration while nobody ran, but what is to be
        sold goes on. A session without strategies leaves those at the broker, and sends no buys."""
        for order in self.books.orders.open():
            whose = order.strategy, order.symbol
            if not self.traded:
                if order.side is Side.BUY and order.status in _NOT_SENT:
                    self.desk.withdraw(order, Reason.REMOVED, now)
            elif order.strategy in self.books.days and whose not in self.traded:
                self.end_orders(*whose, self._removal(*whose), now)

    def unfinished(self) -> dict[tuple[str, str], Reason]:
        """By (strategy, ticker), why a strategy wanted out whose order ended while nobody ran:
        what it holds was not sold. It has ordered nothing since."""
        came = (o for o in self.books.orders if _was_judged(o))
        last = {(order.strategy, order.symbol): order for order in came}
        wanted = {
            whose: reason_to_sell_after(order, self.assets)
            for whose, order in last.items()
            if whose in self.traded and _may_have_left(order)
        }
        return {whose: reason for whose, reason in wanted.items() if reason is not None}

    def finish_exits(self, symbols: Collection[str], now: datetime) -> None:
        """Sell what is `unfinished` on these tickers, as the orders' own end would have."""
        for (strategy, symbol), reason in self.unfinished().items():
            if symbol in symbols and self.can_trade(symbol, now):
                self.desk.exit(strategy, symbol, self.books.ledger.marks[symbol], reason, now)
        self.desk.intents.end_minute(now)

    def _removal(self, strategy: str, symbol: str) -> Removal:
        """What becomes of a position that is not traded any more."""
        given_up = symbol in self.books.given_up.get(strategy, ())
        is_sold = given_up or self.books.halts.sells(strategy)
        return Removal.FLATTEN if is_sold else Removal.DORMANT

    def _sell_given_up(self, now: datetime) -> None:
        """Sell what an edited configuration has given up, and end the orders that it left open."""
        for order in self.books.orders.open():
            why, has_bars = order.cancel_reason, (order.strategy, order.symbol) in self.traded
            left = why not in (None, Reason.FLATTEN) and not has_bars  # of FLATTEN, `go` asks again
            if why is not None and (why is Reason.REMOVED or left):
                self.desk.withdraw(order, why, now)  # a request can be lost
        for strategy, symbols in self.books.given_up.items():
            for symbol in symbols if strategy in self.books.days else ():
                position = self.books.ledger[strategy].positions.get(symbol)
                if position is not None and (strategy, symbol) not in self.traded:
                    self.desk.withdraw_buys(strategy, now, symbol)
                    self._end_standing_sales(strategy, now, symbol)
                    self._sell(strategy, symbol, position, now)
                    self.desk.intents.end_minute(now)

    def _end_standing_sales(self, strategy: str, now: datetime, symbol: str = "") -> None:
        """End the sales that the price may have left; what is left of them is ordered anew.

        The ticker may have no bars: its strategy is not configured, or nobody runs it.
        """
        for order in list(self.books.orders.open_of(strategy, symbol)):
            if is_left_standing(order, now):
                self.desk.withdraw(order, Reason.FLATTEN, now)

    def _sell(self, strategy: str, symbol: str, position: Position, now: datetime) -> None:
        if self._can_sell(strategy, symbol, now):
            mark = self.books.ledger.marks.get(symbol, position.avg_price)
            self.desk.exit(strategy, symbol, mark, Reason.FLATTEN, now)

    def is_flat(self, now: datetime) -> bool:
        """Whether the strategies to be flat have no open order, and nothing to sell now.

        An order that went to another coordinator with its strategy is for that one to end.
        """
        to_flatten = self._to_flatten()
        has_orders = any(self.books.orders.open_of(strategy) for strategy in to_flatten)
        left = sellable(self.books, self.assets, to_flatten)
        return not has_orders and not any(self.can_trade(h.symbol, now) for h in left)

    def can_trade(self, symbol: str, now: datetime) -> bool:
        """Whether the broker takes an order on a ticker now, whether or not the plan trades it."""
        open_now = self.plan.is_open(symbol, now) or any(h.covers(now) for h in self.hours)
        return symbol in self.assets and (is_crypto(symbol) or open_now)

    def _to_flatten(self) -> list[str]:
        return list(filter(self.books.halts.sells, self.books.strategies()))

    def _can_sell(self, strategy: str, symbol: str, now: datetime) -> bool:
        """Whether a position may be sold now: not if the broker has just refused to."""
        return self.can_trade(symbol, now) and not any(
            order.status is OrderStatus.REJECTED and now - order.decided_at < REFUSED_PAUSE
            for order in self.books.orders
            if (order.strategy, order.symbol, order.side) == (strategy, symbol, Side.SELL)
        )


def _was_judged(order: Order) -> bool:
    """Whether the broker has had an order; one that it refused waits for the next signal."""
    return not order.never_at_broker or order.status is OrderStatus.REJECTED


def _may_have_left(order: Order) -> bool:
    """Whether an order has ended, and its strategy may hold something because of it."""
    if order.side is Side.BUY or order.cancel_reason is None:
        return not order.is_open and bool(order.booked_qty)
    return not order.is_open and order.booked_qty < order.qty
