"""Pre-trade controls of the whole account: limits that no strategy's entry may exceed.

They are the kinds of control that 17 CFR 240.15c3-5 requires of a broker: price, size, value,
position, rate. The gate (`core/gate.py`) judges entries by them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

LEAPS_WITHIN = timedelta(days=7)
"""Longer than any market closes: over a longer gap a price may move by half without a leap. Live,
the close before is yesterday's; recorded bars may lack months."""
LEAST_RATE = 60
"""Orders a minute that every strategy may place, however few tickers it has."""


@dataclass(frozen=True, slots=True)
class Controls:
    """Limits on entries over all strategies; None means no limit.

    `price_collar` is the fraction by which a close may differ from the one before; notionals are
    dollars, `max_order_qty` units. `max_orders_per_minute` applies to each strategy.
    """

    price_collar: Decimal | None = Decimal("0.5")
    max_order_qty: Decimal | None = None
    max_order_notional: Decimal | None = None
    max_symbol_notional: Decimal | None = None
    max_orders_per_minute: int | None = None

    def rate(self, tickers: int) -> int:
        """Orders a minute that a strategy on so many tickers may place."""
        return self.max_orders_per_minute or max(LEAST_RATE, 2 * tickers)
