"""A session's statement: its records, replayed, as the warehouse's rows.

Nothing is computed here that the records do not prove: the same books that traded are built again
and read out. Rows have the column names and meanings of the warehouse's tables.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import cast

from coordinator.core import records as r
from coordinator.core.book_rows import (
    fault_rows,
    pnl_row,
    position_rows,
    session_row,
    strategy_row,
    transfer_rows,
    unrealized,
)
from coordinator.core.books import FUNDING, Books
from coordinator.core.equity_curve import EquityCurve
from coordinator.core.lane import FAULT
from coordinator.core.ledger import Position, SubAccount
from coordinator.core.order_rows import OrderRows, Row
from coordinator.core.values import ATTO, UNASSIGNED, Bar, exactly, is_crypto, storable

Rows = dict[str, list[Row]]
CRYPTO_FEED = "us"


@dataclass(frozen=True, slots=True)
class TakenOver:
    """Stands among a session's records where another coordinator took these strategies over.

    It valued what they held at `marks`, dollars by ticker.
    """

    at: datetime
    strategies: frozenset[str]
    marks: Mapping[str, Decimal]


Told = r.Record | TakenOver
"""What a session is replayed from."""


@exactly
def statement(records: Sequence[Told]) -> Rows:
    """The rows of one session, by table.

    Raises:
        ValueError: no session was opened in these records.
    """
    return replayed(records).rows()


@exactly
def replayed(records: Iterable[Told]) -> Replay:
    """The books and rows of one session, built from its records."""
    replay = Replay()
    for record in records:
        replay.take(record)
    return replay


class Replay:
    """Builds the books again, and collects the tables' rows on the way."""

    def __init__(self) -> None:
        self.books = Books()
        self.opened: r.SessionOpened | None = None
        self._last_at: datetime | None = None
        self._curves: dict[str, EquityCurve] = {}
        self._start_unrealized: dict[str, Decimal] = {}
        self._orders = OrderRows()
        self._bars: dict[tuple[str, datetime], Row] = {}
        self._tables: Rows = {name: [] for name in ("fills", "activities", "discrepancies")}
        self._fills: Counter[str] = Counter()
        self._moved: set[str] = set()
        """Strategies whose cash, positions or marks have moved since their curves' last point."""
        self._stops: dict[str, str] = {}
        """How each strategy that failed did, even if it trades again by now."""
        self._holders: dict[str, set[str]] = {}
        """The strategies that hold a symbol, or held it at its last bar."""
        self._left: dict[str, Mapping[str, Decimal]] = {}
        """The marks at which each strategy left that another coordinator runs by now."""

    def take(self, record: Told) -> None:
        """Apply the session's next record."""
        if isinstance(record, TakenOver):
            self._leave(record)
            return
        if isinstance(record, r.Transferred):
            rows, begins = self._tables["activities"], record.kind == FUNDING
            rows += transfer_rows(record, len(rows), begins=begins)
        if self.opened is None and not isinstance(record, r.SessionOpened):
            return
        self.books.apply(record)
        self._last_at = record.at
        self._note_moves(record)
        match record:
            case r.SessionOpened():
                self._open(record)
            case r.Transferred():
                self._note_equity(record.at)
            case r.Reconfigured():
                assert self.opened is not None
                self.opened = replace(self.opened, config_hash=record.config_hash)
            case r.EntriesStopped() if record.reason.startswith(FAULT):
                self._stops[record.strategy] = record.reason
            case r.HistorySeen():
                self._note_bars(record.bars, r.Origin.BACKFILL)
            case r.BarsSeen():
                self._note_bars(record.bars, record.origin)
                if record.origin is not r.Origin.CORRECTED:
                    self._note_equity(record.bars[0].end)
            case r.OrderIntended() | r.EntryDenied():
                self._orders.intend(record)
            case r.OrderMoved() if order := self.books.orders.get(record.client_order_id):
                self._orders.move(record, order)
            case r.FillBooked():
                self._note_fill(record)
            case r.OrderAdopted() if order := self.books.orders.get(record.client_order_id):
                self._orders.adopt(record, order)
            case r.ActivityBooked():
                self._note_activity(record)
                if record.kind is r.ActivityKind.TRANSFER:
                    self._note_equity(record.at)
            case r.DiscrepancyFound():
                self._note_discrepancy(record)
            case _:
                pass

    def rows(self) -> Rows:
        """The session's rows; ValueError if none was opened."""
        if self.opened is None or self._last_at is None:
            raise ValueError("these records open no session")
        self._moved |= self._curves.keys() - self._left.keys()
        self._note_equity(self._last_at, last=True)
        opened, books, marks = self.opened, self.books, self.marks
        names = [opening.strategy for opening in opened.openings]
        for row in self._tables["activities"]:
            row["session_id"] = opened.session_id
            row.setdefault("session_date", opened.session_date)
        return {
            "sessions": [session_row(opened, books.ended)],
            "strategies": [strategy_row(opened, opening) for opening in opened.openings],
            "bars": list(self._bars.values()),
            "orders": list(self._orders),
            **self._tables,
            "positions": [
                row for name in names for row in position_rows(opened, books, name, marks(name))
            ],
            "pnl_daily": [self._pnl_row(opened, opening) for opening in opened.openings],
            "equity": [row for name in names for row in self._equity_rows(name)],
            "faults": fault_rows(opened, self._stops),
        }

    def marks(self, strategy: str) -> Mapping[str, Decimal]:
        """What a strategy's positions are valued at, dollars by ticker."""
        return self._left.get(strategy, self.books.ledger.marks)

    def _leave(self, taken: TakenOver) -> None:
        """End the strategies' days: what comes after is of the days that they have elsewhere.

        One that had ended already keeps the closes that it ended with.
        """
        leaving = taken.strategies & self._curves.keys() - self._left.keys()
        ended = self.books.ended
        marks = {**self.books.ledger.marks, **({} if ended else taken.marks)}
        self._left |= dict.fromkeys(leaving, marks)
        self._moved -= leaving
        at = ended.at if ended else taken.at
        for name in leaving:
            self._curves[name].add(at, self._account(name).cash, self._value(name), last=True)

    def _open(self, record: r.SessionOpened) -> None:
        self.opened = replace(record, at=self.opened.at) if self.opened else record
        self._orders.open(record)
        for opening in record.openings:
            if opening.strategy not in self._curves:  # a reload opens it again
                self._curves[opening.strategy] = EquityCurve()
                account = self._account(opening.strategy)
                found = unrealized(account, self.books.ledger.marks)
                self._start_unrealized[opening.strategy] = found
        self._moved.update(self._curves)
        self._note_equity(record.at)

    def _account(self, name: str) -> SubAccount:
        return self.books.ledger[name]

    def _value(self, name: str) -> Decimal:
        return self._account(name).market_value(self.marks(name))

    def _note_equity(self, at: datetime, *, last: bool = False) -> None:
        for name in self._moved & self._curves.keys():
            self._curves[name].add(at, self._account(name).cash, self._value(name), last=last)
        self._moved.clear()

    def _note_moves(self, record: r.Record) -> None:
        """Note the strategies whose cash, positions or marks a record has moved."""
        match record:
            case r.FillBooked() | r.ActivityBooked():
                self._moved.add(record.strategy)
                if record.symbol:
                    self._holders.setdefault(record.symbol, set()).add(record.strategy)
                    if isinstance(record, r.ActivityBooked):
                        self._moved |= self._holders[record.symbol]  # a split sets the mark
            case r.Transferred():
                self._moved |= {record.source, record.target}
            case r.BarsSeen() | r.HistorySeen():
                for bar in record.bars:
                    if holders := self._holders.get(bar.symbol):
                        holders -= {n for n in holders if bar.symbol not in self._positions(n)}
                        self._moved |= holders
            case r.SessionOpened():
                for opening in record.openings:
                    for symbol in self._positions(opening.strategy):
                        self._holders.setdefault(symbol, set()).add(opening.strategy)
            case _:
                pass

    def _positions(self, name: str) -> Mapping[str, Position]:
        return self._account(name).positions

    def _note_bars(self, bars: Iterable[Bar], origin: r.Origin) -> None:
        assert self.opened is not None
        for bar in bars:
            feed = CRYPTO_FEED if is_crypto(bar.symbol) else self.opened.feed
            row: Row = {
                "account": self.opened.account,
                "feed": feed,
                "symbol": bar.symbol,
                "ts": bar.start,
                "open": bar.open,
                "high": bar.high,
                "low": bar.low,
                "close": bar.close,
                "volume": storable(bar.volume),
                "trade_count": bar.trade_count,
                "vwap": storable(bar.vwap),
                "origin": origin.value,
            }
            self._bars[bar.symbol, bar.start] = row

    def _note_fill(self, fill: r.FillBooked) -> None:
        assert self.opened is not None
        if order := self.books.orders.of(fill.strategy, fill.client_order_id):
            self._orders.fill(fill, order)
        elif fill.strategy == UNASSIGNED:
            self._orders.fill_unowned(fill)
        self._fills[fill.strategy] += 1
        self._tables["fills"].append(
            {
                "execution_id": fill.execution_id,
                "session_id": self.opened.session_id,
                "client_order_id": fill.client_order_id,
                "session_date": self.opened.session_date,
                "strategy": fill.strategy,
                "symbol": fill.symbol,
                "side": fill.side.value,
                "qty": fill.qty,
                "price": fill.price,
                "fee": fill.fee,
                "filled_at": fill.at,
            }
        )

    def _pnl_row(self, opened: r.SessionOpened, opening: r.Opening) -> Row:
        name = opening.strategy
        start = self._start_unrealized[name]
        drawdown = self._curves[name].max_drawdown(
            (cast(datetime, row["booked_at"]), cast(Decimal, row["amount"]))
            for row in self._tables["activities"]
            if row["kind"] == "transfer" and row["strategy"] == name
        )
        fills = self._fills[name]
        return pnl_row(opened, self.books, opening, self.marks(name), start, fills, drawdown)

    def _note_activity(self, record: r.ActivityBooked) -> None:
        """Add an activity's row; its amount includes the value of its units, but for a split.

        A split that came after the session has its own date, before which its shares were bought.
        """
        assert self.opened is not None
        worth, day = record.amount, self.opened.session_date
        if record.kind is r.ActivityKind.SPLIT:
            day = max(day, record.day)
        else:
            worth += record.qty * record.price
        self._tables["activities"].append(
            {
                "activity_id": record.activity_id,
                "session_date": day,
                "strategy": record.strategy,
                "kind": record.kind.value,
                "symbol": record.symbol or None,
                "qty": record.qty or None,
                "amount": worth.quantize(ATTO),
                "allocated_by": record.allocated_by,
                "booked_at": record.at,
            }
        )

    def _note_discrepancy(self, record: r.DiscrepancyFound) -> None:
        assert self.opened is not None
        self._tables["discrepancies"].append(
            {
                "session_id": self.opened.session_id,
                "found_at": record.at,
                "kind": record.kind,
                "symbol": record.symbol or None,
                "strategy": record.strategy,
                "ours": record.ours,
                "brokers": record.brokers,
                "note": record.note,
            }
        )

    def _equity_rows(self, name: str) -> list[Row]:
        assert self.opened is not None
        return [
            {
                "session_id": self.opened.session_id,
                "strategy": name,
                "ts": at,
                "cash": cash,
                "market_value": value,
                "equity": cash + value,
            }
            for at, cash, value in self._curves[name].points
        ]
