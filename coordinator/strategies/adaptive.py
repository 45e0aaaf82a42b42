"""Adaptive: two averages, RSI and volume vote; two votes decide."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from coordinator.core.lane_form import LaneForm, Past, adaptive_form, crossing_form, rsi_form
from coordinator.core.values import Bar
from coordinator.strategies.base import Step, Strategy, Values, Window
from coordinator.strategies.explaining import crossing_values, sign
from coordinator.strategies.indicators import Crossing, Rsi, RunningSum, rsi_side
from coordinator.strategies.rsi import Overbought, Oversold, RsiPeriod
from coordinator.strategies.ticks import Ticks

if TYPE_CHECKING:
    from coordinator.strategies import kernels
    from coordinator.strategies.series import Series


class AdaptiveStrategy(Strategy):
    """+1 when the votes sum to at least 2, -1 when they sum to at most -2.

    The votes: sign(SMA_short - SMA_long); +1 when RSI < oversold, -1 when RSI > overbought;
    sign(C[t] - C[t-1]) when V[t] > SMA(V, volume_window). No signal before all three can vote.
    """

    strategy_type: ClassVar[str] = "adaptive"
    ascending: ClassVar[tuple[tuple[str, str], ...]] = (
        ("short_window", "long_window"),
        ("rsi_oversold", "rsi_overbought"),
    )

    short_window: Annotated[Window, Field(description="bars of the short average")] = 10
    long_window: Annotated[Window, Field(description="bars of the long average")] = 30
    rsi_period: RsiPeriod = 14
    rsi_overbought: Overbought = Decimal(70)
    rsi_oversold: Oversold = Decimal(30)
    volume_window: Annotated[Window, Field(description="bars of the volume's average")] = 20

    def start(self) -> Step:
        """A fresh step for the bars of one ticker."""
        return _AdaptiveStep(self).step

    def lane_form(self) -> LaneForm:
        """The parameters as a lane form (`core/lane_form.py`)."""
        return adaptive_form(
            crossing_form(self.short_window, self.long_window),
            rsi_form(self.rsi_period, self.rsi_oversold, self.rsi_overbought, rsi_side),
            self.volume_window,
        )

    def over(self, series: Series) -> kernels.Signs | None:
        """The step's signal at each bar of a series; None if the numbers are too large."""
        import numpy as np

        from coordinator.strategies import kernels

        prices, volumes = series.closes, series.volumes
        if volumes is None:
            return None
        trend = kernels.crossing(prices, self.short_window, self.long_window)
        zone = kernels.rsi(prices, self.rsi_period, self.rsi_oversold, self.rsi_overbought)
        loud = kernels.above_average(volumes, self.volume_window)
        if trend is None or zone is None or loud is None:
            return None
        change = kernels.sign(np.diff(prices, prepend=prices[:1]))
        votes = trend + zone + loud * change
        first = max(self.long_window - 1, self.rsi_period, self.volume_window - 1)
        votes[:first] = 0
        return (votes >= 2).astype(np.int8) - (votes <= -2).astype(np.int8)


class _AdaptiveStep:
    __slots__ = (
        "_crossing",
        "_prices",
        "_rsi",
        "_rsi_period",
        "_volume",
        "_volume_window",
        "_volumes",
    )

    def __init__(self, strategy: AdaptiveStrategy) -> None:
        self._crossing = Crossing(strategy.short_window, strategy.long_window)
        self._rsi = Rsi(strategy.rsi_period, strategy.rsi_oversold, strategy.rsi_overbought)
        self._volume = RunningSum(strategy.volume_window)
        self._volume_window, self._rsi_period = strategy.volume_window, strategy.rsi_period
        self._prices = Ticks(self._crossing, self._rsi)
        self._volumes = Ticks(self._volume)

    def step(self, bar: Bar) -> int:
        close = self._prices.count(bar.close)
        volume = self._volumes.count(bar.volume)
        trend = self._crossing.push(close)
        zone = self._rsi.push(close)
        total = self._volume.push(volume)
        if trend is None or zone is None or total is None:
            return 0
        votes = trend + zone
        if volume * self._volume_window > total:
            change = self._rsi.change
            votes += (change > 0) - (change < 0)
        return (votes >= 2) - (votes <= -2)

    def resume(self, past: Past) -> None:
        for close in past.closes:
            self._crossing.push(close)
        for volume in past.volumes:
            self._volume.push(volume)
        self._rsi.resume(past)

    def explain(self) -> Values:
        rsi, volume, exact = self._rsi, self._volume, self._volumes.exact
        averages, usual = self._crossing.averages, volume.average
        is_loud = usual is not None and volume.newest > usual
        return {
            **crossing_values(self._crossing, self._prices),
            f"RSI({self._rsi_period})": rsi.value,
            "volume": exact(volume.newest),
            f"SMA({self._volume_window}) of volume": None if usual is None else exact(usual),
            "trend's vote": averages and sign(averages[0] - averages[1]),
            "RSI's vote": rsi.zone,
            "volume's vote": sign(rsi.change) if is_loud else 0,
        }
