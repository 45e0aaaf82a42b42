"""Indicators in whole ticks: exact sums and differences, one bar at a time, constant work a bar.

Prices and volumes enter as integers (`Ticks`), so that averages never drift and a tie is a tie.
Where a rule divides, it is compared by cross-multiplication instead. The one float here is
Wilder's average in `Rsi`; what it cannot tell apart is decided by whole numbers.
"""

from __future__ import annotations

import math
from collections import deque
from decimal import Context, Decimal, Inexact, InvalidOperation
from fractions import Fraction
from typing import Protocol

_TICK = Context(prec=200, Emax=999_999, Emin=-999_999, traps=[InvalidOperation, Inexact])
_multiply = _TICK.multiply
_whole = _TICK.to_integral_exact


class Indicator(Protocol):
    """Something that remembers ticks."""

    def rescale(self, factor: int) -> None:
        """Multiply every remembered tick by `factor`, because ticks became that much finer."""


class Ticks:
    """Turns the exact decimals of one series into whole ticks of 1e-9, finer once one needs it.

    When a value has more decimal places than the tick, the tick shrinks for good and the
    indicators that remember the series are told; no value is ever rounded.
    """

    __slots__ = ("_indicators", "_places", "_unit")

    def __init__(self, *indicators: Indicator) -> None:
        self._indicators = indicators
        self._places = 9
        self._unit = Decimal(10) ** 9

    def count(self, value: Decimal) -> int:
        """The value in ticks.

        Raises:
            ValueError, OverflowError: if it is not a finite number.
        """
        try:
            return int(_whole(_multiply(value, self._unit)))
        except Inexact:
            return self._finer(value)

    def _finer(self, value: Decimal) -> int:
        places = -int(value.as_tuple().exponent)
        for indicator in self._indicators:
            indicator.rescale(10 ** (places - self._places))
        self._places = places
        self._unit = Decimal(10) ** places
        return int(_whole(_multiply(value, self._unit)))


class Past:
    """The value `bars` bars before the one that comes in."""

    __slots__ = ("_bars", "_values")

    def __init__(self, bars: int) -> None:
        self._bars = bars
        self._values: deque[int] = deque(maxlen=bars)

    def push(self, value: int) -> int | None:
        """Take the next value; the one `bars` before it, None while there is none."""
        values = self._values
        past = values[0] if len(values) == self._bars else None
        values.append(value)
        return past

    def rescale(self, factor: int) -> None:
        """Multiply every remembered tick by `factor`."""
        self._values = deque((value * factor for value in self._values), self._bars)


class RunningSum:
    """The sum of the last `window` values."""

    __slots__ = ("_sum", "_values", "_window")

    def __init__(self, window: int) -> None:
        self._window = window
        self._values: deque[int] = deque(maxlen=window)
        self._sum = 0

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


class Deviation:
    """How far the newest of the last n values lies from their mean, and their spread.

    With S their sum and Q the sum of their squares: distance D = n x value - S, variance
    V = n x Q - S squared. Value minus mean is D / n, the population deviation sqrt(V) / n.
    """

    __slots__ = ("_squares", "_sum", "_values", "_window")

    def __init__(self, window: int) -> None:
        self._window = window
        self._values: deque[int] = deque(maxlen=window)
        self._sum = 0
        self._squares = 0

    def push(self, value: int) -> tuple[int, int] | None:
        """Take the next value; (D, V) over the last `window`, None while there are fewer."""
        values = self._values
        if len(values) == self._window:
            oldest = values[0]
            self._sum -= oldest
            self._squares -= oldest * oldest
        values.append(value)
        self._sum += value
        self._squares += value * value
        window = self._window
        if len(values) < window:
            return None
        total = self._sum
        return window * value - total, window * self._squares - total * total

    def rescale(self, factor: int) -> None:
        """Multiply every remembered tick by `factor`."""
        self._values = deque((value * factor for value in self._values), self._window)
        self._sum *= factor
        self._squares *= factor * factor


