"""The broker's account against the books: what differs, as typed findings, never as a repair.

Positions must agree exactly. Cash must agree to the precision in which the broker reports it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from enum import Enum

from coordinator.core.ledger import Ledger
from coordinator.core.records import DiscrepancyFound
from coordinator.core.values import UNASSIGNED, ZERO, exactly


class DiscrepancyKind(Enum):
    """What differs."""

    POSITION = "position"
    CASH = "cash"


@exactly
def compare(
    ledger: Ledger, cash: Decimal, positions: Mapping[str, Decimal], now: datetime
) -> list[DiscrepancyFound]:
    """Every difference between the sub-accounts' sums and the broker's account.

    `cash` is in dollars as reported, `positions` net quantities by symbol as configured.
    """
    ours = ledger.net_positions()
    found = []
    for symbol in sorted(set(ours) | set(positions)):
        mine, theirs = ours.get(symbol, ZERO), positions.get(symbol, ZERO)
        if mine != theirs:
            found.append(_finding(now, DiscrepancyKind.POSITION, symbol, mine, theirs))
    total = ledger.net_cash()
    if not agrees(total, cash):
        found.append(_finding(now, DiscrepancyKind.CASH, "", total, cash))
    return found


def agrees(exact: Decimal, reported: Decimal) -> bool:
    """Whether `exact` is what was reported, to the decimals that the report has (two at least)."""
    exponent = reported.as_tuple().exponent
    places = min(exponent if isinstance(exponent, int) else 0, -2)
    return abs(exact - reported) < Decimal((0, (1,), places))


def _finding(
    now: datetime, kind: DiscrepancyKind, symbol: str, ours: Decimal, brokers: Decimal
) -> DiscrepancyFound:
    what = f"position in {symbol}" if symbol else "cash"
    note = f"the books' {what} is {ours}, the broker's is {brokers}"
    return DiscrepancyFound(now, kind.value, symbol, UNASSIGNED, ours, brokers, note)
