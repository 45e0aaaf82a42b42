"""The account's exact cash and positions, and what they allow to buy.

Rule: cash and positions change by the methods of `Ledger` only; everything else here is computed
from them, from open orders and from marks. Amounts are dollars, exact. A position is the sum of
its moves, so that taking one back leaves the position as it would be without it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

from simulator.assets import is_crypto
from simulator.money import QTY_STEP, ZERO, exact, half_even, half_up
from simulator.values import Execution, Order, Position, Side

MULTIPLIER = 2  # margin of a default paper account on stocks
CRYPTO_FEE_RATE = Decimal("0.0025")
_ONE = Decimal(1)


@dataclass(frozen=True, slots=True)
class Move:
    """One change of a position: times `ratio`, then `change` units at `price` dollars each.

    execution_id: of the fill that made it, if one did.
    """

    change: Decimal
    price: Decimal
    ratio: Decimal = _ONE
    execution_id: str | None = None


@dataclass
class Ledger:
    """Cash in dollars and net positions by symbol; a position of zero is not kept.

    cash_decimals: to which each movement of cash is rounded, half-even; None: not at all.
    """

    cash: Decimal
    cash_decimals: int | None = None
    positions: dict[str, Position] = field(default_factory=dict)
    _moves: dict[str, list[Move]] = field(default_factory=dict, repr=False, compare=False)

    def qty(self, symbol: str) -> Decimal:
        """Net quantity held, 0 if none."""
        held = self.positions.get(symbol)
        return ZERO if held is None else held.qty

    def book(self, fill: Execution) -> None:
        """Move cash and position by one execution and its fees."""
        self.pay(_proceeds(fill))
        self.move(fill.symbol, _move(fill))

    def amend(self, fill: Execution, instead: Execution | None) -> None:
        """Replace a booked execution by another one, or remove it."""
        self.pay(-_proceeds(fill))
        moves = self._moves[fill.symbol]
        index = next(n for n, move in enumerate(moves) if move.execution_id == fill.id)
        moves[index : index + 1] = [] if instead is None else [_move(instead)]
        if instead is not None:
            self.pay(_proceeds(instead))
        held = Position(fill.symbol, ZERO, ZERO)
        for move in moves:
            held = _after(held, move)
        self._keep(held)

    @exact
    def pay(self, amount: Decimal) -> None:
        """Add dollars to the cash, or take them away."""
        if self.cash_decimals is not None:
            amount = half_even(amount, _ONE.scaleb(-self.cash_decimals))
        self.cash += amount

    def move(self, symbol: str, move: Move) -> None:
        """Change a position, and not the cash."""
        self._moves.setdefault(symbol, []).append(move)
        self._keep(_after(self.positions.get(symbol, Position(symbol, ZERO, ZERO)), move))

    def _keep(self, held: Position) -> None:
        if held.qty == 0:
            self.positions.pop(held.symbol, None)
        else:
            self.positions[held.symbol] = held


@exact
def crypto_fees(
    symbol: str, side: Side, qty: Decimal, price: Decimal, rate: Decimal
) -> tuple[Decimal, Decimal]:
    """What a fill of a pair costs: coin of a buy, or dollars of a sale; nothing for stocks.

    rate: of the amount, a fraction.
    """
    if not is_crypto(symbol):
        return ZERO, ZERO
    if side is Side.BUY:
        return half_up(qty * rate, QTY_STEP), ZERO
    return ZERO, half_up(qty * price * rate, QTY_STEP)


@exact
def _proceeds(fill: Execution) -> Decimal:
    return -(fill.side.sign * fill.qty * fill.price + fill.fee_cash)


@exact
def _move(fill: Execution) -> Move:
    return Move(fill.side.sign * fill.qty - fill.fee_qty, fill.price, execution_id=fill.id)


@exact
def _after(held: Position, move: Move) -> Position:
    if move.ratio != 1:
        held = replace(held, qty=half_even(held.qty * move.ratio, QTY_STEP))
    return moved(held, move.change, move.price)


@exact
def moved(held: Position, change: Decimal, price: Decimal) -> Position:
    """A position after `change` units at `price`; a reduction relieves cost in proportion."""
    qty = held.qty + change
    if held.qty * change >= 0:
        return Position(held.symbol, qty, held.cost + change * price)
    if qty * held.qty > 0:
        return Position(held.symbol, qty, held.cost + held.cost * change / held.qty)
    return Position(held.symbol, qty, qty * price)


@exact
def since(held: Position, fills: Sequence[Execution], price: Decimal) -> Position:
    """The position as its day sees it: what it was before `fills` cost `price` a unit."""
    if fills and fills[0].position_qty == _move(fills[0]).change:
        return held  # it was nothing before
    moves = [_move(fill) for fill in fills]
    before = held.qty - sum((move.change for move in moves), ZERO)
    today = Position(held.symbol, before, before * price)
    for move in moves:
        today = _after(today, move)
    return today


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
        return max(ZERO, order.unspent())
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
    return order.unspent() / order.hold_price


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
