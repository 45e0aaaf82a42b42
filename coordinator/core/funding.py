"""Funds the strategies' books from UNASSIGNED, which holds what no strategy owns.

A new book gets its initial cash. An existing book goes on as it is; if its configured cash was
edited, the difference is a transfer. If a book is to have less, only its free cash moves: what is
in shares or on order is spent, and another book must not be given those dollars again. The rest
moves at a later start or reload, once it is free.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import ROUND_DOWN, Decimal

from coordinator.core import records as r
from coordinator.core.amounts import dollars
from coordinator.core.books import FUNDING, NEW_INITIAL_CASH, Books
from coordinator.core.lane import StrategySpec
from coordinator.core.risk import BUYING_MARGIN
from coordinator.core.values import CENT, UNASSIGNED, ZERO
from coordinator.errors import SafetyRefusal

_SELLS = " The account is killed: what strategies hold is sold by `multi-trader kill` as well."


def transfers(books: Books, specs: Sequence[StrategySpec], now: datetime) -> list[r.Transferred]:
    """The transfers that give these strategies their configured cash, not yet applied.

    Raises:
        SafetyRefusal: UNASSIGNED does not hold enough cash.
    """
    moves = wished(books, specs, now)
    _check_capital(books, specs, moves)
    return moves


def wished(books: Books, specs: Sequence[StrategySpec], now: datetime) -> list[r.Transferred]:
    """Those transfers, whether or not UNASSIGNED holds enough cash."""
    moves = []
    for spec in specs:
        if spec.name not in books.ledger:
            moves.append(r.Transferred(now, UNASSIGNED, spec.name, spec.initial_cash, FUNDING))
        elif change := _change(books, spec):
            moves.append(r.Transferred(now, UNASSIGNED, spec.name, change, NEW_INITIAL_CASH))
    return moves


def _wanted(books: Books, spec: StrategySpec) -> Decimal:
    """Dollars that an existing book is to have more, or less, since its initial cash was edited."""
    return spec.initial_cash - books.ledger[spec.name].configured_cash


def _change(books: Books, spec: StrategySpec) -> Decimal:
    """The part of that which can move now."""
    free = free_cash(books, spec.name).quantize(CENT, ROUND_DOWN)
    return max(_wanted(books, spec), -free)


def free_cash(books: Books, name: str) -> Decimal:
    """Dollars that a book can give: none that its open buys may cost, whoever sent them."""
    holds = (order.hold for orders in books.all_orders for order in orders.open_of(name))
    return max(books.ledger[name].cash - sum(holds, ZERO) * BUYING_MARGIN, ZERO)


def as_funded(books: Books, specs: Sequence[StrategySpec]) -> tuple[StrategySpec, ...]:
    """The strategies with the initial cash that their books have been given so far.

    It is more than the configuration says while some of what is to move from them is not free.
    """
    return tuple(
        replace(spec, initial_cash=books.ledger[spec.name].configured_cash) for spec in specs
    )


def unmoved(books: Books, specs: Sequence[StrategySpec]) -> dict[str, str]:
    """By strategy, a sentence on the cash that is to move from it and is not free now."""
    known = [spec for spec in specs if spec.name in books.ledger]
    rests = [(spec, _change(books, spec) - _wanted(books, spec)) for spec in known]
    return {
        spec.name: f"{dollars(rest)} of cash cannot move from {spec.name} yet (initial_cash"
        f" {spec.initial_cash}): what a book holds, has on order or has lost is not free. It moves"
        " at a later start or reload that finds it free."
        for spec, rest in rests
        if rest
    }


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
    waits = "".join(f" {said}" for said in unmoved(books, specs).values())
    raise SafetyRefusal(
        f"capital does not fit: the strategies need {dollars(needed)} ({each}; initial_cash sums"
        f" to {dollars(total)}), but the account has {dollars(free)} of cash that no strategy"
        " owns. Lower initial_cash, remove strategies, or add cash to the account."
        f"{waits}{_from_whom(left_behind(books, {spec.name for spec in specs}))}"
        f"{_SELLS if books.halts.killed else ''}"
    )


def _from_whom(left: Mapping[str, Decimal]) -> str:
    each = ", ".join(f"{name} {dollars(cash)}" for name, cash in left.items())
    how = " Or take it with `multi-trader import-account` from those that do not run any more: "
    return f"{how}{each}." if each else ""
