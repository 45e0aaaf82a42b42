"""The statement of a session that machine code played: tables of columns, made when they are read.

The rows equal those of `readout.py` and `core/statement.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa

from coordinator.backtest.arrow import MONEY, ArrowRows, LaterRows, bars_table
from coordinator.backtest.compiled.columns import Words, amounts, money, repeated, times
from coordinator.backtest.compiled.curves import points
from coordinator.backtest.compiled.layout import Held, Notes, Whole
from coordinator.backtest.compiled.log_tables import LogTables
from coordinator.backtest.compiled.player import Played
from coordinator.backtest.compiled.scale import QUANTITY_PLACES
from coordinator.backtest.reels import MICRO, micros
from coordinator.core import records as r
from coordinator.core.book_rows import session_row
from coordinator.core.books import FUNDING
from coordinator.core.order_rows import Row
from coordinator.core.values import MINUTE, UNASSIGNED, ZERO

_TRANSFERS = Words(("transfer.",))
_UNASSIGNED = repeated(UNASSIGNED, 1)


class Statement:
    """Makes the rows of a played session."""

    def __init__(self, played: Played, fill_model: str, *, apart: bool) -> None:
        self._played, self._fill_model, self._apart = played, fill_model, apart
        self._strategies, self._scale = played.closed.strategies, played.closed.scale
        self._names, self._tickers = self._strategies.names, self._strategies.symbols
        self._all = np.arange(len(self._strategies.specs))
        self._strategy_of = self._strategies.seat_strategy

    def rows(self) -> dict[str, Sequence[Row]]:
        """The session's rows by table."""
        played, name = self._played, self._played.name
        log = LogTables(played, apart=self._apart)
        opened = r.SessionOpened(
            at=played.start,
            session_id=name.session_id,
            coordinator=name.coordinator,
            account=name.account,
            mode=name.mode,
            feed=name.feed,
            session_date=played.plan.date,
            config_hash=name.config_hash,
            openings=(),
            marks={},
            orders=(),
        )
        status = r.SessionEnd.COMPLETED
        ended = r.SessionEnded(played.plan.end, name.session_id, status, None, {})
        return {
            "sessions": [session_row(opened, ended)],
            "strategies": LaterRows(self._strategy_rows),
            "bars": ArrowRows(self._bars),
            "orders": ArrowRows(log.orders),
            "fills": ArrowRows(log.fills),
            "activities": ArrowRows(self._activities) if played.first else [],
            "discrepancies": [],
            "positions": ArrowRows(self._positions),
            "pnl_daily": ArrowRows(self._days),
            "equity": ArrowRows(self._equity),
            "faults": [],  # machine code plays no session in which a rule fails
        }

    def _strategy_rows(self) -> list[Row]:
        session, specs = self._played.name.session_id, self._strategies.specs
        rows: list[Row] = [
            {
                "session_id": session,
                "strategy": spec.name,
                "strategy_type": spec.strategy_type,
                "params": dict(spec.params),
                "tickers": list(spec.tickers),
                "initial_cash": spec.initial_cash,
            }
            for spec in specs
        ]
        rows.append(
            {
                "session_id": session,
                "strategy": UNASSIGNED,
                "strategy_type": "unassigned",
                "params": {"fill_model": self._fill_model} if self._fill_model else {},
                "tickers": [],
                "initial_cash": ZERO,
            }
        )
        return rows

    def _bars(self) -> Any:
        name, cut = self._played.name, self._played.cut
        place = {ticker: number for number, ticker in enumerate(self._strategies.tickers)}
        order = [place[ticker] for ticker in sorted(place)]
        history, session = cut.unseen(), cut.session()
        return bars_table(
            name.account,
            dict.fromkeys(place, name.feed),
            [history[at] for at in order],
            [session[at] for at in order],
        )

    def _activities(self) -> Any:
        played, count = self._played, len(self._all)
        day = pa.scalar(played.plan.date, pa.date32())
        return pa.table(
            {
                "activity_id": _TRANSFERS.column(np.zeros_like(self._all), self._all),
                "session_id": repeated(played.name.session_id, count),
                "session_date": pa.repeat(day, count),
                "strategy": repeated(UNASSIGNED, count),
                "kind": repeated("transfer", count),
                "symbol": pa.nulls(count, pa.string()),
                "qty": pa.nulls(count, MONEY),
                "amount": money(-self._strategies.initial, self._scale.money),
                "allocated_by": repeated(FUNDING, count),
                "booked_at": times(np.full(count, micros(played.start))),
            }
        )

    def _positions(self) -> Any:
        held, strategies = self._played.closed.standing.held, self._strategies
        symbols = np.array(strategies.tickers)
        seats = np.flatnonzero(held.qty)
        ticker = strategies.seat_ticker[seats]
        order = np.lexsort((symbols[ticker], self._strategy_of[seats]))
        seats, ticker = seats[order], ticker[order]
        mark = self._played.closed.standing.marks[ticker]
        qty, cost = held.qty[seats], held.cost[seats]
        value, places = qty * mark, self._scale.money
        return pa.table(
            {
                "session_id": repeated(self._played.name.session_id, len(seats)),
                "strategy": self._names.column(self._strategy_of[seats]),
                "symbol": self._tickers.column(ticker),
                "qty": money(qty, QUANTITY_PLACES),
                "avg_price": money(cost // np.maximum(qty, 1), self._scale.prices),
                "mark_price": money(mark, self._scale.prices),
                "market_value": money(value, places),
                "unrealized_pnl": money(value - cost, places),
            }
        )

    def _days(self) -> Any:
        """A day's row for each strategy, and one of UNASSIGNED, which only transfers cash."""
        played, day, places = self._played, self._played.day, self._scale.money
        begun, ended = played.begun, played.closed.standing
        unrealized_before = self._unrealized(begun.held, begun.marks)
        unrealized = self._unrealized(ended.held, ended.marks)
        worth = self._worth(ended.held, ended.marks)
        end = ended.held.cash + worth
        net = end - day.baseline
        falls = [
            (peak - low) / peak if low < peak else 0.0
            for peak, low in zip(day.peak.tolist(), day.trough.tolist(), strict=True)
        ]
        funded, spare = self._strategies.capital if played.first else ZERO, begun.spare
        count = len(net) + 1
        shares = [
            a / b if b else 0.0 for a, b in zip(net.tolist(), day.baseline.tolist(), strict=True)
        ]

        def dollars(steps: Whole, unassigned: Decimal) -> Any:
            return money(steps, places, last=unassigned)

        zeros = np.zeros_like(net)
        return pa.table(
            {
                "session_date": pa.repeat(pa.scalar(played.plan.date, pa.date32()), count),
                "session_id": repeated(played.name.session_id, count),
                "strategy": pa.chunked_array([self._names.column(self._all), _UNASSIGNED]),
                "start_equity": dollars(day.baseline, spare + funded),
                "end_equity": dollars(end, spare),
                "transfers": dollars(zeros, -funded),
                "realized_pnl": dollars(day.realized, ZERO),
                "unrealized_change": dollars(unrealized - unrealized_before, ZERO),
                "fees": dollars(zeros, ZERO),
                "net_pnl": dollars(net, ZERO),
                "return_pct": pa.array([*shares, 0.0], pa.float64()),
                "fills": pa.array(np.append(day.fills, 0)),
                "max_drawdown": pa.array([*falls, 0.0], pa.float64()),
            }
        )

    def _equity(self) -> Any:
        played, cut, places = self._played, self._played.cut, self._scale.money
        count = len(self._all)
        held = Held(*(part.copy() for part in played.begun.held))
        found = np.empty((3, count * (len(cut.axis) + 2)), np.int64)
        until, notes = np.zeros(count, np.int64), Notes.of(self._strategies.widest)
        points(played.inputs, held, played.log, found, until, notes)
        minute, cash, value = (row[: int(until[-1])] for row in found)
        ends = np.array([micros(played.start), micros(played.plan.end)])
        axis = np.concatenate((ends[:1], cut.axis + MINUTE // MICRO, ends[1:]))
        names = self._names.column(np.repeat(self._all, np.diff(until, prepend=0)))
        spare = played.begun.spare

        def both(steps: Whole, unassigned: Decimal) -> Any:
            return pa.chunked_array([money(steps, places), amounts(unassigned, 2)])

        return pa.table(
            {
                "session_id": repeated(played.name.session_id, len(minute) + 2),
                "strategy": pa.chunked_array([names, repeated(UNASSIGNED, 2)]),
                "ts": pa.chunked_array([times(axis[minute]), times(ends)]),
                "cash": both(cash, spare),
                "market_value": both(value, ZERO),
                "equity": both(cash + value, spare),
            }
        )

    def _worth(self, held: Held, marks: Whole) -> Whole:
        """The value of each strategy's positions at marks."""
        value = held.qty * marks[self._strategies.seat_ticker]
        return np.add.reduceat(value, self._strategies.of[:-1])

    def _unrealized(self, held: Held, marks: Whole) -> Whole:
        """Each strategy's unrealized P&L at marks."""
        return self._worth(held, marks) - np.add.reduceat(held.cost, self._strategies.of[:-1])
