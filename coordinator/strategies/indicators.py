"""Indicators in whole ticks: exact sums and differences, one bar at a time, constant work a bar.

Prices and volumes enter as integers (`ticks.py`), so that averages never drift and a tie is a tie.
Where a rule divides, it is compared by cross-multiplication instead. The one float here is
Wilder's average in `Rsi`; what it cannot tell apart is decided by whole numbers.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction

from coordinator.core.lane_form import KEPT, NEAR
from coordinator.core.lane_form import Past as Stand


class Past:
    """The value `bars` bars before the one that comes in."""

    __slots__ = ("_bars", "_values")

    def __init__(self, bars: int) -> None:
        self._bars = bars
        self._values: deque[int] = deque(maxlen=bars + 1)

    @property
    def ends(self) -> tuple[int, int] | None:
        """The newest value and the one `bars` before it; None while there is none."""
        values = self._values
        return (values[-1], values[0]) if len(values) > self._bars else None

    def push(self, value: int) -> int | None:
        """Take the next value; the one `bars` before it, None while there is none."""
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
        """The value that came last."""
        return self._values[-1]

    @property
    def average(self) -> Fraction | None:
        """The mean of the last `window` values, None while there are fewer."""
        return Fraction(self._sum, self._window) if len(self._values) == self._window else None

    def push(self, value: int) -> int | None:
        """Take the next value; the sum of the last `window`, None while there are fewer."""
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
    """Which of two averages of one series lies higher, the shorter one or the longer one."""

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
        """Values of the short average and of the long one."""
        return self._short, self._long

    def push(self, value: int) -> int | None:
        """Take the next value; +1 when the average over `short` lies above that over `long`,
        -1 below, 0 when they are equal, None while there are fewer than `long` values.
        """
        ring, at, short, long = self._ring, self._at, self._short, self._long
        # A place not yet filled holds 0, and a place before the first is counted from the end.
        self._short_sum = short_sum = self._short_sum + value - ring[at - short]
        self._long_sum = long_sum = self._long_sum + value - ring[at]
        ring[at] = value
        at += 1
        self._at = at if at < long else 0
        if self._filled < long:
            self._filled += 1
            if self._filled < long:
                return None
        # Sums compared crosswise are averages compared exactly.
        high, low = short_sum * long, long_sum * short
        return (high > low) - (high < low)

    def rescale(self, factor: int) -> None:
        """Multiply every remembered tick by `factor`."""
        self._ring = [value * factor for value in self._ring]
        self._short_sum *= factor
        self._long_sum *= factor


class Deviation:
    """How far the newest of the last n values lies from their mean, and their spread.

    With S their sum and Q the sum of their squares: distance D = n x value - S, variance
    V = n x Q - S squared. Value minus mean is D / n, the population deviation sqrt(V) / n.
    """

    __slots__ = ("_squares", "_sum", "_values", "window")

    def __init__(self, window: int) -> None:
        self.window = window
        """Values that the mean is of."""
        self._values: deque[int] = deque(maxlen=window)
        self._sum = 0
        self._squares = 0

    @property
    def mean_and_spread(self) -> tuple[Fraction, Fraction, float] | None:
        """Mean and deviation in ticks, and how many of those the newest value lies above it."""
        values, window = self._values, self.window
        if len(values) < window:
            return None
        spread = math.sqrt(window * self._squares - self._sum * self._sum)
        distance = (window * values[-1] - self._sum) / spread if spread else 0.0
        return Fraction(self._sum, window), Fraction(spread) / window, distance

    def push(self, value: int) -> tuple[int, int] | None:
        """Take the next value; (D, V) over the last `window`, None while there are fewer."""
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
    """Where Wilder's RSI stands: +1 below `oversold`, -1 above `overbought`, 0 between.

    Seeded by the simple mean of the first `period` gains and losses, in TA-Lib's order of
    operations. A float within 1e-7 of a threshold is not trusted: the differences since the seed
    are kept, the first 4,096 at least, and the comparison is made again in whole numbers.
    """

    __slots__ = (
        "_above",
        "_bars",
        "_below",
        "_bounds",
        "_differences",
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
    """Differences kept for an exact decision (a whole period if that is more); then the
    float decides."""

    NEAR = NEAR
    """Distance from a threshold, in RSI points, below which the float is not trusted."""

    def __init__(self, period: int, oversold: Decimal, overbought: Decimal) -> None:
        self._period = period
        self._kept = max(self.KEPT, period)
        self._bounds = (Fraction(oversold), Fraction(overbought))
        # Nothing lies below 0 or above 100, so there a float near the bound needs no second look.
        low = float(oversold) if oversold > 0 else -math.inf
        high = float(overbought) if overbought < 100 else math.inf
        self._below, self._from = low - self.NEAR, low + self.NEAR
        self._to, self._above = high - self.NEAR, high + self.NEAR
        self._last: int | None = None
        self._differences: list[int] = []
        self._bars = 0
        self._gain = self._loss = 0.0
        self._zone = 0
        self.change = 0
        """Ticks from the bar before to the newest one."""

    @property
    def value(self) -> float | None:
        """Wilder's RSI, 0 to 100; None while it has too few bars, or neither gain nor loss."""
        total = self._gain + self._loss
        return 100.0 * (self._gain / total) if self._bars >= self._period and total else None

    @property
    def zone(self) -> int:
        """What the newest close came to."""
        return self._zone

    def push(self, close: int) -> int | None:
        """Take the next close; the zone, None during the first `period` bars.

        The zone is 0 while the RSI has seen neither a gain nor a loss.
        """
        last = self._last
        self._last = close
        if last is None:
            return None
        change = self.change = close - last
        self._bars = bars = self._bars + 1
        if bars <= self._kept:
            self._differences.append(change)
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
            # Without a change both averages fade alike, and RSI stays exactly where it was.
            rsi = 100.0 * (gain / (gain + loss))
            self._zone = 0 if self._from < rsi < self._to else self._judge(rsi)
        return self._zone

    def rescale(self, factor: int) -> None:
        """Multiply every remembered tick by `factor`."""
        if self._last is not None:
            self._last *= factor
        self._differences = [change * factor for change in self._differences]
        self._gain *= factor
        self._loss *= factor

    def resume(self, past: Stand) -> None:
        """Go on where a lane stands."""
        if past.bars:
            self._last = past.closes[-1]
            self._bars = past.bars - 1
            self._differences = list(past.changes[: self._kept])
            self.change = self._last - past.closes[-2] if past.bars > 1 else 0
            (self._gain, self._loss), self._zone = past.wilder, past.zone

    def _seed(self) -> int:
        self._gain = sum(change for change in self._differences if change > 0) / self._period
        self._loss = -sum(change for change in self._differences if change < 0) / self._period
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
        return (self._side(low) < 0) - (self._side(high) > 0)

    def _side(self, bound: Fraction) -> int:
        return rsi_side(self._differences, self._period, bound)


def rsi_side(changes: Sequence[int], period: int, bound: Fraction) -> int:
    """The sign of RSI - bound after these changes, exactly.

    With b = bound / 100, RSI > bound means (1 - b) x gains - b x losses > 0: one weighted sum of
    the changes, kept in integers by multiplying with the period at each step.
    """
    up, down = 100 * bound.denominator - bound.numerator, bound.numerator
    weighted = [change * (up if change > 0 else down) for change in changes]
    total = sum(weighted[:period])
    power = 1
    for value in weighted[period:]:
        power *= period
        total = total * (period - 1) + value * power
    return (total > 0) - (total < 0)
