"""A session's orders and fills as columns, from the log that machine code wrote."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from coordinator.backtest.compiled import kernel, turns
from coordinator.backtest.compiled.columns import amounts, money, repeated, times, words
from coordinator.backtest.compiled.layout import Whole
from coordinator.backtest.compiled.scale import QUANTITY_PLACES
from coordinator.backtest.compiled.stage import Played
from coordinator.backtest.reels import MICRO
from coordinator.core.orders import OrderStatus
from coordinator.core.values import MINUTE, ZERO, Reason, Side

_SIDES = (Side.BUY.value, Side.SELL.value, Side.BUY.value)
_FILLED, _DENIED = OrderStatus.FILLED.value, OrderStatus.DENIED.value
_REASONS = (
    Reason.SIGNAL.value,
    Reason.STOP.value,
    Reason.TARGET.value,
    "max_daily_loss",
    "max_daily_trades",
)


class LogTables:
    """Reads the orders of a played session out, as they came."""

    def __init__(self, played: Played, *, apart: bool) -> None:
        self._played, self._apart = played, apart
        self._cast, self._scale = played.closed.cast, played.closed.scale
        self._names, self._tickers = self._cast.names, self._cast.symbols
        self._who = self._cast.seat_strategy

    def orders(self) -> Any:
        """A row for each order."""
        played = self._played
        log, names = played.log[played.order], self._ids
        denied = log[:, kernel.WHAT] == kernel.DENIED
        number = np.zeros(len(played.log), np.int64)
        price = np.zeros(len(played.log), np.int64)
        number[played.fills] = played.given + 1
        price[played.fills] = self._prices
        at = self._times(log)
        done = times(at, denied)
        qty = money(log[:, kernel.QTY], QUANTITY_PLACES)
        nothing = money(np.where(denied, 0, log[:, kernel.QTY]), QUANTITY_PLACES)
        prices = self._scale.prices
        return pa.table(
            {
                "client_order_id": names.take(pa.array(played.order)),
                "session_id": repeated(played.name.session_id, len(log)),
                "broker_order_id": self._numbered(log, number[played.order], denied),
                "strategy": self._names.take(pa.array(self._who[log[:, kernel.SEAT]])),
                "symbol": self._symbols(log),
                "side": words(_SIDES, log[:, kernel.WHAT]),
                "qty": qty,
                "filled_qty": nothing,
                "filled_avg_price": money(price[played.order], prices, mask=denied),
                "status": words((_FILLED, _DENIED), denied.astype(np.int64)),
                "reason": words(_REASONS, log[:, kernel.WHY]),
                "decision_price": money(played.cut.bars.close[log[:, kernel.PLACE]], prices),
                "decided_at": times(at),
                "submitted_at": done,
                "closed_at": times(at),
            }
        )

    def fills(self) -> Any:
        """A row for each execution."""
        played = self._played
        log = played.log[played.fills]
        price = money(self._prices, self._scale.prices)
        day = pa.scalar(played.plan.date, pa.date32())
        return pa.table(
            {
                "execution_id": self._numbered(log, played.given + 2, None),
                "session_id": repeated(played.name.session_id, len(log)),
                "client_order_id": self._ids.take(pa.array(played.fills)),
                "session_date": pa.repeat(day, len(log)),
                "strategy": self._names.take(pa.array(self._who[log[:, kernel.SEAT]])),
                "symbol": self._symbols(log),
                "side": words(_SIDES, log[:, kernel.WHAT]),
                "qty": money(log[:, kernel.QTY], QUANTITY_PLACES),
                "price": price,
                "fee": amounts(ZERO, len(log)),
                "filled_at": times(self._times(log)),
            }
        )

    @cached_property
    def _ids(self) -> Any:
        """The client ids of the log's lines."""
        played, day = self._played, self._played.plan.date.isoformat()
        keys = pc.binary_join_element_wise(self._names, day, ".")
        numbers = pa.array(turns.sequences(played.log, self._who)).cast(pa.string())
        who = pa.array(self._who[played.log[:, kernel.SEAT]])
        return pc.binary_join_element_wise(keys.take(who), numbers, ".")

    @cached_property
    def _prices(self) -> Whole:
        """What each fill cost."""
        log, bars = self._played.log[self._played.fills], self._played.cut.bars
        place, bought = log[:, kernel.PLACE], log[:, kernel.WHAT] == kernel.BUY
        return np.where(bought, bars.buy[place], bars.sell[place])

    def _numbered(self, log: NDArray[np.int64], numbers: Whole, mask: Any) -> Any:
        """Broker's ids."""
        told = pa.array(numbers, mask=mask).cast(pa.string())
        if not self._apart:
            return pc.binary_join_element_wise("bt-", told, "")
        owners = pc.binary_join_element_wise("bt", self._names, "", "-")
        return pc.binary_join_element_wise(
            owners.take(pa.array(self._who[log[:, kernel.SEAT]])), told, ""
        )

    def _symbols(self, log: NDArray[np.int64]) -> Any:
        return self._tickers.take(pa.array(self._cast.seat_ticker[log[:, kernel.SEAT]]))

    def _times(self, log: NDArray[np.int64]) -> Whole:
        cut = self._played.cut
        return cut.axis[cut.bars.minute[log[:, kernel.PLACE]]] + MINUTE // MICRO
