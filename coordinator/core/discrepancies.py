"""Differences between the broker's account and the books, as the journal keeps them.

A difference's id, by which `reconcile --accept` names it, is its kind and its symbol, if it has
one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import Enum

from coordinator.core.values import UNASSIGNED


class DiscrepancyKind(Enum):
    """What differs."""

    POSITION = "position"
    CASH = "cash"
    PRICE = "price"
    """A close leapt outside the collar: perhaps an unannounced split."""
    ACCOUNT = "account"
    """The keys belong to another account than the books."""


@dataclass(frozen=True, slots=True)
class DiscrepancyFound:
    """The broker's account and our books differ, and nothing explains it.

    `ours` and `brokers` are units of a position, dollars of cash or of a price. With a
    `discrepancy_id` it freezes entries on its symbol, without a symbol all entries, until a
    DiscrepancyResolved of the same id.
    """

    at: datetime
    kind: str
    symbol: str
    strategy: str
    ours: Decimal
    brokers: Decimal
    note: str
    discrepancy_id: str = ""

    @property
    def off(self) -> Decimal:
        """By how much the broker has more than the books. Read inside the EXACT decimal context."""
        return self.brokers - self.ours

    def is_among(self, known: Mapping[str, DiscrepancyFound]) -> bool:
        """Whether these, by id, have the same difference. Call inside the EXACT decimal context."""
        same = known.get(self.discrepancy_id)
        return same is not None and same.off == self.off

    def is_of(self, *kinds: DiscrepancyKind) -> bool:
        """Whether it is of one of these kinds."""
        return self.kind in [kind.value for kind in kinds]


@dataclass(frozen=True, slots=True)
class DiscrepancyResolved:
    """A discrepancy is over: `how` is explained or accepted."""

    at: datetime
    discrepancy_id: str
    how: str


def discrepancy_id(kind: DiscrepancyKind, symbol: str = "") -> str:
    """The id of a difference of this kind, on a symbol if it has one: 'position.SPY', 'cash'."""
    return f"{kind.value}.{symbol}" if symbol else kind.value


def symbol_of(discrepancy_id: str) -> str:
    """The symbol of a difference with this id; '' if it is not on one."""
    return discrepancy_id.partition(".")[2]


def finding(
    now: datetime, kind: DiscrepancyKind, symbol: str, ours: Decimal, brokers: Decimal
) -> DiscrepancyFound:
    """A difference as a record."""
    match kind:
        case DiscrepancyKind.PRICE:
            note = f"{symbol} leapt from {ours} to {brokers}: a split, or a wrong price?"
        case DiscrepancyKind.POSITION:
            note = f"the books' position in {symbol} is {ours}, the broker's is {brokers}"
        case DiscrepancyKind.CASH:
            note = f"the books' cash is {ours}, the broker's is {brokers}"
        case DiscrepancyKind.ACCOUNT:
            note = "the keys belong to another account now: it was reset, or they were changed"
    return DiscrepancyFound(
        at=now,
        kind=kind.value,
        symbol=symbol,
        strategy=UNASSIGNED,
        ours=ours,
        brokers=brokers,
        note=note,
        discrepancy_id=discrepancy_id(kind, symbol),
    )
