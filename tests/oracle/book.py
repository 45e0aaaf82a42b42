"""One strategy's book in exact dollars, as CONTRACT section 6 tells it.

Rule: a fill moves cash, quantity and total cost and nothing else does; the average price is total
cost over quantity and excludes fees.
"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal

from tests.oracle.bars import is_crypto

CRYPTO_FEE_RATE = Decimal("0.0025")
NINE = Decimal("0.000000001")
EIGHTEEN = Decimal("1e-18")


class Book:
    """Cash, positions at total cost, fees and realised P&L of one strategy; all in dollars."""

    def __init__(self, cash: Decimal) -> None:
        self.cash = cash
        self.qty: dict[str, Decimal] = {}
        self.cost: dict[str, Decimal] = {}
        self.fees = Decimal(0)
        self.realized = Decimal(0)

    def buy(self, symbol: str, qty: Decimal, price: Decimal) -> Decimal:
        """Take in `qty` at `price`; returns the fee in dollars (in coin for crypto, valued)."""
        coin = (qty * CRYPTO_FEE_RATE).quantize(NINE, ROUND_HALF_UP) if is_crypto(symbol) else 0
        received = qty - coin
        self.cash -= qty * price
        self.qty[symbol] = self.held(symbol) + received
        self.cost[symbol] = self.cost.get(symbol, Decimal(0)) + received * price
        self.fees += coin * price
        return coin * price

    def sell(self, symbol: str, qty: Decimal, price: Decimal) -> Decimal:
        """Give out `qty` at `price`; returns the fee in dollars, taken off the proceeds."""
        proceeds = qty * price
        fee = Decimal(0)
        if is_crypto(symbol):
            fee = (proceeds * CRYPTO_FEE_RATE).quantize(NINE, ROUND_HALF_UP)
        share = self.cost[symbol] * qty / self.qty[symbol]
        relieved = share.quantize(EIGHTEEN, ROUND_HALF_EVEN)
        self.cash += proceeds - fee
        self.qty[symbol] -= qty
        self.cost[symbol] -= relieved
        self.fees += fee
        self.realized += proceeds - relieved
        return fee

    def held(self, symbol: str) -> Decimal:
        """Quantity of `symbol`, 0 if there is none."""
        return self.qty.get(symbol, Decimal(0))

    def equity(self, marks: dict[str, Decimal]) -> Decimal:
        """Cash and positions at the last closes."""
        return self.cash + sum(
            (qty * marks[symbol] for symbol, qty in self.qty.items() if qty), Decimal(0)
        )
