"""RSI: long when oversold, flat when overbought."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from coordinator.core.lane_form import LaneForm, Past, rsi_form
from coordinator.core.values import Bar
from coordinator.strategies.base import Exact, Step, Strategy, Values, Window
from coordinator.strategies.indicators import Rsi, rsi_side
from coordinator.strategies.ticks import Ticks

if TYPE_CHECKING:
    from coordinator.strategies import kernels
    from coordinator.strategies.series import Series

RsiPeriod = Annotated[
    Window, Field(ge=2, description="bars of Wilder's average; the first RSI needs one more")
]
Overbought = Annotated[Exact, Field(ge=0, le=100, description="RSI above which to be flat")]
Oversold = Annotated[Exact, Field(ge=0, le=100, description="RSI below which to be long")]


class RsiStrategy(Strategy):
    """+1 when Wilder's RSI < rsi_oversold, -1 when RSI > rsi_overbought."""

    strategy_type: ClassVar[str] = "rsi"
    ascending: ClassVar[tuple[tuple[str, str], ...]] = (("rsi_oversold", "rsi_overbought"),)

    rsi_period: RsiPeriod = 14
    rsi_overbought: Overbought = Decimal(70)
    rsi_oversold: Oversold = Decimal(30)

    def start(self) -> Step:
        """A fresh step for the bars of one ticker."""
        return _RsiStep(self).step

    def lane_form(self) -> LaneForm:
        """The parameters as a lane form (`core/lane_form.py`)."""
        return rsi_form(self.rsi_period, self.rsi_oversold, self.rsi_overbought, rsi_side)

    def over(self, series: Series) -> kernels.Signs | None:
        """The step's signal at each bar of a series; None if the numbers are too large."""
        from coordinator.strategies import kernels

        return kernels.rsi(series.closes, self.rsi_period, self.rsi_oversold, self.rsi_overbought)


class _RsiStep:
    __slots__ = ("_name", "_rsi", "_ticks")

    def __init__(self, strategy: RsiStrategy) -> None:
        self._rsi = Rsi(strategy.rsi_period, strategy.rsi_oversold, strategy.rsi_overbought)
        self._ticks = Ticks(self._rsi)
        self._name = f"RSI({strategy.rsi_period})"

    def step(self, bar: Bar) -> int:
        return self._rsi.push(self._ticks.count(bar.close)) or 0

    def resume(self, past: Past) -> None:
        self._rsi.resume(past)

    def explain(self) -> Values:
        return {self._name: self._rsi.value}
