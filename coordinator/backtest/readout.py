"""The statement of a session that was played at once; its rows equal those of `core/statement.py`.

Bars and equity, which have many rows, are Arrow tables.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from coordinator.backtest.arrow import ArrowRows, bars_table, equity_table
from coordinator.backtest.curves import COIN_PLACES, SHARE_PLACES, Curve, curve
from coordinator.backtest.instant import Instant
from coordinator.backtest.reels import MICRO, Places, micros
from coordinator.core import records as r
from coordinator.core.book_rows import (
    fault_rows,
    pnl_row,
    position_rows,
    session_row,
    strategy_row,
    unrealized,
)
from coordinator.core.books import FUNDING, Books
from coordinator.core.order_rows import Row
from coordinator.core.record_rows import CRYPTO_FEED, transfer_rows
from coordinator.core.values import MINUTE, exactly, is_crypto


class Readout:
    """Makes a session's rows: created before the session is settled, read after it has ended."""

    @exactly
    def __init__(self, session: Instant, books: Books) -> None:
        self._session, self._books = session, books
        self._opened = session.opened.record
        names = [opening.strategy for opening in self._opened.openings]
        ledger, self._names = books.ledger, names
        self._unrealized = {name: unrealized(ledger[name], ledger.marks) for name in names}
        self._begun = {
            name: (ledger[name].cash, ledger[name].market_value(ledger.marks)) for name in names
        }

    @exactly
    def rows(self, ended: r.SessionEnded) -> dict[str, Sequence[Row]]:
        """The session's rows by table."""
        opened, books = self._opened, self._books
        marks = books.ledger.marks
        curves = self._curves(ended)
        fills = {book.spec.name: book.fills for book in self._session.books}
        return {
            "sessions": [session_row(opened, ended)],
            "strategies": [strategy_row(opened, opening) for opening in opened.openings],
            "bars": self._bars(),
            "orders": self._session.order_rows,
            "fills": self._session.fill_rows,
            "activities": self._activities(),
            "discrepancies": [],
            "positions": [
                row for name in self._names for row in position_rows(opened, books, name, marks)
            ],
            "pnl_daily": [
                pnl_row(
                    opened,
                    books,
                    opening,
                    marks,
                    self._unrealized[opening.strategy],
                    fills.get(opening.strategy, 0),
                    curves[opening.strategy].max_drawdown(),
                )
                for opening in opened.openings
            ],
            "equity": ArrowRows(partial(equity_table, opened.session_id, curves)),
            "faults": fault_rows(opened, {name: day.stopped for name, day in books.days.items()}),
        }

    def _curves(self, ended: r.SessionEnded) -> dict[str, Curve]:
        reels = self._session.reels
        coins = any(is_crypto(symbol) for symbol in reels)
        places = max(reel.bars.decimals for reel in reels.values())
        places += COIN_PLACES if coins else SHARE_PLACES
        times = self._times(ended)
        standings = {book.spec.name: book.standings for book in self._session.books}
        return {
            name: curve(standings.get(name, [(0, begun[0], {})]), reels, times, places, begun)
            for name, begun in self._begun.items()
        }

    def _times(self, ended: r.SessionEnded) -> Places:
        ends = self._session.axis + MINUTE // MICRO
        return np.concatenate(([micros(self._opened.at)], ends, [micros(ended.at)]))

    def _bars(self) -> ArrowRows:
        reels = self._session.reels
        feeds = {s: CRYPTO_FEED if is_crypto(s) else self._opened.feed for s in reels}
        history = [self._session.fresh(symbol) for symbol in sorted(reels)]
        bars = [reels[symbol].bars for symbol in sorted(reels)]
        return ArrowRows(partial(bars_table, self._opened.account, feeds, history, bars))

    def _activities(self) -> list[Row]:
        rows: list[Row] = []
        for record in self._session.opened.records:
            if isinstance(record, r.Transferred):
                rows += transfer_rows(record, len(rows), begins=record.kind == FUNDING)
        opened = self._opened
        more = {"session_id": opened.session_id, "session_date": opened.session_date}
        return [row | more for row in rows]
