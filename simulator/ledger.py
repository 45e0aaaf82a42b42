"""The account's exact cash and positions, and what they allow to buy.

Rule: cash and positions change by `book` only; everything else here is computed from them, from
open orders and from marks. Amounts are dollars, exact.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from simulator.assets import is_crypto
from simulator.money import ZERO, exact
from simulator.values import Execution, Order, Position

MULTIPLIER = 2  # margin of a default paper account on stocks


@dataclass
class Ledger:
    """Cash in dollars and net positions by symbol; a position of zero is not kept."""

    cash: Decimal
    positions: dict[str, Position]

    def qty(self, symbol: str) -> Decimal:
        """Net quantity held, 0 if none."""
        held = self.positions.get(symbol)
        return ZERO if held is None else held.qty

    @exact
    def book(self, fill: Execution) -> None:
        """Move cash and position by one execution and its fees."""
        self.cash -= fill.side.sign * fill.qty * fill.price + fill.fee_cash
        change = fill.side.sign * fill.qty - fill.fee_qty
        held = self.positions.get(fill.symbol, Position(fill.symbol, ZERO, ZERO))
        after = moved(held, change, fill.price)
        if after.qty == 0:
            self.positions.pop(fill.symbol, None)
        else:
            self.positions[fill.symbol] = after


@exact
def moved(held: Position, change: Decimal, price: Decimal) -> Position:
    """A position after `change` units at `price`; a reduction relieves cost in proportion."""
    qty = held.qty + change
    if held.qty * change >= 0:
        return Position(held.symbol, qty, held.cost + change * price)
    if qty * held.qty > 0:
        return Position(held.symbol, qty, held.cost + held.cost * change / held.qty)
    return Position(held.symbol, qty, qty * price)


@dataclass(frozen=True, slots=True)
class Funds:
    """What the account is worth and may spend, dollars; none of the last two is below zero."""

    equity: Decimal
    long_value: Decimal
    short_value: Decimal
    initial_margin: Decimal
    buying_power: Decimal
    non_marginable: Decimal


@exact
def held_dollars(order: Order) -> Decimal:
    """Dollars reserved for what the order may still open."""
    if not order.opens:
        return ZERO
    remaining = order.remaining()
    if remaining is None:
        return max(ZERO, (order.ticket.notional or ZERO) - order.filled_cost)
    return remaining * order.hold_price


def held_qty(order: Order) -> Decimal:
    """Units reserved by an order that closes."""
    if order.opens:
        return ZERO
    remaining = order.remaining()
    if remaining is not None:
        return remaining
    if order.hold_price == 0:
        return ZERO
    return ((order.ticket.notional or ZERO) - order.filled_cost) / order.hold_price


@exact
def funds(ledger: Ledger, open_orders: Iterable[Order], marks: Mapping[str, Decimal]) -> Funds:
    """Equity and buying power. marks: the last close of every symbol held."""
    long_value = short_value = margin = ZERO
    for symbol, position in ledger.positions.items():
        value = position.qty * marks[symbol]
        long_value += max(value, ZERO)
        short_value += min(value, ZERO)
        margin += abs(value) if is_crypto(symbol) else abs(value) / MULTIPLIER
    equity = ledger.cash + long_value + short_value
    held = margin_held = ZERO
    for order in open_orders:
        dollars = held_dollars(order)
        held += dollars
        margin_held += dollars if is_crypto(order.symbol) else dollars / MULTIPLIER
    excess = equity - margin - margin_held
    return Funds(
        equity=equity,
        long_value=long_value,
        short_value=short_value,
        initial_margin=margin,
        buying_power=max(ZERO, excess * MULTIPLIER),
        non_marginable=max(ZERO, min(excess, ledger.cash - held)),
    )
