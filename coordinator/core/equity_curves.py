"""The books' equity over a session, strategy by strategy.

A curve has a point where its strategy's cash, positions or marks moved. A strategy that another
coordinator took over is valued at the marks at which it left.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from decimal import Decimal

from coordinator.core import records as r
from coordinator.core.book_rows import unrealized
from coordinator.core.books import Books
from coordinator.core.equity_curve import EquityCurve
from coordinator.core.ledger import Position, SubAccount
from coordinator.core.order_rows import Row


class EquityCurves:
    """The curves of a session whose records are being applied to `books`."""

    def __init__(self, books: Books) -> None:
        self._books = books
        self._curves: dict[str, EquityCurve] = {}
        self._start_unrealized: dict[str, Decimal] = {}
        self._moved: set[str] = set()
        """Strategies whose cash, positions or marks have moved since their curves' last point."""
        self._holders: dict[str, set[str]] = {}
        """The strategies that hold a symbol, or held it at its last bar."""
        self._left: dict[str, Mapping[str, Decimal]] = {}
        """The marks at which each strategy left that another coordinator runs by now."""

    def open(self, record: r.SessionOpened) -> None:
        """Begin the strategies' curves; a reload goes on with those that have begun."""
        self.go_on()
        for opening in record.openings:
            if opening.strategy not in self._curves:
                self._curves[opening.strategy] = EquityCurve()
                found = unrealized(self._account(opening.strategy), self._books.ledger.marks)
                self._start_unrealized[opening.strategy] = found
        self._moved.update(self._curves)
        self.note(record.at)

    def note_moves(self, record: r.Record) -> None:
        """Note the strategies whose cash, positions or marks an applied record has moved."""
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

    def note(self, at: datetime, *, last: bool = False) -> None:
        """Add a point for each strategy that has moved."""
        self._add(at, self._moved & self._curves.keys(), last=last)
        self._moved.clear()

    def leave(
        self, strategies: Collection[str], marks: Mapping[str, Decimal], at: datetime
    ) -> None:
        """End the days of strategies: what comes after is of the days that they have elsewhere.

        One that had ended already keeps the closes that it ended with.
        """
        leaving = set(strategies) & self._curves.keys() - self._left.keys()
        ended = self._books.ended
        marks = {**self._books.ledger.marks, **({} if ended else marks)}
        self._left |= dict.fromkeys(leaving, marks)
        self._moved -= leaving
        self._add(ended.at if ended else at, leaving, last=True)

    def end(self, at: datetime) -> None:
        """Add the last point of each strategy that has not left.

        What is noted later is of the books that still moved: fees, say, which the next start finds.
        """
        self._moved |= self._curves.keys() - self._left.keys()
        self.note(at, last=True)

    def go_on(self) -> None:
        """Take back an end that was none: last points that show no change."""
        for name in self._curves.keys() - self._left.keys():
            self._curves[name].go_on()

    def marks(self, strategy: str) -> Mapping[str, Decimal]:
        """What a strategy's positions are valued at, dollars by ticker."""
        return self._left.get(strategy, self._books.ledger.marks)

    def start_unrealized(self, strategy: str) -> Decimal:
        """The P&L of its positions at the opening, dollars."""
        return self._start_unrealized[strategy]

    def max_drawdown(
        self, strategy: str, transfers: Iterable[tuple[datetime, Decimal]] = ()
    ) -> float:
        """As of `EquityCurve`."""
        return self._curves[strategy].max_drawdown(transfers)

    def rows(self, session_id: str, strategy: str) -> list[Row]:
        """The points of a strategy's curve."""
        return [
            {
                "session_id": session_id,
                "strategy": strategy,
                "ts": at,
                "cash": cash,
                "market_value": value,
                "equity": cash + value,
            }
            for at, cash, value in self._curves[strategy].points
        ]

    def _add(self, at: datetime, strategies: Iterable[str], *, last: bool = False) -> None:
        for name in strategies:
            account = self._account(name)
            value = account.market_value(self.marks(name))
            self._curves[name].add(at, account.cash, value, last=last)

    def _account(self, name: str) -> SubAccount:
        return self._books.ledger[name]

    def _positions(self, name: str) -> Mapping[str, Position]:
        return self._account(name).positions
