"""The gate that every entry must pass: the account's controls, and what holds without any.

Beside the limits (`core/controls.py`), an entry is refused if it is a duplicate, comes after its
session, or exceeds the account's buying power. None of this ever holds back an exit.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from coordinator.core.books import Books
from coordinator.core.controls import Controls
from coordinator.core.intents import Intents
from coordinator.core.session import SessionPlan
from coordinator.core.values import MINUTE, ZERO, Bar, Denial, Side


@dataclass(slots=True)
class Gate:
    """Judges entries one after another, given what the account holds and has on order already.

    With `apart`, each strategy is judged as if it had an account of its own.
    """

    books: Books
    intents: Intents
    plan: SessionPlan
    controls: Controls
    apart: bool = False
    _sent: dict[str, list[datetime]] = field(default_factory=dict)
    _spendable: Decimal | None = None
    """What the account has free for the bars that are being decided on; None until it is asked."""

    def begin(self) -> None:
        """Begin to judge what is decided on one batch of bars: what is free is summed anew."""
        self._spendable = None

    def refuses(
        self, strategy: str, qty: Decimal, cost: Decimal, bar: Bar, now: datetime
    ) -> Denial | None:
        """Why a buy of `qty` for `cost` at the bar's close may not go out; None if it may."""
        last_end, limits = self.plan.last_end(bar.symbol), self.controls
        if last_end is None or now >= last_end:
            return Denial.SESSION
        if _above(qty, limits.max_order_qty):
            return Denial.MAX_ORDER_QTY
        if _above(cost, limits.max_order_notional):
            return Denial.MAX_ORDER_NOTIONAL
        most = limits.max_symbol_notional
        if most is not None and self._exposure(strategy, bar) + cost > most:
            return Denial.MAX_SYMBOL_NOTIONAL
        if any(o.side is Side.BUY for o in self.books.orders.open_of(strategy, bar.symbol)):
            return Denial.DUPLICATE
        if not self.apart and cost > self._free():
            return Denial.BUYING_POWER
        return None

    def spend(self, cost: Decimal) -> None:
        """Note that an entry of so many dollars will be sent."""
        if self._spendable is not None:
            self._spendable -= cost

    def count_order(self, strategy: str, tickers: int, now: datetime) -> bool:
        """Count an order of a strategy; False if it has used up its orders of the minute."""
        sent = [at for at in self._sent.get(strategy, ()) if now - at < MINUTE]
        if len(sent) >= self.controls.rate(tickers):
            return False
        self._sent[strategy] = [*sent, now]
        return True

    def _exposure(self, strategy: str, bar: Bar) -> Decimal:
        """Dollars of a ticker, at the bar's close, that the account holds or is buying."""
        if self.apart:
            own = self.books.ledger[strategy].positions.get(bar.symbol)
            held = own.qty if own else ZERO
            on_ticker = self.books.orders.open_of(strategy, bar.symbol)
        else:
            held = self.books.ledger.held(bar.symbol)
            on_ticker = self.books.orders.open_on(bar.symbol)
        coming = sum((o.open_qty for o in on_ticker if o.side is Side.BUY), ZERO)
        wished = self.intents.wished(bar.symbol, Side.BUY)
        return (held + coming + wished) * bar.close

    def _free(self) -> Decimal:
        """What the account has free, less `spend`."""
        if self._spendable is None:
            self._spendable = free_in_account(self.books)
        return self._spendable


def free_in_account(books: Books) -> Decimal:
    """Dollars of the account that no open buy holds, whoever sent it.

    It is less than all strategies have if a book is in debt.
    """
    holds = (order.hold for orders in books.all_orders for order in orders.open())
    return books.ledger.net_cash() - sum(holds, ZERO)


def _above(amount: Decimal, most: Decimal | None) -> bool:
    return most is not None and amount > most
