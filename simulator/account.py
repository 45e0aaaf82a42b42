"""What the account is worth, and what its open orders leave of that for new ones.

Rule: nothing is stored here; all is computed from the ledger, the open orders and the last closes.
"""

from decimal import Decimal

from simulator.ledger import Funds, Ledger, funds, held_qty
from simulator.market import Market
from simulator.money import CRYPTO_PRICE_STEP, ZERO, exact, half_even
from simulator.order_table import OrderTable
from simulator.rules import (
    check_available,
    check_cost,
    check_funds,
    check_intent,
    check_short,
    check_wash,
)
from simulator.values import Bar, Position, Side, Ticket

_SHORT_COLLAR = Decimal("1.03")


class Account:
    """One account, computed from its ledger and its orders."""

    def __init__(self, ledger: Ledger, orders: OrderTable) -> None:
        self._ledger, self._orders = ledger, orders

    def funds(self, market: Market, *, ignoring: str | None = None) -> Funds:
        """Equity and buying power at the last closes; `ignoring` is an order that holds nothing."""
        held = [order for order in self._orders.open() if order.id != ignoring]
        return funds(self._ledger, held, self.marks(market))

    def marks(self, market: Market) -> dict[str, Decimal]:
        """The mark of every symbol held."""
        held = self._ledger.positions
        return {symbol: self.mark(position, market) for symbol, position in held.items()}

    def mark(self, position: Position, market: Market) -> Decimal:
        """The last close (the position's average cost when no bar is within reach)."""
        bar = market.last(position.symbol)
        return bar.close if bar else half_even(position.cost / position.qty, CRYPTO_PRICE_STEP)

    def available(self, symbol: str) -> Decimal:
        """Quantity of a position (absolute) that no open order has reserved."""
        reserved = sum(
            (held_qty(order) for order in self._orders.open() if order.symbol == symbol), ZERO
        )
        return abs(self._ledger.qty(symbol)) - reserved

    @exact
    def admit(
        self, ticket: Ticket, price: Decimal, bar: Bar, market: Market, ignoring: str | None
    ) -> tuple[bool, Decimal]:
        """Whether an order at `price` would enlarge a position, and the dollars held for each unit.

        bar: the symbol's last. ignoring: the order that this one is to replace. Raises Rejection.
        """
        resting = [order for order in self._orders.open() if order.id != ignoring]
        check_cost(ticket, price)
        check_wash(ticket, resting)
        held = self._ledger.qty(ticket.symbol)
        opens = held * ticket.side.sign >= 0 and not (
            held == 0 and ticket.side is Side.SELL and ticket.is_crypto
        )
        check_intent(ticket, opens=opens)
        if not opens:
            check_available(ticket, price, held, resting)
            return opens, price
        money, hold_price = self.funds(market, ignoring=ignoring), price
        if ticket.side is Side.SELL:
            check_short(ticket, money)
            hold_price = max(price, bar.close * _SHORT_COLLAR)
        check_funds(ticket, hold_price, money)
        return opens, hold_price
