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
)
from coordinator.core.books import FUNDING, Books
from coordinator.core.equity_curves import EquityCurves
from coordinator.core.lane import FAULT
from coordinator.core.order_rows import OrderRows, Row
from coordinator.core.record_rows import (
    activity_row,
    bar_row,
    discrepancy_row,
    fill_row,
    transfer_rows,
)
from coordinator.core.values import UNASSIGNED, Bar, exactly

Rows = dict[str, list[Row]]


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
        self._curves = EquityCurves(self.books)
        self._orders = OrderRows()
        self._bars: dict[tuple[str, datetime], Row] = {}
        self._tables: Rows = {name: [] for name in ("fills", "activities", "discrepancies")}
        self._fills: Counter[str] = Counter()
        self._stops: dict[str, str] = {}
        """How each strategy that failed did, even if it trades again by now."""

    def take(self, record: Told) -> None:
        """Apply the session's next record."""
        if isinstance(record, TakenOver):
            self._curves.leave(record.strategies, record.marks, record.at)
            return
        if isinstance(record, r.Transferred):
            rows, begins = self._tables["activities"], record.kind == FUNDING
            rows += transfer_rows(record, len(rows), begins=begins)
        if isinstance(record, r.SessionOpened):
            self.opened = replace(record, at=self.opened.at) if self.opened else record
        if self.opened is None:
            return
        self.books.apply(record)
        self._last_at = record.at
        self._curves.note_moves(record)
        self._note(record, self.opened)

    def _note(self, record: r.Record, opened: r.SessionOpened) -> None:
        """Collect the rows of a record that the books have taken."""
        match record:
            case r.SessionOpened():
                self._orders.open(record)
                self._curves.open(record)
            case r.SessionResumed():
                self._curves.go_on()
            case r.SessionEnded():
                self._curves.end(record.at)
            case r.Transferred():
                self._curves.note(record.at)
            case r.Reconfigured():
                self.opened = replace(opened, config_hash=record.config_hash)
            case r.EntriesStopped() if record.reason.startswith(FAULT):
                self._stops[record.strategy] = record.reason
            case r.HistorySeen():
                self._note_bars(record.bars, r.Origin.BACKFILL, opened)
            case r.BarsSeen():
                self._note_bars(record.bars, record.origin, opened)
                if record.origin is not r.Origin.CORRECTED:
                    self._curves.note(record.bars[0].end)
            case r.OrderIntended() | r.EntryDenied():
                self._orders.intend(record)
            case r.OrderMoved() if order := self.books.orders.get(record.client_order_id):
                self._orders.move(record, order)
            case r.FillBooked():
                self._note_fill(record, opened)
            case r.OrderAdopted() if order := self.books.orders.get(record.client_order_id):
                self._orders.adopt(record, order)
            case r.ActivityBooked() if _has_begun(opened, record.strategy):
                self._tables["activities"].append(activity_row(opened, record))
                if record.kind is r.ActivityKind.TRANSFER:
                    self._curves.note(record.at)
            case r.DiscrepancyFound():
                self._tables["discrepancies"].append(discrepancy_row(opened, record))
            case _:
                pass

    def rows(self) -> Rows:
        """The session's rows; ValueError if none was opened."""
        if self.opened is None or self._last_at is None:
            raise ValueError("these records open no session")
        if not self.books.ended:
            self._curves.end(self._last_at)
        self._curves.note(self._last_at)
        opened, books, curves = self.opened, self.books, self._curves
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
                row
                for name in names
                for row in position_rows(opened, books, name, curves.marks(name))
            ],
            "pnl_daily": [self._pnl_row(opened, opening) for opening in opened.openings],
            "equity": [row for name in names for row in curves.rows(opened.session_id, name)],
            "faults": fault_rows(opened, self._stops),
        }

    def marks(self, strategy: str) -> Mapping[str, Decimal]:
        """What a strategy's positions are valued at, dollars by ticker."""
        return self._curves.marks(strategy)

    def _note_bars(self, bars: Iterable[Bar], origin: r.Origin, opened: r.SessionOpened) -> None:
        for bar in bars:
            self._bars[bar.symbol, bar.start] = bar_row(opened, bar, origin)

    def _note_fill(self, fill: r.FillBooked, opened: r.SessionOpened) -> None:
        if order := self.books.orders.of(fill.strategy, fill.client_order_id):
            self._orders.fill(fill, order)
        elif fill.strategy == UNASSIGNED:
            self._orders.fill_unowned(fill)
        self._fills[fill.strategy] += 1
        self._tables["fills"].append(fill_row(opened, fill))

    def _pnl_row(self, opened: r.SessionOpened, opening: r.Opening) -> Row:
        name, curves = opening.strategy, self._curves
        transfers = [
            (cast(datetime, row["booked_at"]), cast(Decimal, row["amount"]))
            for row in self._tables["activities"]
            if row["kind"] == "transfer" and row["strategy"] == name
        ]
        start, drawdown = curves.start_unrealized(name), curves.max_drawdown(name, transfers)
        fills = self._fills[name]
        return pnl_row(opened, self.books, opening, curves.marks(name), start, fills, drawdown)


def _has_begun(opened: r.SessionOpened, strategy: str) -> bool:
    """Whether a strategy is in the session by now: what an import gave it before that, and what
    that brought, is in the equity that it begins with."""
    return any(opening.strategy == strategy for opening in opened.openings)
