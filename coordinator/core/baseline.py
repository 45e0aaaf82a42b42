"""What a session finds when it begins: each book's baseline, its marks and its open orders.

A baseline is taken before the session's own transfers, so that a day's P&L starts from the equity
that the day before left.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from coordinator.core import records as r
from coordinator.core.books import Books
from coordinator.core.lane import StrategySpec
from coordinator.core.values import UNASSIGNED, ZERO


@dataclass(frozen=True, slots=True)
class Baseline:
    """A book before the session's transfers; `start_equity` and `transferred` are dollars."""

    strategy: str
    strategy_type: str
    params: Mapping[str, object]
    tickers: tuple[str, ...]
    start_equity: Decimal
    transferred: Decimal
    code: str = ""

    @classmethod
    def of(cls, books: Books, spec: StrategySpec) -> Baseline:
        """The baseline of a strategy, which may have no book yet."""
        is_known = spec.name in books.ledger
        return cls(
            strategy=spec.name,
            strategy_type=spec.strategy_type,
            params=spec.params,
            tickers=spec.tickers,
            start_equity=books.ledger.equity(spec.name) if is_known else spec.initial_cash,
            transferred=books.ledger[spec.name].transferred if is_known else ZERO,
            code=spec.code,
        )

    @classmethod
    def dormant(cls, books: Books, name: str, before: r.Opening | None) -> Baseline:
        """The baseline of a strategy that is not run, as the session `before` described it.

        Without that its tickers are those that it holds or has a remembered order on.
        """
        return cls(
            strategy=name,
            strategy_type=before.strategy_type if before else "dormant",
            params=before.params if before else {},
            tickers=before.tickers if before else _concerned(books, name),
            start_equity=books.ledger.equity(name),
            transferred=books.ledger[name].transferred,
            code=before.code if before else "",
        )

    @classmethod
    def unassigned(cls, books: Books, fill_model: str) -> Baseline:
        """The baseline of UNASSIGNED, what no strategy owns."""
        return cls(
            strategy=UNASSIGNED,
            strategy_type="unassigned",
            params={"fill_model": fill_model} if fill_model else {},
            tickers=(),
            start_equity=books.ledger.equity(UNASSIGNED),
            transferred=books.ledger[UNASSIGNED].transferred,
        )

    def opening(self, books: Books) -> r.Opening:
        """The book as the session opens it, after its transfers."""
        account = books.ledger[self.strategy]
        return r.Opening(
            strategy=self.strategy,
            strategy_type=self.strategy_type,
            params=self.params,
            tickers=self.tickers,
            initial_cash=account.initial_cash,
            configured_cash=account.configured_cash,
            transferred=account.transferred,
            baseline_transferred=self.transferred,
            cash=account.cash,
            holdings=account.holdings(),
            start_equity=self.start_equity,
            code=self.code,
        )


def _concerned(books: Books, name: str) -> tuple[str, ...]:
    """The tickers on which a strategy has a position or a remembered order."""
    ordered = {order.symbol for order in books.orders if order.strategy == name}
    return tuple(sorted(ordered | set(books.ledger[name].positions)))


def dormant_names(books: Books, specs: Sequence[StrategySpec]) -> list[str]:
    """Strategies that left the configuration and have a position, or an order still remembered."""
    active = {spec.name for spec in specs} | {UNASSIGNED}
    ordered = {order.strategy for order in books.orders}
    return [
        name
        for name in books.days
        if name not in active and (books.ledger[name].positions or name in ordered)
    ]


def held_marks(books: Books) -> dict[str, Decimal]:
    """The last price, in dollars, of each symbol that a book holds or has a remembered order on."""
    held = {symbol for account in books.ledger.accounts.values() for symbol in account.positions}
    held |= {order.symbol for order in books.orders}
    return {symbol: mark for symbol, mark in sorted(books.ledger.marks.items()) if symbol in held}


def open_orders(books: Books) -> tuple[r.OpenOrder, ...]:
    """The orders that a fill can still reach."""
    return tuple(map(r.OpenOrder.of, books.orders.open()))
