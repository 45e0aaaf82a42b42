"""A small exact book-keeper: a day's executions in, a whole session's rows out.

It keeps average cost in exact decimals and shares no arithmetic with the warehouse or the
coordinator, so that what it says of a day can be held against what the warehouse says.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, localcontext
from typing import Any

from warehouse.schemas import TABLES

Row = dict[str, Any]
DAY = date(2026, 3, 17)
UNIT = Decimal("1e-18")
ZERO = Decimal(0)


def d(text: str | int) -> Decimal:
    """A Decimal, shortly."""
    return Decimal(text)


def exact(left: Decimal, right: Decimal) -> Decimal:
    """The product, rounded half-even at 1e-18 and nowhere else."""
    with localcontext() as context:
        context.prec = 60
        return (left * right).quantize(UNIT)


@dataclass
class Book:
    """One strategy's cash and positions: symbol -> [quantity, total cost]."""

    cash: Decimal
    held: dict[str, list[Decimal]] = field(
        default_factory=lambda: defaultdict(lambda: [d(0), d(0)])
    )
    realized: Decimal = ZERO
    fees: Decimal = ZERO


@dataclass
class Source:
    """A SessionSource of rows that are already there."""

    session_id: str
    mark: str
    tables: dict[str, list[Row]]

    def rows(self) -> dict[str, list[Row]]:
        """The rows, as the journal's side would give them."""
        return self.tables


