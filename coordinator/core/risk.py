"""Limits: from a wish to a size, or to a denial with its reason. An exit is never denied.

Everything here is arithmetic on values; who asks and when is the engine's affair.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from coordinator.core.ledger import Position
from coordinator.core.values import ZERO, Reason, Side, is_crypto

BUYING_MARGIN = Decimal("1.01")
"""A market buy may cost this much more than its last close before the cash is short."""


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
        """Whether a bar can move the strategy though its signal says nothing."""
        return (self.max_daily_loss, self.stop_loss_pct, self.take_profit_pct) != (None,) * 3


@dataclass(frozen=True, slots=True)
class Asset:
    """What the broker allows on one ticker: quantities step by `increment`."""

    symbol: str
    increment: Decimal
    min_qty: Decimal
    min_cost: Decimal
    """Dollars that a buy must be worth at least; a sale has no such minimum."""
    tradable: bool = True

    @classmethod
    def stock(cls, symbol: str, *, fractionable: bool) -> Asset:
        """A stock: 4 decimals and one dollar if fractionable, else whole shares."""
        step = Decimal("0.0001") if fractionable else Decimal(1)
        return cls(symbol, step, step, Decimal(1))

    @classmethod
    def crypto(cls, symbol: str, *, increment: Decimal, min_qty: Decimal) -> Asset:
        """A crypto pair: the broker's own increment and minimum, and ten dollars."""
        return cls(symbol, increment, min_qty, Decimal(10))

    @property
    def time_in_force(self) -> str:
        """How long a market order on it may stand."""
        return "gtc" if is_crypto(self.symbol) else "day"

    def floor(self, qty: Decimal) -> Decimal:
        """The largest quantity that can be ordered within `qty`; zero if none can."""
        steps = (qty // self.increment) * self.increment if qty > 0 else ZERO
        return steps if steps >= self.min_qty else ZERO


def entry_qty(
    asset: Asset, limits: Limits, equity: Decimal, available: Decimal, close: Decimal
) -> Decimal:
    """How much to buy at `close`: the smaller of the size limit and the cash; zero if too little.

    `min(max_position_size x equity, available / 1.01) / close`, rounded down to the increment.
    """
    by_size = asset.floor(limits.max_position_size * equity / close)
    by_cash = asset.floor(available / (BUYING_MARGIN * close))
    qty = min(by_size, by_cash)
    return qty if orderable(asset, Side.BUY, qty, close) else ZERO


def orderable(asset: Asset, side: Side, qty: Decimal, close: Decimal) -> bool:
    """Whether the broker takes it: at least its smallest quantity, and a buy its smallest cost."""
    enough = side is Side.SELL or qty * close >= asset.min_cost
    return enough and bool(asset.floor(qty))


def exit_qty(asset: Asset, position: Position | None, available: Decimal) -> Decimal:
    """How much can be sold of a position; zero means that the strategy is flat."""
    if position is None or position.qty <= 0:
        return ZERO
    return asset.floor(min(position.qty, available))


def exit_reason(limits: Limits, position: Position, close: Decimal, signal: int) -> Reason | None:
    """Why a long position should be sold at `close`, in the order stop, target, signal."""
    worth = close * position.qty
    stop, target = limits.stop_loss_pct, limits.take_profit_pct
    if stop is not None and worth <= position.cost * (1 - stop):
        return Reason.STOP
    if target is not None and worth >= position.cost * (1 + target):
        return Reason.TARGET
    return Reason.SIGNAL if signal < 0 else None


def loss_reached(limits: Limits, day_pnl: Decimal) -> bool:
    """Whether the day's loss has reached `max_daily_loss`."""
    return limits.max_daily_loss is not None and -day_pnl >= limits.max_daily_loss