class Rsi:
    """Where Wilder's RSI stands: +1 below `oversold`, -1 above `overbought`, 0 between.

    Seeded by the simple mean of the first `period` gains and losses, in TA-Lib's order of
    operations. A float within 1e-7 of a threshold is not trusted: the differences since the seed
    are kept, the first 4,096 at least, and the comparison is made again in whole numbers.
    """

    __slots__ = (
        "_bars",
        "_bounds",
        "_differences",
        "_gain",
        "_high",
        "_kept",
        "_last",
        "_loss",
        "_low",
        "_period",
        "_zone",
        "change",
    )

    KEPT = 4096
    """Differences kept for an exact decision (a whole period if that is more); then the
    float decides."""

    NEAR = 1e-7
    """Distance from a threshold, in RSI points, below which the float is not trusted."""

    def __init__(self, period: int, oversold: Decimal, overbought: Decimal) -> None:
        self._period = period
        self._kept = max(self.KEPT, period)
        self._bounds = (Fraction(oversold), Fraction(overbought))
        # Nothing lies below 0 or above 100, so there a float near the bound needs no second look.
        self._low = float(oversold) if oversold > 0 else -math.inf
        self._high = float(overbought) if overbought < 100 else math.inf
        self._last: int | None = None
        self._differences: list[int] = []
        self._bars = 0
        self._gain = self._loss = 0.0
        self._zone = 0
        self.change = 0
        """Ticks from the bar before to the newest one."""

    def push(self, close: int) -> int | None:
        """Take the next close; the zone, None during the first `period` bars.

        The zone is 0 while the RSI has seen neither a gain nor a loss.
        """
        last = self._last
        self._last = close
        if last is None:
            return None
        change = self.change = close - last
        self._bars += 1
        if self._bars <= self._kept:
            self._differences.append(change)
        period = self._period
        if self._bars < period:
            return None
        if self._bars == period:
            return self._seed()
        gain, loss = self._gain * (period - 1), self._loss * (period - 1)
        if change > 0:
            gain += change
        elif change < 0:
            loss -= change
        self._gain, self._loss = gain / period, loss / period
        if change:
            # Without a change both averages fade alike, and RSI stays exactly where it was.
            self._zone = self._judge()
        return self._zone

    def rescale(self, factor: int) -> None:
        """Multiply every remembered tick by `factor`."""
        if self._last is not None:
            self._last *= factor
        self._differences = [change * factor for change in self._differences]
        self._gain *= factor
        self._loss *= factor
        self.change *= factor

    def _seed(self) -> int:
        self._gain = sum(change for change in self._differences if change > 0) / self._period
        self._loss = -sum(change for change in self._differences if change < 0) / self._period
        self._zone = self._judge()
        return self._zone

    def _judge(self) -> int:
        total = self._gain + self._loss
        if total == 0.0:
            return 0
        rsi = 100.0 * (self._gain / total)
        if abs(rsi - self._low) > self.NEAR and abs(rsi - self._high) > self.NEAR:
            return (rsi < self._low) - (rsi > self._high)
        if self._bars > self._kept:
            return (rsi < self._low) - (rsi > self._high)
        low, high = self._bounds
        return (self._side(low) < 0) - (self._side(high) > 0)

    def _side(self, bound: Fraction) -> int:
        """The sign of RSI - bound, exactly.

        With b = bound / 100, RSI > bound means (1 - b) x gains - b x losses > 0: one weighted
        sum of the differences, kept in integers by multiplying with the period at each step.
        """
        up, down = 100 * bound.denominator - bound.numerator, bound.numerator
        weighted = [change * (up if change > 0 else down) for change in self._differences]
        period = self._period
        total = sum(weighted[:period])
        power = 1
        for value in weighted[period:]:
            power *= period
            total = total * (period - 1) + value * power
        return (total > 0) - (total < 0)
