"""The broker's fee on an execution, rounded as the broker rounds it."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

from coordinator.core.values import COIN, ZERO, Side, is_crypto, storable

CRYPTO_FEE_RATE = Decimal("0.0025")
"""The taker's fee on Alpaca's lowest tier, as a fraction of the execution."""


def fees(
    symbol: str, side: Side, qty: Decimal, price: Decimal, rate: Decimal
) -> tuple[Decimal, Decimal]:
    """The fee of an execution of `qty` units at `price` dollars, as (dollars, coins).

    A crypto buy pays in coins, and the dollars are their value; a crypto sale pays in dollars.
    Stocks pay nothing per execution: they are charged by the day (`core/attribution.py`).
    """
    if not is_crypto(symbol):
        return ZERO, ZERO
    if side is Side.BUY:
        coins = (qty * rate).quantize(COIN, ROUND_HALF_UP)
        return storable(coins * price), coins
    return (qty * price * rate).quantize(COIN, ROUND_HALF_UP), ZERO
