"""What is left to get out of after a kill: positions that can be ordered, of strategies alone.

Flat means that nothing is left that the broker would take an order for: less than an increment, or
more than the account holds, because a human has sold it, is not held by anybody.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from coordinator.core.books import Books
from coordinator.core.risk import Asset
from coordinator.core.values import UNASSIGNED, ZERO, exactly


@dataclass(frozen=True, slots=True)
class Held:
    """A position that a strategy could still sell; `qty` is all of it."""

    strategy: str
    symbol: str
    qty: Decimal


@exactly
def held(
    books: Books, assets: Mapping[str, Asset], strategies: Iterable[str] | None = None
) -> list[Held]:
    """What these strategies hold, or all: of a symbol that `assets` does not name, any crumb."""
    net = books.ledger.net_positions()
    names = books.ledger.accounts if strategies is None else strategies
    return [
        Held(name, symbol, position.qty)
        for name in sorted(names)
        if name != UNASSIGNED
        for symbol, position in sorted(books.ledger[name].positions.items())
        if _orderable(assets.get(symbol), min(position.qty, net.get(symbol, ZERO)))
    ]


def _orderable(asset: Asset | None, qty: Decimal) -> bool:
    return qty > 0 if asset is None else bool(asset.floor(qty))
