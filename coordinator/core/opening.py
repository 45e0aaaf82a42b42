"""How a session's books begin: what is carried over, what is new, and where its cash comes from.

A new book is funded from UNASSIGNED, which holds what no strategy owns. A book that exists goes on
as it is; if its configured cash was edited, the difference is a transfer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from coordinator.core import records as r
from coordinator.core.books import FUNDING, NEW_INITIAL_CASH, Books
from coordinator.core.lanes import StrategySpec
from coordinator.core.session import SessionPlan
from coordinator.core.values import UNASSIGNED, ZERO, exactly
from coordinator.errors import SafetyRefusal


@dataclass(frozen=True, slots=True)
class SessionName:
    """Which session this is: one for each coordinator, account and date."""

    session_id: str
    coordinator: str
    account: str
    mode: str
    feed: str
    config_hash: str


def session_id(coordinator: str, account: str, plan: SessionPlan) -> str:
    """The id under which a restart finds the same session again."""
    return f"{plan.date.isoformat()}.{coordinator}.{account}"


@exactly
def open_session(
    books: Books, specs: Sequence[StrategySpec], plan: SessionPlan, name: SessionName, now: datetime
) -> list[r.Record]:
    """The records that begin a session, applied to `books` already.

    Raises:
        SafetyRefusal: UNASSIGNED does not hold the cash that the strategies are to begin with.
    """
    moves = _moves(books, specs, now)
    _check_capital(books, specs, moves)
    before = {
        spec.name: (books.ledger.equity(spec.name), books.ledger[spec.name].transferred)
        for spec in specs
        if spec.name in books.ledger
    }
    unassigned = books.ledger.equity(UNASSIGNED), books.ledger[UNASSIGNED].transferred
    records: list[r.Record] = list(moves)
    books.apply_all(moves)
    openings = [
        _opening(books, spec, *before.get(spec.name, (spec.initial_cash, ZERO))) for spec in specs
    ]
    openings.append(_unassigned_opening(books, *unassigned))
    held = {h.symbol for opening in openings for h in opening.holdings}
    marks = {s: m for s, m in sorted(books.ledger.marks.items()) if s in held}
    opened = r.SessionOpened(
        now,
        name.session_id,
        name.coordinator,
        name.account,
        name.mode,
        name.feed,
        plan.date,
        name.config_hash,
        tuple(openings),
        marks,
    )
    books.apply_all([opened])
    return [*records, opened]


def _moves(books: Books, specs: Sequence[StrategySpec], now: datetime) -> list[r.Transferred]:
    moves = []
    for spec in specs:
        if spec.name not in books.ledger:
            moves.append(r.Transferred(now, UNASSIGNED, spec.name, spec.initial_cash, FUNDING))
        elif change := spec.initial_cash - books.ledger[spec.name].configured_cash:
            moves.append(r.Transferred(now, UNASSIGNED, spec.name, change, NEW_INITIAL_CASH))
    return moves


def _check_capital(
    books: Books, specs: Sequence[StrategySpec], moves: Sequence[r.Transferred]
) -> None:
    needed = sum((move.amount for move in moves), ZERO)
    free = books.ledger[UNASSIGNED].cash
    if needed <= free:
        return
    each = ", ".join(f"{move.target} {_dollars(move.amount)}" for move in moves)
    total = sum((spec.initial_cash for spec in specs), ZERO)
    raise SafetyRefusal(
        f"capital does not fit: the strategies need {_dollars(needed)} ({each}; initial_cash sums"
        f" to {_dollars(total)}), but the account has {_dollars(free)} of cash that no strategy"
        " owns. Lower initial_cash, remove strategies, or add cash to the account."
    )


def _opening(
    books: Books, spec: StrategySpec, start_equity: Decimal, transferred_before: Decimal
) -> r.Opening:
    account = books.ledger[spec.name]
    return r.Opening(
        strategy=spec.name,
        strategy_type=spec.strategy_type,
        params=spec.params,
        tickers=spec.tickers,
        initial_cash=account.initial_cash,
        configured_cash=account.configured_cash,
        transferred=account.transferred,
        baseline_transferred=transferred_before,
        cash=account.cash,
        holdings=account.holdings(),
        start_equity=start_equity,
    )


def _unassigned_opening(
    books: Books, start_equity: Decimal, transferred_before: Decimal
) -> r.Opening:
    account = books.ledger[UNASSIGNED]
    return r.Opening(
        strategy=UNASSIGNED,
        strategy_type="unassigned",
        params={},
        tickers=(),
        initial_cash=account.initial_cash,
        configured_cash=account.configured_cash,
        transferred=account.transferred,
        baseline_transferred=transferred_before,
        cash=account.cash,
        holdings=account.holdings(),
        start_equity=start_equity,
    )


def _dollars(amount: Decimal) -> str:
    return f"${amount:,.2f}"
