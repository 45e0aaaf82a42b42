"""Plans of `import-account` by chance: a human takes what a strategy has, or moves it."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import ROUND_DOWN, Decimal
from pathlib import Path

from coordinator.commands.accounts import OPERATOR, Account
from coordinator.commands.import_account import with_books
from coordinator.config.models import StrategyConfig
from coordinator.core import records as r
from coordinator.core.adoption import Market, Move, Plan, Recipient, adoption, refusals
from coordinator.core.books import Books
from coordinator.core.values import COIN, ZERO, exactly
from coordinator.shell.journal_reading import newest_sessions


def carried_out(
    path: Path,
    session: str,
    name: str,
    configured: Sequence[StrategyConfig],
    dice: random.Random,
    now: datetime,
    closes: Mapping[str, Decimal],
) -> list[r.Record]:
    """The records that a plan wrote to the journal at `path`; none where it was refused.

    `closes` are the broker's newest, in dollars by ticker. As the command does, it judges on the
    books of a coordinator.
    """
    runs = {one.name: Recipient(one.name, one.tickers, one.initial_cash) for one in configured}
    market, records = Market(closes), list[r.Record]()
    names = sorted(newest_sessions(path)) or [""]
    with Account.open(path, seen_by=dice.choice(names)) as account:
        books = account.books
        runs = with_books(account, books) | runs
        plan = Plan(name, account.number, tuple(_moves(dice, books, runs)))

        @exactly
        def decided() -> list[r.Record]:
            if plan.moves and not refusals(books, plan, runs, market):
                records.extend(adoption(books, plan, runs, market, now, OPERATOR))
            return records

        account.decide(session, decided)
    return records


@exactly
def _moves(dice: random.Random, books: Books, runs: Mapping[str, Recipient]) -> list[Move]:
    """A part of a position of a strategy, or some dollars, and perhaps who gets it."""
    name, other = dice.choice(sorted(runs)), dice.choice(["", *sorted(runs)])
    if name not in books.ledger:
        return []
    held = [held for held in books.ledger[name].holdings() if held.qty > 0]
    if not held or dice.random() < 0.3:
        dollars = Decimal(dice.randrange(1, 20))
        moves = [Move(name, "", ZERO, -dollars), Move(other, "", ZERO, dollars)]
    else:
        one = dice.choice(held)
        units = (one.qty * dice.randrange(10, 101) / 100).quantize(COIN, ROUND_DOWN)
        moves = [Move(name, one.symbol, -units, ZERO), Move(other, one.symbol, units, ZERO)]
    return moves if other else moves[:1]
