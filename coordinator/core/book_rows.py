"""The warehouse's rows that are read from a session's books: session, strategies, positions, P&L.

Column names and meanings are those of the warehouse's tables.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from coordinator.core import records as r
from coordinator.core.books import Books
from coordinator.core.lane import FAULT
from coordinator.core.ledger import SubAccount
from coordinator.core.order_rows import Row
from coordinator.core.values import ATTO, ZERO


def session_row(opened: r.SessionOpened, ended: r.SessionEnded | None) -> Row:
    """The session itself; its status is `open` while no record has ended it."""
    return {
        "session_id": opened.session_id,
        "coordinator": opened.coordinator,
        "account": opened.account,
        "mode": opened.mode,
        "session_date": opened.session_date,
        "opened_at": opened.at,
        "closed_at": ended.at if ended else None,
        "status": _word(ended.status) if ended else "open",
        "config_hash": opened.config_hash,
    }


def _word(status: r.SessionEnd) -> str:
    match status:
        case r.SessionEnd.COMPLETED:
            return "closed"
        case r.SessionEnd.STOPPED_EARLY:
            return "stopped_early"


def strategy_row(opened: r.SessionOpened, opening: r.Opening) -> Row:
    """The strategy of a book, as configured."""
    return {
        "session_id": opened.session_id,
        "strategy": opening.strategy,
        "strategy_type": opening.strategy_type,
        "params": dict(opening.params),
        "tickers": list(opening.tickers),
        "initial_cash": opening.initial_cash,
    }


def position_rows(
    opened: r.SessionOpened, books: Books, name: str, marks: Mapping[str, Decimal]
) -> list[Row]:
    """A book's positions at `marks`; one without a mark at its cost."""
    rows: list[Row] = []
    for symbol, position in sorted(books.ledger[name].positions.items()):
        mark = marks.get(symbol)
        value = position.cost if mark is None else (position.qty * mark).quantize(ATTO)
        rows.append(
            {
                "session_id": opened.session_id,
                "strategy": name,
                "symbol": symbol,
                "qty": position.qty,
                "avg_price": position.avg_price.quantize(ATTO),
                "mark_price": (position.avg_price if mark is None else mark).quantize(ATTO),
                "market_value": value,
                "unrealized_pnl": value - position.cost,
            }
        )
    return rows


def pnl_row(
    opened: r.SessionOpened,
    books: Books,
    opening: r.Opening,
    marks: Mapping[str, Decimal],
    start_unrealized: Decimal,
    fills: int,
    max_drawdown: float,
) -> Row:
    """A book's P&L of the day, which ended at `marks`.

    `start_unrealized` is the P&L of its positions before it, dollars.
    """
    account = books.ledger[opening.strategy]
    end = account.cash + account.market_value(marks)
    transfers = account.transferred - opening.baseline_transferred
    net = end - opening.start_equity - transfers
    invested = opening.start_equity + transfers
    return {
        "session_date": opened.session_date,
        "session_id": opened.session_id,
        "strategy": opening.strategy,
        "start_equity": opening.start_equity,
        "end_equity": end,
        "transfers": transfers,
        "realized_pnl": account.realized,
        "unrealized_change": unrealized(account, marks) - start_unrealized,
        "fees": account.fees,
        "net_pnl": net,
        "return_pct": float(net / invested) if invested else 0.0,
        "fills": fills,
        "max_drawdown": max_drawdown,
    }


def fault_rows(opened: r.SessionOpened, stops: Mapping[str, str]) -> list[Row]:
    """The strategies that failed, and how; `stops` is why each strategy opened nothing more."""
    found: list[Row] = []
    for opening in opened.openings:
        name, stop = opening.strategy, stops.get(opening.strategy, "")
        if stop.startswith(FAULT):
            reason = stop.removeprefix(FAULT)
            found.append({"session_id": opened.session_id, "strategy": name, "reason": reason})
    return found


def unrealized(account: SubAccount, marks: Mapping[str, Decimal]) -> Decimal:
    """The unrealised P&L of a book's positions at `marks`, dollars."""
    cost = sum((p.cost for p in account.positions.values()), ZERO)
    return account.market_value(marks) - cost
