"""Indicators in whole ticks: exact sums and differences, updated in constant time per bar.

Prices and volumes enter as integers (`ticks.py`), so that averages never drift and a tie is a tie.
Comparisons cross-multiply instead of dividing. The only floats are Wilder's averages in `Rsi`, and
integers decide where they are too close to a threshold.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction

from coordinator.core.lane_form import KEPT, NEAR, Past


class Lag:
    """The value `bars` bars before the newest one."""

    __slots__ = ("_bars", "_values")

    def __init__(self, bars: int) -> None:
        self._bars = bars
        self._values: deque[int] = deque(maxlen=bars + 1)

    @property
    def ends(self) -> tuple[int, int] | None:
        """The newest value and the one `bars` before it; None while there are too few."""
        values = self._values
        return (values[-1], values[0]) if len(values) > self._bars else None

    def push(self, value: int) -> int | None:
        """Add the next value; returns the one `bars` before it, None while there are too few."""
        values = self._values
        values.append(value)
        return values[0] if len(values) > self._bars else None

    def rescale(self, factor: int) -> None:
        """Multiply every remembered tick by `factor`."""
        self._values = deque((value * factor for value in self._values), self._bars + 1)


class RunningSum:
    """The sum of the last `window` values."""

    __slots__ = ("_sum", "_values", "_window")

    def __init__(self, window: int) -> None:
        self._window = window
        self._values: deque[int] = deque(maxlen=window)
        self._sum = 0

    @property
    def newest(self) -> int:
        """The newest value."""
        return self._values[-1]

    @property
    def average(self) -> Fraction | None:
        """The mean of the last `window` values, None while there are fewer."""
        return Fraction(self._sum, self._window) if len(self._values) == self._window else None

    def push(self, value: int) -> int | None:
        """Add the next value; returns the sum of the last `window`, None while there are fewer."""
        values = self._values
        if len(values) == self._window:
            self._sum += value - values[0]
            values.append(value)
            return self._sum
        values.append(value)
        self._sum += value
        return self._sum if len(values) == self._window else None

    def rescale(self, factor: int) -> None:
        """Multiply every remembered tick by `factor`."""
        self._values = deque((value * factor for value in self._values), self._window)
        self._sum *= factor


class Crossing:
    """Whether the short average of a series is above or below the long one."""

    __slots__ = ("_at", "_filled", "_long", "_long_sum", "_ring", "_short", "_short_sum")

    def __init__(self, short: int, long: int) -> None:
        self._short, self._long = short, long
        self._ring = [0] * long
        self._at = self._filled = 0
        self._short_sum = self._long_sum = 0

    @property
    def averages(self) -> tuple[Fraction, Fraction] | None:
        """The short average and the long one; None while there are fewer than `long` values."""
        if self._filled < self._long:
            return None
        return Fraction(self._short_sum, self._short), Fraction(self._long_sum, self._long)

    @property
    def windows(self) -> tuple[int, int]:
        """The number of values in the short average and in the long one."""
        return self._short, self._long

    def push(self, value: int) -> int | None:
        """Add the next value; returns +1 if the short average is above the long one, -1 if it is
        below, 0 if they are equal, None while there are fewer than `long` values.
        """
        ring, at, short, long = self._ring, self._at, self._short, self._long
        # Slots not yet filled hold 0, and a negative index counts from the end.
        self._short_sum = short_sum = self._short_sum + value - ring[at - short]
        self._long_sum = long_sum = self._long_sum + value - ring[at]
        ring[at] = value
        at += 1
        self._at = at if at < long else 0
        if self._filled < long:
            self._filled += 1
            if self._filled < long:
                return None
        # Cross-multiplied sums compare the averages exactly.
        high, low = short_sum * long, long_sum * short
        return (high > low) - (high < low)

    def rescale(self, factor: int) -> None:
        """Multiply every remembered tick by `factor`."""
        self._ring = [value * factor for value in self._ring]
        self._short_sum *= factor
        self._long_sum *= factor


class Deviation:
    """The newest value's distance from the mean of the last n values, and their variance, scaled.

    With S their sum and Q the sum of their squares: distance D = n x value - S, variance
    V = n x Q - S squared. Value minus mean is D / n, the population deviation sqrt(V) / n.
    """

    __slots__ = ("_squares", "_sum", "_values", "window")

    def __init__(self, window: int) -> None:
        self.window = window
        """The number of values, n."""
        self._values: deque[int] = deque(maxlen=window)
        self._sum = 0
        self._squares = 0

    @property
    def mean_and_spread(self) -> tuple[Fraction, Fraction, float] | None:
        """Mean and deviation in ticks, and the newest value's distance from the mean in deviations;
        None while there are fewer than n values."""
        values, window = self._values, self.window
        if len(values) < window:
            return None
        spread = math.sqrt(window * self._squares - self._sum * self._sum)
        distance = (window * values[-1] - self._sum) / spread if spread else 0.0
        return Fraction(self._sum, window), Fraction(spread) / window, distance

    def push(self, value: int) -> tuple[int, int] | None:
        """Add the next value; returns (D, V) of the last `window`, None while there are fewer."""
        values = self._values
        if len(values) == self.window:
            oldest = values[0]
            self._sum -= oldest
            self._squares -= oldest * oldest
        values.append(value)
        self._sum += value
        self._squares += value * value
        window = self.window
        if len(values) < window:
            return None
        total = self._sum
        return window * value - total, window * self._squares - total * total

    def rescale(self, factor: int) -> None:
        """Multiply every remembered tick by `factor`."""
        self._values = deque((value * factor for value in self._values), self.window)
        self._sum *= factor
        self._squares *= factor * factor


class Rsi:
    """The zone of Wilder's RSI: +1 below `oversold`, -1 above `overbought`, 0 between.

    Seeded by the simple mean of the first `period` gains and losses, in TA-Lib's order of
    operations. Within 1e-7 of a threshold the float is not trusted: the comparison is repeated in
    integers, from the price changes since the first bar, of which 4,096 or more are kept.
    """

    __slots__ = (
        "_above",
        "_bars",
        "_below",
        "_bounds",
        "_changes",
        "_from",
        "_gain",
        "_kept",
        "_last",
        "_loss",
        "_period",
        "_to",
        "_zone",
        "change",
    )

    KEPT = KEPT
    """The number of price changes kept for exact decisions (at least `period`); after more bars
    the float decides."""

    NEAR = NEAR
    """Distance from a threshold, in RSI points, below which the float is not trusted."""

    def __init__(self, period: int, oversold: Decimal, overbought: Decimal) -> None:
        self._period = period
        self._kept = max(self.KEPT, period)
        self._bounds = (Fraction(oversold), Fraction(overbought))
        # No RSI is below 0 or above 100, so at such a bound nothing needs an exact decision.
        low = float(oversold) if oversold > 0 else -math.inf
        high = float(overbought) if overbought < 100 else math.inf
        self._below, self._from = low - self.NEAR, low + self.NEAR
        self._to, self._above = high - self.NEAR, high + self.NEAR
        self._last: int | None = None
        self._changes: list[int] = []
        self._bars = 0
        self._gain = self._loss = 0.0
        self._zone = 0
        self.change = 0
        """The newest close less the one before, in ticks."""

    @property
    def value(self) -> float | None:
        """Wilder's RSI, 0 to 100; None with too few bars, or before any gain or loss."""
        total = self._gain + self._loss
        return 100.0 * (self._gain / total) if self._bars >= self._period and total else None

    @property
    def zone(self) -> int:
        """The zone at the newest close."""
        return self._zone

    def push(self, close: int) -> int | None:
        """Add the next close; returns the zone, None during the first `period` bars.

        The zone is 0 while the RSI has seen neither a gain nor a loss.
        """
        last = self._last
        self._last = close
        if last is None:
            return None
        change = self.change = close - last
        self._bars = bars = self._bars + 1
        if bars <= self._kept:
            self._changes.append(change)
        period = self._period
        if bars <= period:
            return self._seed() if bars == period else None
        gain, loss = self._gain * (period - 1), self._loss * (period - 1)
        if change > 0:
            gain += change
        elif change:
            loss -= change
        self._gain = gain = gain / period
        self._loss = loss = loss / period
        if change:
            # Without a change both averages shrink by the same factor, and the RSI stays the same.
            rsi = 100.0 * (gain / (gain + loss))
            self._zone = 0 if self._from < rsi < self._to else self._judge(rsi)
        return self._zone

    def rescale(self, factor: int) -> None:
        """Multiply every remembered tick by `factor`."""
        if self._last is not None:
            self._last *= factor
        self._changes = [change * factor for change in self._changes]
        self._gain *= factor
        self._loss *= factor

    def resume(self, past: Past) -> None:
        """Continue from the state of a lane."""
        if past.bars:
            self._last = past.closes[-1]
            self._bars = past.bars - 1
            self._changes = list(past.changes[: self._kept])
            self.change = self._last - past.closes[-2] if past.bars > 1 else 0
            (self._gain, self._loss), self._zone = past.wilder, past.zone

    def _seed(self) -> int:
        self._gain = sum(change for change in self._changes if change > 0) / self._period
        self._loss = -sum(change for change in self._changes if change < 0) / self._period
        total = self._gain + self._loss
        self._zone = self._judge(100.0 * (self._gain / total)) if total else 0
        return self._zone

    def _judge(self, rsi: float) -> int:
        if rsi < self._below:
            return 1
        if rsi > self._above:
            return -1
        low, high = self._bounds
        if self._bars > self._kept:
            return (rsi < low) - (rsi > high)
        below = rsi_side(self._changes, self._period, low) < 0
        return below - (rsi_side(self._changes, self._period, high) > 0)


def rsi_side(changes: Sequence[int], period: int, bound: Fraction) -> int:
    """The exact sign of RSI - bound after these changes.

    With b = bound / 100, RSI > bound means (1 - b) x gains - b x losses > 0: one weighted sum of
    the changes, which stays an integer because each step multiplies it by the period.
    """
    up, down = 100 * bound.denominator - bound.numerator, bound.numerator
    weighted = [change * (up if change > 0 else down) for change in changes]
    total = sum(weighted[:period])
    power = 1
    for value in weighted[period:]:
        power *= period
        total = total * (period - 1) + value * power
    return (total > 0) - (total < 0)
