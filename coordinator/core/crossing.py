"""Nets opposite wishes of one minute internally: what one strategy sells, another one buys.

A netted quantity changes hands between two books at the last price and never reaches the broker;
only an order for the rest does. Wishes are served in the order in which they were decided.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from coordinator.core.values import Reason, Side


@dataclass(frozen=True, slots=True)
class Wish:
    """One order that a strategy wants, decided at `close` dollars."""

    strategy: str
    symbol: str
    side: Side
    qty: Decimal
    close: Decimal
    reason: Reason


@dataclass(frozen=True, slots=True)
class Cross:
    """A quantity that passes from one strategy's book to another's."""

    seller: Wish
    buyer: Wish
    qty: Decimal


def net(wishes: Sequence[Wish]) -> tuple[list[Cross], list[Wish]]:
    """The crosses, and the wishes left to order; those without a counterpart are unchanged."""
    crosses: list[Cross] = []
    left = list(wishes)
    for index, sale in enumerate(left):
        if sale.side is not Side.SELL:
            continue
        for place in _buys(left, sale):
            buy, sale = left[place], left[index]
            qty = min(buy.qty, sale.qty)
            if qty:
                crosses.append(Cross(sale, buy, qty))
                left[place] = replace(buy, qty=buy.qty - qty)
                left[index] = replace(sale, qty=sale.qty - qty)
    return crosses, [wish for wish in left if wish.qty]


def _buys(wishes: Iterable[Wish], sale: Wish) -> list[int]:
    """The places of the buys that can be netted with a sale; no strategy trades with itself."""
    return [
        place
        for place, wish in enumerate(wishes)
        if wish.side is Side.BUY and wish.symbol == sale.symbol and wish.strategy != sale.strategy
    ]
