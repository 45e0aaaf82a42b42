"""Limits: how much a strategy may buy, and what makes it sell. An exit is never refused.

Everything here is arithmetic on values; when to apply it is the engine's affair.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from coordinator.core.ledger import Position
from coordinator.core.values import ZERO, Reason, Side, exactly, is_crypto

ONE = Decimal(1)
BUYING_MARGIN = Decimal("1.01")
"""How many times its last close a market buy may cost before the cash is short."""

UNLIMITED = Decimal("Infinity")
"""Dollars that one order of stocks may be for."""
MOST_COIN_DOLLARS = Decimal(200_000)
"""Alpaca takes no order of coins for more: docs.alpaca.markets/docs/crypto-trading, "Trading
Limits"."""
COIN_ORDER_DOLLARS = Decimal("0.95") * MOST_COIN_DOLLARS
"""What we order at once, at the last close: the price may have moved since then, and Alpaca makes a
limit order of a market order of coins, 2 % beyond the quote."""


@dataclass(frozen=True, slots=True)
class Limits:
    """One strategy's limits: fractions of equity or of the entry price, counts, dollars."""

    max_position_size: Decimal = Decimal(1)
    max_daily_trades: int | None = None
    max_daily_loss: Decimal | None = None
    stop_loss_pct: Decimal | None = None
    take_profit_pct: Decimal | None = None

    @property
    def watches(self) -> bool:
        """Whether a bar can make the strategy act without a signal."""
        return (self.max_daily_loss, self.stop_loss_pct, self.take_profit_pct) != (None,) * 3


@dataclass(frozen=True, slots=True)
class Asset:
    """What the broker allows on one ticker; quantities are multiples of `increment`."""

    symbol: str
    increment: Decimal
    min_qty: Decimal
    min_cost: Decimal
    """The least dollars that a buy must be worth; a sale has no such minimum."""
    tradable: bool = True
    max_cost: Decimal = UNLIMITED
    """The dollars, at the last close, that one order may be for."""
    least_qty: Decimal = field(init=False, compare=False, repr=False)
    """The smallest quantity that can be ordered, in whole increments."""
    time_in_force: str = field(init=False, compare=False, repr=False)
    """How long a market order stays open, in the broker's words."""

    @exactly
    def __post_init__(self) -> None:
        steps, rest = divmod(self.min_qty, self.increment)
        object.__setattr__(self, "least_qty", max(steps + bool(rest), ONE) * self.increment)
        object.__setattr__(self, "time_in_force", "gtc" if is_crypto(self.symbol) else "day")

    @classmethod
    def stock(cls, symbol: str, *, fractionable: bool) -> Asset:
        """A stock: 4 decimals and one dollar if fractionable, else whole shares."""
        step = Decimal("0.0001") if fractionable else Decimal(1)
        return cls(symbol, step, step, Decimal(1))

    @classmethod
    def crypto(cls, symbol: str, *, increment: Decimal, min_qty: Decimal) -> Asset:
        """A crypto pair: the broker's own increment and minimum, and ten dollars."""
        return cls(symbol, increment, min_qty, Decimal(10), max_cost=COIN_ORDER_DOLLARS)

    def floor(self, qty: Decimal) -> Decimal:
        """The largest quantity that can be ordered within `qty`; zero if none can."""
        return self.affordable(qty, ONE)

    def affordable(self, dollars: Decimal, price: Decimal) -> Decimal:
        """The largest quantity that can be ordered and costs no more than `dollars`, or zero."""
        if dollars <= 0:
            return ZERO
        steps = dollars // (price * self.increment) * self.increment
        return steps if steps >= self.least_qty else ZERO

    def at_once(self, qty: Decimal, close: Decimal) -> Decimal:
        """How much of `qty` one order may be for."""
        return qty if qty * close <= self.max_cost else self.affordable(self.max_cost, close)

    def is_most(self, qty: Decimal, close: Decimal) -> bool:
        """Whether an order of `qty` is for as much as one may be."""
        return self.max_cost < UNLIMITED and qty == self.affordable(self.max_cost, close)

    def can_order(self, qty: Decimal) -> bool:
        """Whether anything can be ordered within `qty`."""
        return qty >= self.least_qty


def entry_qty(
    asset: Asset, limits: Limits, equity: Decimal, available: Decimal, close: Decimal
) -> Decimal:
    """How much to buy at `close`: the smaller of the size limit and the cash; zero if too little.

    `min(max_position_size x equity, available / 1.01) / close`, rounded down to the increment; at
    most what one order may be for.
    """
    by_size = min(limits.max_position_size * equity, asset.max_cost)
    if by_size * BUYING_MARGIN <= available:
        qty = asset.affordable(by_size, close)
    else:
        qty = asset.affordable(available, BUYING_MARGIN * close)
    return qty if qty * close >= asset.min_cost else ZERO


def orderable(asset: Asset, side: Side, qty: Decimal, close: Decimal) -> bool:
    """Whether the broker takes an order: it meets the least quantity, and a buy the least cost."""
    enough = side is Side.SELL or qty * close >= asset.min_cost
    return enough and asset.can_order(qty)


def exit_qty(asset: Asset, position: Position | None, available: Decimal) -> Decimal:
    """How much can be sold of a position; zero means that the strategy is flat."""
    if position is None or position.qty <= 0:
        return ZERO
    return asset.floor(min(position.qty, available))


def exit_reason(limits: Limits, position: Position, close: Decimal, signal: int) -> Reason | None:
    """Why a long position should be sold at `close`, in the order stop, target, signal."""
    stop, target = limits.stop_loss_pct, limits.take_profit_pct
    if stop is not None and close * position.qty <= position.cost * (1 - stop):
        return Reason.STOP
    if target is not None and close * position.qty >= position.cost * (1 + target):
        return Reason.TARGET
    return Reason.SIGNAL if signal < 0 else None


def loss_reached(limits: Limits, day_pnl: Decimal) -> bool:
    """Whether the day's loss has reached `max_daily_loss`."""
    return limits.max_daily_loss is not None and -day_pnl >= limits.max_daily_loss
