"""A session's orders and fills as columns, from the log that machine code wrote."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa

from coordinator.backtest.compiled import turns
from coordinator.backtest.compiled.columns import Known, Words, amounts, money, repeated, times
from coordinator.backtest.compiled.layout import BUY, DENIED, Whole
from coordinator.backtest.compiled.player import Played
from coordinator.backtest.compiled.scale import QUANTITY_PLACES
from coordinator.backtest.reels import MICRO
from coordinator.core.orders import OrderStatus
from coordinator.core.values import MINUTE, ZERO, Denial, Reason, Side

_SIDES = Words((Side.BUY.value, Side.SELL.value, Side.BUY.value))
_SHARED = Words(("bt-",))
_STATES = Words((OrderStatus.FILLED.value, OrderStatus.DENIED.value))
_REASONS = Words(
    (
        Reason.SIGNAL.value,
        Reason.STOP.value,
        Reason.TARGET.value,
        Denial.MAX_DAILY_LOSS.value,
        Denial.MAX_DAILY_TRADES.value,
    )
)


class LogTables:
    """Makes the rows of a played session's orders and fills, in order of time."""

    def __init__(self, played: Played, *, apart: bool) -> None:
        self._played, self._apart = played, apart
        self._strategies, self._scale = played.closed.strategies, played.closed.scale
        self._strategy_of = self._strategies.seat_strategy

    def orders(self) -> Any:
        """A row for each order."""
        played, lines = self._played, self._played.order
        seats, places, what, quantity, why = played.log.lines(lines)
        denied, count = what == DENIED, len(lines)
        filled = Known(~denied)
        number, price = np.zeros((2, count), np.int64)
        number[played.fills] = played.given + 1
        price[played.fills] = self._prices
        strategy, at, prices = self._strategy_of[seats], self._times(places), self._scale.prices
        return pa.table(
            {
                "client_order_id": self._ids(lines, strategy),
                "session_id": repeated(played.name.session_id, count),
                "broker_order_id": self._numbered(strategy, number[lines], filled),
                "strategy": self._strategies.names.column(strategy),
                "symbol": self._strategies.symbols.column(self._strategies.seat_ticker[seats]),
                "side": _SIDES.column(what),
                "qty": money(quantity, QUANTITY_PLACES),
                "filled_qty": money(np.where(denied, 0, quantity), QUANTITY_PLACES),
                "filled_avg_price": money(price[lines], prices, filled),
                "status": _STATES.column(denied.astype(np.int64)),
                "reason": _REASONS.column(why),
                "decision_price": money(played.cut.bars.close[places], prices),
                "decided_at": times(at),
                "submitted_at": times(at, filled),
                "closed_at": times(at),
            }
        )

    def fills(self) -> Any:
        """A row for each execution."""
        played, lines = self._played, self._played.fills
        seats, places, what, quantity, _ = played.log.lines(lines)
        count = len(lines)
        strategy, day = self._strategy_of[seats], pa.scalar(played.plan.date, pa.date32())
        return pa.table(
            {
                "execution_id": self._numbered(strategy, played.given + 2),
                "session_id": repeated(played.name.session_id, count),
                "client_order_id": self._ids(lines, strategy),
                "session_date": pa.repeat(day, count),
                "strategy": self._strategies.names.column(strategy),
                "symbol": self._strategies.symbols.column(self._strategies.seat_ticker[seats]),
                "side": _SIDES.column(what),
                "qty": money(quantity, QUANTITY_PLACES),
                "price": money(self._prices, self._scale.prices),
                "fee": amounts(ZERO, count),
                "filled_at": times(self._times(places)),
            }
        )

    @cached_property
    def _prices(self) -> Whole:
        """The price of each fill."""
        log, bars = self._played.log.lines(self._played.fills), self._played.cut.bars
        return np.where(log.what == BUY, bars.buy[log.place], bars.sell[log.place])

    def _ids(self, lines: Whole, strategy: Whole) -> Any:
        """The client ids of some of the log's lines, given their strategies."""
        return self._keys.column(strategy, self._sequences[lines])

    @cached_property
    def _keys(self) -> Words:
        """The beginning of each strategy's client ids of this day."""
        day = self._played.plan.date.isoformat()
        return Words([f"{spec.name}.{day}." for spec in self._strategies.specs])

    @cached_property
    def _sequences(self) -> Whole:
        return turns.sequences(self._played.log, self._strategy_of)

    def _numbered(self, strategy: Whole, numbers: Whole, known: Known | None = None) -> Any:
        """The broker's ids with these numbers."""
        if self._apart:
            return self._owners.column(strategy, numbers, known)
        return _SHARED.column(np.zeros_like(strategy), numbers, known)

    @cached_property
    def _owners(self) -> Words:
        """The beginning of the broker's ids on each strategy's own account."""
        return Words([f"bt-{spec.name}-" for spec in self._strategies.specs])

    def _times(self, places: Whole) -> Whole:
        """The ends of the minutes of some bars."""
        arrays = self._played.cut.arrays
        return arrays.axis[arrays.bars.minute[places]] + MINUTE // MICRO