class Day:
    """Builds one session: `buy` and `sell` a minute apart, then `source()`."""

    def __init__(
        self,
        session_id: str = "s1",
        day: date = DAY,
        books: dict[str, Book] | None = None,
        tickers: dict[str, list[str]] | None = None,
        account: str = "PA1",
        mode: str = "simulated",
        cash: str = "10000",
        marks: dict[str, Decimal] | None = None,
        coordinator: str = "house",
    ) -> None:
        names = tickers or {"Alpha": ["SPY"], "Beta": ["BTC/USD"]}
        self.session_id, self.day, self.account, self.mode = session_id, day, account, mode
        self.coordinator = coordinator
        self.tickers = names
        self.books = books or {name: Book(d(cash)) for name in [*names, "UNASSIGNED"]}
        self.marks = marks or {}
        self.opened_at = datetime(day.year, day.month, day.day, 13, 30, tzinfo=UTC)
        self.at = self.opened_at
        self.start = {name: self._equity(book) for name, book in self.books.items()}
        self.unrealized = {name: self._unrealized(book) for name, book in self.books.items()}
        self.transfers: dict[str, Decimal] = defaultdict(lambda: d(0))
        self.rows: dict[str, list[Row]] = {name: [] for name in TABLES}
        self._mark_equity()

    def buy(
        self, strategy: str, symbol: str, qty: str, price: str, fee: str = "0", **order: Any
    ) -> str:
        """A filled buy; a crypto fee is in dollars and kept back in coin."""
        return self._trade(strategy, symbol, "buy", d(qty), d(price), d(fee), order)

    def sell(
        self, strategy: str, symbol: str, qty: str, price: str, fee: str = "0", **order: Any
    ) -> str:
        """A filled sale."""
        return self._trade(strategy, symbol, "sell", d(qty), d(price), d(fee), order)

    def bust(self, execution_id: str) -> None:
        """Takes an execution back: a second row of the opposite sign."""
        self._take_back(execution_id)
        self._mark_equity()

    def _take_back(self, execution_id: str) -> None:
        row = next(r for r in self.rows["fills"] if r["execution_id"] == execution_id)
        order = next(
            o for o in self.rows["orders"] if o["client_order_id"] == row["client_order_id"]
        )
        self._tick(row["symbol"], row["price"])
        order["filled_qty"] -= row["qty"]
        if not order["filled_qty"]:
            order["filled_avg_price"] = None
        self.rows["fills"].append(
            {
                **row,
                "execution_id": execution_id + "-bust",
                "qty": -row["qty"],
                "fee": -row["fee"],
                "filled_at": self.at,
            }
        )
        self._book(
            row["strategy"], row["symbol"], row["side"], -row["qty"], row["price"], -row["fee"]
        )

    def correct(self, execution_id: str, qty: str, price: str) -> str:
        """Takes an execution back and books another of its order, both now."""
        self._take_back(execution_id)
        was = next(r for r in self.rows["fills"] if r["execution_id"] == execution_id)
        order = next(
            o for o in self.rows["orders"] if o["client_order_id"] == was["client_order_id"]
        )
        other = {
            **was,
            "execution_id": f"{execution_id}-right",
            "qty": d(qty),
            "price": d(price),
            "filled_at": self.at,
        }
        filled = order["filled_qty"] + other["qty"]
        order |= {"qty": filled, "filled_qty": filled, "filled_avg_price": d(price)}
        self.rows["fills"].append(other)
        self._book(was["strategy"], was["symbol"], was["side"], d(qty), d(price), was["fee"])
        self._mark_equity()
        return str(other["execution_id"])

    def activity(self, strategy: str, kind: str, amount: str, symbol: str | None = None) -> None:
        """Dollars that came or went without a fill."""
        book = self.books[strategy]
        book.cash += d(amount)
        match kind:
            case "fee":
                book.fees -= d(amount)
            case "transfer":
                self.transfers[strategy] += d(amount)
            case _:
                book.realized += d(amount)
        self.rows["activities"].append(
            {
                "activity_id": f"{self.session_id}-a{len(self.rows['activities'])}",
                "session_id": self.session_id,
                "session_date": self.day,
                "strategy": strategy,
                "kind": kind,
                "symbol": symbol,
                "qty": None,
                "amount": d(amount),
                "allocated_by": None,
                "booked_at": self.at + timedelta(minutes=1),
            }
        )
        self.at += timedelta(minutes=1)
        self._mark_equity()

    def transfer(self, strategy: str, symbol: str, qty: str) -> None:
        """Shares that came, or left if negative, at the mark and without an order."""
        book, units = self.books[strategy], d(qty)
        held, worth = book.held[symbol], units * self.marks[symbol]
        relieved = (held[1] * units / held[0]).quantize(UNIT) if units < 0 else worth
        held[0], held[1] = held[0] + units, held[1] + relieved
        book.realized += relieved - worth
        book.cash -= worth
        self.activity(strategy, "transfer", f"{worth}", symbol)
        self.rows["activities"][-1] |= {"qty": units}

    def fee_in_coin(self, strategy: str, symbol: str, qty: str) -> None:
        """Coins that the broker took beyond the fees of the fills, at the mark."""
        book, coins, worth = self.books[strategy], d(qty), d(qty) * self.marks[symbol]
        held = book.held[symbol]
        relief = (held[1] * coins / held[0]).quantize(UNIT)
        held[0], held[1] = held[0] - coins, held[1] - relief
        book.realized += worth - relief
        book.cash += worth
        self.activity(strategy, "fee", f"{-worth}", symbol)
        self.rows["activities"][-1] |= {"qty": -coins}

    def split(self, strategy: str, symbol: str, ratio: Decimal | int, days: int = 0) -> None:
        """A position becomes `ratio` times as many; with `days`, so long after the session."""
        held = self.books[strategy].held[symbol]
        added = held[0] * (ratio - 1)
        held[0] += added
        self.marks[symbol] = self.marks[symbol] / ratio
        self.activity(strategy, "split", "0", symbol)
        self.rows["activities"][-1] |= {"qty": added, "amount": None}
        self.rows["activities"][-1]["session_date"] += timedelta(days=days)

    def bar(self, symbol: str, close: str, origin: str = "live", minute: int = 0) -> None:
        """A one-minute bar."""
        self.rows["bars"].append(
            {
                "account": self.account,
                "feed": "iex",
                "symbol": symbol,
                "ts": self.opened_at + timedelta(minutes=minute),
                **dict.fromkeys(("open", "high", "low", "close"), d(close)),
                "volume": d("1200.5"),
                "trade_count": 12,
                "vwap": d(close),
                "origin": origin,
            }
        )

    def source(self, mark: str = "m1") -> Source:
        """The session's rows, closed at the last marks."""
        self.rows["sessions"] = [self._session()]
        self.rows["strategies"] = [self._strategy(name) for name in self.books]
        self.rows["positions"] = [
            self._position(name, symbol, *held)
            for name, book in self.books.items()
            for symbol, held in book.held.items()
            if held[0]
        ]
        self.rows["pnl_daily"] = [self._pnl(name) for name in self.books]
        return Source(self.session_id, mark, self.rows)

    def next_day(self, session_id: str, days: int = 1) -> Day:
        """The session that follows with the same books."""
        for book in self.books.values():
            book.realized = book.fees = d(0)
        return Day(
            session_id,
            self.day + timedelta(days=days),
            self.books,
            self.tickers,
            self.account,
            self.mode,
            marks=dict(self.marks),
            coordinator=self.coordinator,
        )

    def moved_to(self, session_id: str) -> Day:
        """The rest of the day, in the session of a coordinator that had opened an hour before."""
        other = self.next_day(session_id, days=0)
        other.coordinator = f"{self.coordinator}, too"
        other.opened_at -= timedelta(hours=1)
        other.at = self.at + timedelta(minutes=1)
        other.rows["equity"].clear()
        other._mark_equity()
        return other

    def _tick(self, symbol: str, price: Decimal) -> None:
        self.at += timedelta(minutes=1)
        self.marks[symbol] = price

    def _trade(
        self,
        strategy: str,
        symbol: str,
        side: str,
        qty: Decimal,
        price: Decimal,
        fee: Decimal,
        order: Row,
    ) -> str:
        self._tick(symbol, price)
        number = len(self.rows["orders"]) + 1
        order_id = f"{strategy}.{self.day}.{number}"
        execution_id = f"{self.session_id}-e{number}"
        self.rows["orders"].append(
            {
                "client_order_id": order_id,
                "session_id": self.session_id,
                "broker_order_id": f"b-{number}",
                "strategy": strategy,
                "symbol": symbol,
                "side": side,
                "qty": qty,
                "filled_qty": qty,
                "filled_avg_price": price,
                "status": "filled",
                "reason": "signal",
                "decision_price": price,
                "decided_at": self.at,
                "submitted_at": self.at,
                "closed_at": self.at,
                **order,
            }
        )
        self.rows["fills"].append(
            {
                "execution_id": execution_id,
                "session_id": self.session_id,
                "client_order_id": order_id,
                "session_date": self.day,
                "strategy": strategy,
                "symbol": symbol,
                "side": side,
                "qty": qty,
                "price": price,
                "fee": fee,
                "filled_at": self.at,
            }
        )
        self._book(strategy, symbol, side, qty, price, fee)
        self._mark_equity()
        return execution_id

    def _book(
        self, strategy: str, symbol: str, side: str, qty: Decimal, price: Decimal, fee: Decimal
    ) -> None:
        book = self.books[strategy]
        held = book.held[symbol]
        book.fees += fee
        in_coin = fee / price if "/" in symbol and side == "buy" else d(0)
        sign = 1 if side == "buy" else -1
        book.cash -= sign * exact(qty, price) + (d(0) if in_coin else fee)
        change, worth = sign * (qty - in_coin), sign * exact(qty - in_coin, price)
        with localcontext() as context:
            context.prec = 60
            part = min(abs(held[0] / change), d(1)) if held[0] * change < 0 else d(0)
            closed = (worth * part).quantize(UNIT)
            relief = (held[1] * -part * change / held[0]).quantize(UNIT) if part else d(0)
        book.realized -= closed + relief
        held[0] += change
        held[1] += worth - closed - relief

    def _value(self, book: Book) -> Decimal:
        return sum(
            (exact(held[0], self.marks[symbol]) for symbol, held in book.held.items() if held[0]),
            d(0),
        )

    def _unrealized(self, book: Book) -> Decimal:
        return self._value(book) - sum((held[1] for held in book.held.values()), d(0))

    def _equity(self, book: Book) -> Decimal:
        return book.cash + self._value(book)

    def _mark_equity(self) -> None:
        for name, book in self.books.items():
            row = {
                "session_id": self.session_id,
                "strategy": name,
                "ts": self.at,
                "cash": book.cash,
                "market_value": self._value(book),
                "equity": self._equity(book),
            }
            self.rows["equity"].append(row)

    def _session(self) -> Row:
        return {
            "session_id": self.session_id,
            "coordinator": self.coordinator,
            "account": self.account,
            "mode": self.mode,
            "session_date": self.day,
            "opened_at": self.opened_at,
            "closed_at": self.at + timedelta(minutes=1),
            "status": "closed",
            "config_hash": "c0ffee",
        }

    def _strategy(self, name: str) -> Row:
        return {
            "session_id": self.session_id,
            "strategy": name,
            "strategy_type": "unassigned" if name == "UNASSIGNED" else "momentum",
            "params": {"lookback_period": 20},
            "tickers": self.tickers.get(name, []),
            "initial_cash": d("10000"),
        }

    def _position(self, name: str, symbol: str, qty: Decimal, cost: Decimal) -> Row:
        mark = self.marks[symbol]
        return {
            "session_id": self.session_id,
            "strategy": name,
            "symbol": symbol,
            "qty": qty,
            "avg_price": (cost / qty).quantize(UNIT),
            "mark_price": mark,
            "market_value": exact(qty, mark),
            "unrealized_pnl": exact(qty, mark) - cost,
        }

    def _pnl(self, name: str) -> Row:
        book = self.books[name]
        end, start, transfers = self._equity(book), self.start[name], self.transfers[name]
        return {
            "session_date": self.day,
            "session_id": self.session_id,
            "strategy": name,
            "start_equity": start,
            "end_equity": end,
            "transfers": transfers,
            "realized_pnl": book.realized,
            "unrealized_change": self._unrealized(book) - self.unrealized[name],
            "fees": book.fees,
            "net_pnl": end - start - transfers,
            "return_pct": float(end - start - transfers) / float(start + transfers),
            "fills": sum(r["strategy"] == name for r in self.rows["fills"]),
            "max_drawdown": self._fall(name),
        }

    def _fall(self, name: str) -> float:
        """The deepest fall below the highest equity so far, as a fraction of that."""
        peak, worst = d(0), d(0)
        for row in self.rows["equity"]:
            if row["strategy"] == name:
                for moved in self.rows["activities"]:
                    of = moved["strategy"], moved["kind"], moved["booked_at"]
                    peak += moved["amount"] if of == (name, "transfer", row["ts"]) else d(0)
                peak = max(peak, row["equity"])
                worst = max(worst, (peak - row["equity"]) / peak if peak else d(0))
        return float(worst)
