"""How much there is to sell, and what is left to get out of after a kill.

Flat means that no strategy holds what the broker would take an order for: less than an increment,
more than the account holds, because a human has sold it, or what is delisted cannot be ordered.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from coordinator.core.books import Books
from coordinator.core.discrepancies import DiscrepancyKind, discrepancy_id
from coordinator.core.risk import Asset
from coordinator.core.values import UNASSIGNED, ZERO, exactly


@dataclass(frozen=True, slots=True)
class Held:
    """A position that a strategy could still sell; `qty` is all of it."""

    strategy: str
    symbol: str
    qty: Decimal


def in_the_account(books: Books, symbol: str) -> Decimal:
    """What the account surely holds of a symbol: the books' sum, or less if some is missing."""
    held = books.ledger.held(symbol)
    found = books.frozen.get(discrepancy_id(DiscrepancyKind.POSITION, symbol))
    return held if found is None else held + min(found.off, ZERO)


@exactly
def held(
    books: Books, assets: Mapping[str, Asset], strategies: Iterable[str] | None = None
) -> list[Held]:
    """What these strategies hold, or all: of a symbol that `assets` does not name, any crumb."""
    names = books.ledger.accounts if strategies is None else strategies
    return [
        Held(name, symbol, position.qty)
        for name in sorted(names)
        if name != UNASSIGNED
        for symbol, position in sorted(books.ledger[name].positions.items())
        if _orderable(assets.get(symbol), min(position.qty, in_the_account(books, symbol)))
    ]


def _orderable(asset: Asset | None, qty: Decimal) -> bool:
    return qty > 0 if asset is None else asset.tradable and bool(asset.floor(qty))
