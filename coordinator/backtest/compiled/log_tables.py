"""A session's orders and fills as columns, from the log that machine code wrote."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa

from coordinator.backtest.compiled import kernel, turns
from coordinator.backtest.compiled.columns import Known, Words, amounts, money, repeated, times
from coordinator.backtest.compiled.layout import Whole
from coordinator.backtest.compiled.player import Played
from coordinator.backtest.compiled.scale import QUANTITY_PLACES
from coordinator.backtest.reels import MICRO
from coordinator.core.orders import OrderStatus
from coordinator.core.values import MINUTE, ZERO, Denial, Reason, Side

_SIDES = Words((Side.BUY.value, Side.SELL.value, Side.BUY.value))
_OURS = Words(("bt-",))
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
    """Reads the orders of a played session out, as they came."""

    def __init__(self, played: Played, *, apart: bool) -> None:
        self._played, self._apart = played, apart
        self._cast, self._scale = played.closed.cast, played.closed.scale
        self._who = self._cast.seat_strategy

    def orders(self) -> Any:
        """A row for each order."""
        played, lines = self._played, self._played.order
        log = played.log[lines]
        seats, places, what, quantity, why = log.T
        denied = what == kernel.DENIED
        filled = Known(~denied)
        number, price = np.zeros((2, len(log)), np.int64)
        number[played.fills] = played.given + 1
        price[played.fills] = self._prices
        who, at, prices = self._who[seats], self._times(places), self._scale.prices
        return pa.table(
            {
                "client_order_id": self._ids(lines, who),
                "session_id": repeated(played.name.session_id, len(log)),
                "broker_order_id": self._numbered(who, number[lines], filled),
                "strategy": self._cast.names.column(who),
                "symbol": self._cast.symbols.column(self._cast.seat_ticker[seats]),
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
        log = played.log[lines]
        seats, places, what, quantity, _ = log.T
        who, day = self._who[seats], pa.scalar(played.plan.date, pa.date32())
        return pa.table(
            {
                "execution_id": self._numbered(who, played.given + 2),
                "session_id": repeated(played.name.session_id, len(log)),
                "client_order_id": self._ids(lines, who),
                "session_date": pa.repeat(day, len(log)),
                "strategy": self._cast.names.column(who),
                "symbol": self._cast.symbols.column(self._cast.seat_ticker[seats]),
                "side": _SIDES.column(what),
                "qty": money(quantity, QUANTITY_PLACES),
                "price": money(self._prices, self._scale.prices),
                "fee": amounts(ZERO, len(log)),
                "filled_at": times(self._times(places)),
            }
        )

    @cached_property
    def _prices(self) -> Whole:
        """What each fill cost."""
        log, bars = self._played.log[self._played.fills], self._played.cut.bars
        place, bought = log[:, kernel.PLACE], log[:, kernel.WHAT] == kernel.BUY
        return np.where(bought, bars.buy[place], bars.sell[place])

    def _ids(self, lines: Whole, who: Whole) -> Any:
        """The client ids of some of the log's lines, which are of these strategies."""
        return self._keys.column(who, self._sequences[lines])

    @cached_property
    def _keys(self) -> Words:
        """What a strategy's client ids of this day begin with."""
        day = self._played.plan.date.isoformat()
        return Words([f"{spec.name}.{day}." for spec in self._cast.specs])

    @cached_property
    def _sequences(self) -> Whole:
        return turns.sequences(self._played.log, self._who)

    def _numbered(self, who: Whole, numbers: Whole, known: Known | None = None) -> Any:
        """Broker's ids."""
        if self._apart:
            return self._owners.column(who, numbers, known)
        return _OURS.column(np.zeros_like(who), numbers, known)

    @cached_property
    def _owners(self) -> Words:
        """What the broker's ids on each strategy's own account begin with."""
        return Words([f"bt-{spec.name}-" for spec in self._cast.specs])

    def _times(self, places: Whole) -> Whole:
        """When the minutes of some bars ended."""
        arrays = self._played.cut.arrays
        return arrays.axis[arrays.bars.minute[places]] + MINUTE // MICRO
