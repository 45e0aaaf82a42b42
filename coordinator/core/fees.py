"""What the broker takes of an execution, as it rounds it."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

from coordinator.core.values import COIN, ZERO, Side, is_crypto

CRYPTO_FEE_RATE = Decimal("0.0025")
"""The part of an execution that a taker pays on Alpaca's lowest tier."""


def fees(
    symbol: str, side: Side, qty: Decimal, price: Decimal, rate: Decimal
) -> tuple[Decimal, Decimal]:
    """(dollars, coins) that an execution of `qty` units at `price` dollars costs, at this rate.

    A crypto buy pays in coin, whose dollars are its value at this price; a crypto sale pays in
    dollars; stocks pay nothing here (`core/attribution.py` has what is charged for a day).
    """
    if not is_crypto(symbol):
        return ZERO, ZERO
    if side is Side.BUY:
        coins = (qty * rate).quantize(COIN, ROUND_HALF_UP)
        return coins * price, coins
    return (qty * price * rate).quantize(COIN, ROUND_HALF_UP), ZERO
