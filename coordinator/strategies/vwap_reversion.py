"""VWAP reversion: long when the close lies far below the volume-weighted price, flat once back.

A bar weighs its typical price (high + low + close) / 3 with its volume. Without any volume in the
window there is no such price, and no signal.
"""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from coordinator.core.lane_form import LaneForm, vwap_form
from coordinator.core.values import Bar
from coordinator.strategies.base import Exact, Step, Strategy, Values, Window
from coordinator.strategies.indicators import RunningSum
from coordinator.strategies.ticks import Ticks

if TYPE_CHECKING:
    from coordinator.strategies import kernels
    from coordinator.strategies.series import Series


class VwapReversionStrategy(Strategy):
    """+1 when C < VWAP x (1 - entry), -1 when C > VWAP x (1 - exit); where both hold, +1 wins.

    VWAP = sum of typical price x V / sum of V, over the last lookback_period bars.
    """

    strategy_type: ClassVar[str] = "vwap_reversion"

    lookback_period: Annotated[Window, Field(description="bars of the VWAP")] = 30
    entry_threshold: Annotated[
        Exact, Field(ge=0, le=1, description="fraction below VWAP at which to be long: 0.005")
    ] = Decimal("0.005")
    exit_threshold: Annotated[
        Exact, Field(ge=0, le=1, description="fraction below VWAP above which to be flat")
    ] = Decimal(0)

    def start(self) -> Step:
        """A fresh step for the bars of one ticker."""
        return _VwapStep(self).step

    def lane_form(self) -> LaneForm:
        """The parameters as a lane form (`core/lane_form.py`)."""
        return vwap_form(self.lookback_period, self._below, self._above)

    def over(self, series: Series) -> kernels.Signs | None:
        """The step's signal at each bar of a series; None if the numbers are too large."""
        from coordinator.strategies import kernels

        if series.volumes is None:
            return None
        window, volumes = self.lookback_period, series.volumes
        return kernels.vwap(series.prices, volumes, window, self._below, self._above)

    @property
    def _below(self) -> Fraction:
        """The multiple of VWAP below which to be long."""
        return 1 - Fraction(self.entry_threshold)

    @property
    def _above(self) -> Fraction:
        """The multiple of VWAP above which to be flat."""
        return 1 - Fraction(self.exit_threshold)


class _VwapStep:
    """Compares 3 C x sum(V) with sum((H + L + C) x V) x (1 - threshold), in whole ticks."""

    __slots__ = ("_entry", "_exit", "_name", "_prices", "_volume", "_volumes", "_weighted")

    def __init__(self, strategy: VwapReversionStrategy) -> None:
        self._entry = strategy._below.as_integer_ratio()
        self._exit = strategy._above.as_integer_ratio()
        self._name = f"VWAP({strategy.lookback_period})"
        self._volume = RunningSum(strategy.lookback_period)
        self._weighted = RunningSum(strategy.lookback_period)
        self._prices = Ticks(self._weighted)
        self._volumes = Ticks(self._volume, self._weighted)

    def step(self, bar: Bar) -> int:
        # The price with most decimals first: ticks that become finer later would spoil the others.
        finest = min(bar.high, bar.low, bar.close, key=lambda price: price.as_tuple().exponent)
        count = self._prices.count
        count(finest)
        close = count(bar.close)
        typical = count(bar.high) + count(bar.low) + close
        volume = self._volumes.count(bar.volume)
        total, weighted = self._volume.push(volume), self._weighted.push(typical * volume)
        if not total or weighted is None:
            return 0
        theirs = 3 * close * total
        numerator, denominator = self._entry
        if theirs * denominator < weighted * numerator:
            return 1
        numerator, denominator = self._exit
        return -1 if theirs * denominator > weighted * numerator else 0

    def explain(self) -> Values:
        volume, weighted = self._volume.average, self._weighted.average
        vwap = weighted / volume / 3 if volume and weighted is not None else None
        if vwap is None:
            return {self._name: None}
        return {
            self._name: self._prices.exact(vwap),
            "long below": self._prices.exact(vwap * Fraction(*self._entry)),
            "flat above": self._prices.exact(vwap * Fraction(*self._exit)),
        }
