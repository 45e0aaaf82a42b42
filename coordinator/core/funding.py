"""Funds the strategies' books from UNASSIGNED, which holds what no strategy owns.

A new book gets its initial cash. An existing book goes on as it is; if its configured cash was
edited, the difference is a transfer.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from decimal import ROUND_DOWN, Decimal

from coordinator.core import records as r
from coordinator.core.amounts import dollars
from coordinator.core.books import FUNDING, NEW_INITIAL_CASH, Books
from coordinator.core.lane import StrategySpec
from coordinator.core.values import CENT, UNASSIGNED, ZERO
from coordinator.errors import SafetyRefusal


def transfers(books: Books, specs: Sequence[StrategySpec], now: datetime) -> list[r.Transferred]:
    """The transfers that give these strategies their configured cash, not yet applied.

    Raises:
        SafetyRefusal: UNASSIGNED does not hold enough cash.
    """
    moves = []
    for spec in specs:
        if spec.name not in books.ledger:
            moves.append(r.Transferred(now, UNASSIGNED, spec.name, spec.initial_cash, FUNDING))
        elif change := spec.initial_cash - books.ledger[spec.name].configured_cash:
            moves.append(r.Transferred(now, UNASSIGNED, spec.name, change, NEW_INITIAL_CASH))
    _check_capital(books, specs, moves)
    return moves


def left_behind(books: Books, running: Collection[str]) -> dict[str, Decimal]:
    """Dollars, in whole cents, in the books of strategies that are none of the `running` ones."""
    gone = [name for name in sorted(books.strategies()) if name not in running]
    cash = {name: books.ledger[name].cash.quantize(CENT, ROUND_DOWN) for name in gone}
    return {name: left for name, left in cash.items() if left > 0}


def _check_capital(
    books: Books, specs: Sequence[StrategySpec], moves: Sequence[r.Transferred]
) -> None:
    needed = sum((move.amount for move in moves), ZERO)
    free = books.ledger[UNASSIGNED].cash
    if needed <= max(free, ZERO):
        return  # a human may have overspent UNASSIGNED: that alone stops no existing book
    each = ", ".join(f"{move.target} {dollars(move.amount)}" for move in moves)
    total = sum((spec.initial_cash for spec in specs), ZERO)
    raise SafetyRefusal(
        f"capital does not fit: the strategies need {dollars(needed)} ({each}; initial_cash sums"
        f" to {dollars(total)}), but the account has {dollars(free)} of cash that no strategy"
        " owns. Lower initial_cash, remove strategies, or add cash to the account."
        f"{_from_whom(left_behind(books, {spec.name for spec in specs}))}"
    )


def _from_whom(left: Mapping[str, Decimal]) -> str:
    each = ", ".join(f"{name} {dollars(cash)}" for name, cash in left.items())
    how = " Or take it with `multi-trader import-account` from those that do not run any more: "
    return f"{how}{each}." if each else ""
