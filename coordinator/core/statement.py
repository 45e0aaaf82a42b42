"""A session's statement: its records, replayed, as the warehouse's rows.

Nothing is computed here that the records do not prove: the same books that traded are built again
and read out. Rows have the column names and meanings of the warehouse's tables.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from coordinator.core import records as r
from coordinator.core.books import FUNDING, Books
from coordinator.core.equity_curve import EquityCurve
from coordinator.core.ledger import Position, SubAccount
from coordinator.core.order_rows import OrderRows, Row
from coordinator.core.values import ATTO, ZERO, Bar, exactly, is_crypto

Rows = dict[str, list[Row]]
CRYPTO_FEED = "us"
_STATUS_WORDS = {"Completed": "closed", "StoppedEarly": "stopped_early"}


@exactly
def statement(records: Sequence[r.Record]) -> Rows:
    """The rows of one session, by table.

    Raises:
        ValueError: no session was opened in these records.
    """
    replay = Replay()
    for record in records:
        replay.take(record)
    return replay.rows()


class Replay:
    """Builds the books again and notes what the tables want to know on the way."""

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
        """Whose cash or positions have moved since their curves were last noted."""
        self._holders: dict[str, set[str]] = {}
        """Who holds a symbol, or held it when it was last looked at."""

    def take(self, record: r.Record) -> None:
        """Apply the session's next record."""
        if isinstance(record, r.Transferred):
            self._note_transfer(record)
        if self.opened is None and not isinstance(record, r.SessionOpened):
            return
        self.books.apply(record)
        self._last_at = record.at
        self._note_moves(record)
        match record:
            case r.SessionOpened():
                self._open(record)
            case r.Reconfigured():
                assert self.opened is not None
                self.opened = replace(self.opened, config_hash=record.config_hash)
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
            case r.OrderAdopted():
                self._orders.adopt(record, self.books.order(record.client_order_id))
            case r.ActivityBooked():
                self._note_activity(record)
            case r.DiscrepancyFound():
                self._note_discrepancy(record)
            case _:
                pass

    def rows(self) -> Rows:
        """The session's rows; ValueError if none was opened."""
        if self.opened is None or self._last_at is None:
            raise ValueError("these records open no session")
        self._moved.update(self._curves)
        self._note_equity(self._last_at, last=True)
        names = [opening.strategy for opening in self.opened.openings]
        return {
            "sessions": [self._session_row(self.opened)],
            "strategies": [self._strategy_row(opening) for opening in self.opened.openings],
            "bars": list(self._bars.values()),
            "orders": list(self._orders),
            **self._tables,
            "positions": [row for name in names for row in self._position_rows(name)],
            "pnl_daily": [self._pnl_row(opening) for opening in self.opened.openings],
            "equity": [row for name in names for row in self._equity_rows(name)],
        }

    def _open(self, record: r.SessionOpened) -> None:
        self.opened = replace(record, at=self.opened.at) if self.opened else record
        self._orders.open(record)
        for opening in record.openings:
            if opening.strategy not in self._curves:  # a session may be opened again for more
                self._curves[opening.strategy] = EquityCurve()
                self._start_unrealized[opening.strategy] = self._unrealized(opening.strategy)
        self._moved.update(self._curves)
        self._note_equity(record.at)

    def _account(self, name: str) -> SubAccount:
        return self.books.ledger[name]

    def _value(self, name: str) -> Decimal:
        return self._account(name).market_value(self.books.ledger.marks)

    def _unrealized(self, name: str) -> Decimal:
        cost = sum((p.cost for p in self._account(name).positions.values()), ZERO)
        return self._value(name) - cost

    def _note_equity(self, at: datetime, *, last: bool = False) -> None:
        for name in self._moved & self._curves.keys():
            self._curves[name].add(at, self._account(name).cash, self._value(name), last=last)
        self._moved.clear()

    def _note_moves(self, record: r.Record) -> None:
        """Note whose cash, positions or marks a record has moved."""
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
                "volume": bar.volume,
                "trade_count": bar.trade_count,
                "vwap": bar.vwap,
                "origin": origin.value,
            }
            self._bars[bar.symbol, bar.start] = row

    def _note_fill(self, fill: r.FillBooked) -> None:
        assert self.opened is not None
        if order := self.books.orders.get(fill.client_order_id):
            self._orders.fill(fill, order)
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

    def _note_transfer(self, record: r.Transferred) -> None:
        """Both sides of a transfer; of a book's first funding only the giver's."""
        number = len(self._tables["activities"])
        sides = [(record.source, -record.amount), (record.target, record.amount)]
        for strategy, amount in sides[:1] if record.kind == FUNDING else sides:
            self._tables["activities"].append(
                {
                    "activity_id": f"transfer.{number}",
                    "strategy": strategy,
                    "kind": "transfer",
                    "symbol": None,
                    "qty": None,
                    "amount": amount,
                    "allocated_by": record.kind,
                }
            )

    def _note_activity(self, record: r.ActivityBooked) -> None:
        """What moved: units as such, dollars with the value of the units."""
        worth = record.amount
        if record.kind is not r.ActivityKind.SPLIT:
            worth += record.qty * record.price
        self._tables["activities"].append(
            {
                "activity_id": record.activity_id,
                "session_date": record.day,
                "strategy": record.strategy,
                "kind": record.kind.value,
                "symbol": record.symbol or None,
                "qty": record.qty or None,
                "amount": worth.quantize(ATTO),
                "allocated_by": record.allocated_by,
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

    def _session_row(self, opened: r.SessionOpened) -> Row:
        ended = self.books.ended
        for row in self._tables["activities"]:
            row["session_id"] = opened.session_id
            row.setdefault("session_date", opened.session_date)
        return {
            "session_id": opened.session_id,
            "coordinator": opened.coordinator,
            "account": opened.account,
            "mode": opened.mode,
            "session_date": opened.session_date,
            "opened_at": opened.at,
            "closed_at": ended.at if ended else None,
            "status": _STATUS_WORDS[ended.status] if ended else "open",
            "config_hash": opened.config_hash,
        }

    def _strategy_row(self, opening: r.Opening) -> Row:
        assert self.opened is not None
        return {
            "session_id": self.opened.session_id,
            "strategy": opening.strategy,
            "strategy_type": opening.strategy_type,
            "params": dict(opening.params),
            "tickers": list(opening.tickers),
            "initial_cash": opening.initial_cash,
        }

    def _position_rows(self, name: str) -> list[Row]:
        assert self.opened is not None
        rows: list[Row] = []
        for symbol, position in sorted(self._account(name).positions.items()):
            mark = self.books.ledger.marks.get(symbol, position.avg_price).quantize(ATTO)
            value = (position.qty * mark).quantize(ATTO)
            rows.append(
                {
                    "session_id": self.opened.session_id,
                    "strategy": name,
                    "symbol": symbol,
                    "qty": position.qty,
                    "avg_price": position.avg_price.quantize(ATTO),
                    "mark_price": mark,
                    "market_value": value,
                    "unrealized_pnl": value - position.cost,
                }
            )
        return rows

    def _pnl_row(self, opening: r.Opening) -> Row:
        assert self.opened is not None
        name = opening.strategy
        account = self._account(name)
        end = self.books.ledger.equity(name)
        transfers = account.transferred - opening.baseline_transferred
        net = end - opening.start_equity - transfers
        invested = opening.start_equity + transfers
        return {
            "session_date": self.opened.session_date,
            "session_id": self.opened.session_id,
            "strategy": name,
            "start_equity": opening.start_equity,
            "end_equity": end,
            "transfers": transfers,
            "realized_pnl": account.realized,
            "unrealized_change": self._unrealized(name) - self._start_unrealized[name],
            "fees": account.fees,
            "net_pnl": net,
            "return_pct": float(net / invested) if invested else 0.0,
            "fills": self._fills[name],
            "max_drawdown": self._curves[name].max_drawdown(),
        }

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
