"""Whether an order may still be sent when its turn comes, and how much of a position can be sold.

An order that waits, for an opposite one or for a restart, was decided on books that others may have
moved since. No sale may exceed what the account has.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from coordinator.core import risk
from coordinator.core.books import Books
from coordinator.core.flat import in_the_account
from coordinator.core.intents import Intents
from coordinator.core.orders import Order
from coordinator.core.risk import Asset
from coordinator.core.session import SessionPlan
from coordinator.core.values import ZERO, Denial, Side


@dataclass(frozen=True, slots=True)
class Clearance:
    """Judges on the books as they are. Call inside the EXACT decimal context.

    `plan` is None between two sessions.
    """

    books: Books
    intents: Intents
    assets: Mapping[str, Asset]
    plan: SessionPlan | None

    def sellable(self, strategy: str, symbol: str, available: Decimal) -> Decimal:
        """Units of a strategy's position that can be ordered if so many are available."""
        position = self.books.ledger[strategy].positions.get(symbol)
        return risk.exit_qty(self.assets[symbol], position, available)

    def available(self, symbol: str) -> Decimal:
        """Units that the account holds of a symbol, less the sells that are open or wished for.

        Of strategies `apart` it is no less than what any of them holds beyond its own sells.
        """
        left = in_the_account(self.books, symbol)
        for orders in self.books.all_orders:
            for order in orders.open_on(symbol):
                if order.side is Side.SELL:
                    left -= order.open_qty
        return left - self.intents.wished(symbol, Side.SELL)

    def denial(self, order: Order, now: datetime) -> Denial | None:
        """Why an order may not be sent any more; None if it may.

        For an entry: a halt, a freeze, a book that others have taken from meanwhile, or a closed
        market (the broker would keep a buy that comes after the close, and fill it at the next
        open). For an exit: a human has sold, or the broker has taken back, what it was to sell.
        """
        if order.side is Side.SELL:
            available = self.available(order.symbol) + order.open_qty
            left = self.sellable(order.strategy, order.symbol, available)
            return Denial.NOT_HELD if left < order.qty else None
        if halted := self.books.halts.denial(order.strategy):
            return halted
        if self.books.freezing(order.symbol):
            return Denial.FROZEN
        last_end = self.plan.last_end(order.symbol) if self.plan else None
        if last_end is not None and now >= last_end:
            return Denial.STALE
        held = sum((own.hold for own in self.books.orders.open_of(order.strategy)), ZERO)
        lacks = held - self.books.ledger[order.strategy].cash
        return Denial.BUYING_POWER if lacks > 0 and lacks > self._overpaid(order) else None

    def _overpaid(self, order: Order) -> Decimal:
        """Dollars beyond their holds that its strategy's buys have cost since it was decided.

        They deny nothing: fills count from the next minute on, whichever of them come first.
        """
        return sum(
            (
                posting.qty * (posting.price - own.decision_price)
                for own in self.books.orders
                if own.strategy == order.strategy and own.side is Side.BUY
                for posting in own.executions.postings
                if posting.at >= order.decided_at
            ),
            ZERO,
        )
