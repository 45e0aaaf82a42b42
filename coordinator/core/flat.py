"""Which positions strategies could still sell; without any, they are flat.

A position can be sold if the broker would take an order for it: not if it is less than an
increment, if a human has sold it, so that the account no longer holds it, or if it is delisted.
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
    """A position that a strategy could still sell; `qty` is the whole position."""

    strategy: str
    symbol: str
    qty: Decimal


def in_the_account(books: Books, symbol: str) -> Decimal:
    """The quantity that the account surely holds: the books' sum, less what is found missing."""
    held = books.ledger.held(symbol)
    found = books.frozen.get(discrepancy_id(DiscrepancyKind.POSITION, symbol))
    return held if found is None else held + min(found.off, ZERO)


def held_or_ordered(books: Books) -> set[str]:
    """The symbols that this coordinator's strategies hold or have an open order on."""
    held = {symbol for name in books.strategies() for symbol in books.ledger[name].positions}
    return held | {order.symbol for order in books.orders.open()}


@exactly
def sellable(
    books: Books, assets: Mapping[str, Asset], strategies: Iterable[str] | None = None
) -> list[Held]:
    """What these strategies, or all, could sell: any quantity of a symbol not in `assets`."""
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
