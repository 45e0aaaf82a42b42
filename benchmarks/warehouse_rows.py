"""Invented sessions to load: `Maker(50, 200, 10).session(0)`, and the ones that follow it.

Each strategy buys and sells one of the tickers, with a fixed number of executions a session. Every
second strategy ends its session flat; the others hold their last purchase until the next session's
first minute. Rows are like those from a journal: dictionaries with decimals, an equity row a
minute, and a bar a minute for each ticker.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from warehouse.schemas import TABLES

MINUTES = 390
CASH = Decimal(1_000_000)
LOT = 10
BOUGHT, SOLD = Decimal("100.00"), Decimal("100.01")
NOTHING = Decimal(0)
Row = dict[str, Any]


@dataclass
class Made:
    """A session whose rows are in memory, as a SessionSource."""

    session_id: str
    tables: dict[str, list[Row]]
    mark: str = "1"

    def rows(self) -> dict[str, list[Row]]:
        """The rows."""
        return self.tables


@dataclass
class Book:
    """A strategy's cash and shares at the end of the last session."""

    cash: Decimal = CASH
    held: int = 0

    @property
    def equity(self) -> Decimal:
        """Cash plus shares at cost, which is each session's last close."""
        return self.cash + self.held * BOUGHT


@dataclass
class Maker:
    """Makes consecutive sessions with equal numbers of rows."""

    strategies: int
    fills: int
    tickers: int = 10
    books: dict[str, Book] = field(default_factory=dict)

    def session(self, number: int) -> Made:
        """The session of that number."""
        day = date(2025, 1, 1) + timedelta(days=number)
        self.id, self.day = f"{day}.bench.PA1", day
        self.opened_at = datetime(day.year, day.month, day.day, 14, 30, tzinfo=UTC)
        self.tables: dict[str, list[Row]] = {name: [] for name in TABLES}
        self.tables["sessions"] = [self._session()]
        for index in range(self.tickers):
            self._bars(self._ticker(index))
        for index in range(self.strategies):
            self._strategy(f"S{index:02d}", self._ticker(index), overnight=index % 2 == 1)
        self._book("UNASSIGNED", CASH, NOTHING, [])
        return Made(self.id, self.tables)

    def _ticker(self, index: int) -> str:
        return f"T{index % self.tickers:02d}"

    def _session(self) -> Row:
        row: Row = {"session_id": self.id, "coordinator": "bench", "account": "PA1"}
        row |= {"mode": "simulated", "session_date": self.day, "opened_at": self.opened_at}
        row |= {"closed_at": self.opened_at + timedelta(hours=7), "status": "closed"}
        return row | {"config_hash": "c"}

    def _bars(self, symbol: str) -> None:
        same: Row = {"account": "PA1", "feed": "iex", "symbol": symbol, "origin": "live"}
        same |= {"open": BOUGHT, "high": SOLD, "low": BOUGHT, "close": BOUGHT}
        same |= {"volume": Decimal(1200), "trade_count": 12, "vwap": BOUGHT}
        self.tables["bars"] += [
            same | {"ts": self.opened_at + timedelta(minutes=minute)} for minute in range(MINUTES)
        ]

    def _strategy(self, name: str, symbol: str, *, overnight: bool) -> None:
        book = self.books.setdefault(name, Book())
        start, moves = book.equity, list[tuple[datetime, Decimal, Decimal]]()
        count = self.fills // 2 * 2 - (overnight and not book.held)
        step = timedelta(seconds=MINUTES * 60 / (count + 1))
        before = book.cash, book.held * BOUGHT
        for number in range(count):
            at = self.opened_at + (number + 1) * step
            side, price = ("sell", SOLD) if book.held else ("buy", BOUGHT)
            self._execution(name, symbol, number, side, price, at)
            book.cash += LOT * price if book.held else -LOT * price
            book.held = 0 if book.held else LOT
            moves.append((at, book.cash, book.held * BOUGHT))
        if book.held:
            self._position(name, symbol, book)
        self._book(name, start, book.equity - start, [(self.opened_at, *before), *moves])

    def _position(self, name: str, symbol: str, book: Book) -> None:
        row: Row = {"session_id": self.id, "strategy": name, "symbol": symbol}
        row |= {"qty": Decimal(book.held), "avg_price": BOUGHT, "mark_price": BOUGHT}
        row |= {"market_value": book.held * BOUGHT, "unrealized_pnl": NOTHING}
        self.tables["positions"].append(row)

    def _execution(
        self, name: str, symbol: str, number: int, side: str, price: Decimal, at: datetime
    ) -> None:
        order = f"{name}.{self.day}.{number}"
        same: Row = {"session_id": self.id, "client_order_id": order, "strategy": name}
        same |= {"symbol": symbol, "side": side, "qty": Decimal(LOT)}
        self.tables["orders"].append(
            same
            | {"broker_order_id": f"b{order}", "filled_qty": Decimal(LOT), "status": "filled"}
            | {"filled_avg_price": price, "reason": "signal", "decision_price": BOUGHT}
            | {"decided_at": at, "submitted_at": at, "closed_at": at}
        )
        self.tables["fills"].append(
            same
            | {"execution_id": f"e{order}", "session_date": self.day, "price": price}
            | {"fee": NOTHING, "filled_at": at}
        )

    def _book(
        self,
        name: str,
        start: Decimal,
        gain: Decimal,
        moves: list[tuple[datetime, Decimal, Decimal]],
    ) -> None:
        self.tables["strategies"].append(
            {"session_id": self.id, "strategy": name, "strategy_type": "momentum", "params": {}}
            | {"tickers": ["SPY"], "initial_cash": CASH}
        )
        self.tables["pnl_daily"].append(
            {"session_date": self.day, "session_id": self.id, "strategy": name}
            | {"start_equity": start, "end_equity": start + gain, "transfers": NOTHING}
            | {"realized_pnl": gain, "unrealized_change": NOTHING, "fees": NOTHING}
            | {"net_pnl": gain, "return_pct": float(gain / start), "max_drawdown": 0.0}
            | {"fills": max(len(moves) - 1, 0)}
        )
        cash, value, left = start, NOTHING, list(reversed(moves))
        for minute in range(MINUTES + 1):
            at = self.opened_at + timedelta(minutes=minute)
            while left and (left[-1][0] <= at or minute == MINUTES):
                _, cash, value = left.pop()
            if minute in (0, MINUTES) or moves:
                self.tables["equity"].append(
                    {"session_id": self.id, "strategy": name, "ts": at, "cash": cash}
                    | {"market_value": value, "equity": cash + value}
                )
