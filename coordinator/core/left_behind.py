"""Orders that the price has left behind, which stand at the broker until it comes back.

Alpaca makes a limit order of each market order of coins, 2 % beyond the quote at which it comes. In
a thin or falling market a part of it may find nobody within that, and the rest stays open.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal

from coordinator.core.orders import Order, Phase
from coordinator.core.values import MINUTE, Bar, Side, is_crypto

COIN_COLLAR = Decimal("0.02")
"""How far from the price at which it came Alpaca still fills a market order of coins."""


def left_behind(on_ticker: Iterable[Order], bar: Bar) -> list[Order]:
    """The orders of coins at the broker whose limit is passed by the bar's close."""
    if not is_crypto(bar.symbol):
        return []
    return [
        order
        for order in on_ticker
        if order.phase is Phase.LIVE
        and order.cancel_reason is None
        and _worse(order, bar.close) > COIN_COLLAR * order.decision_price
    ]


def is_left_standing(order: Order, now: datetime) -> bool:
    """Whether a sale of coins stands at the broker for a minute, which needs no bar to be seen.

    One that can fill does so at once.
    """
    is_sale = order.side is Side.SELL and is_crypto(order.symbol)
    return is_sale and order.phase is Phase.LIVE and now - order.decided_at >= MINUTE


def _worse(order: Order, close: Decimal) -> Decimal:
    """By how much the close is worse for an order than the price it was decided at."""
    is_sale = order.side is Side.SELL
    return order.decision_price - close if is_sale else close - order.decision_price
