"""Vectorised indicators: the signals of the steps (`indicators.py`) over a whole history at once.

Every signal equals the step's, to the bit: sums and products are 64-bit integers, and where the
step uses floats, these are the same in the same order. A kernel returns None if a number could be
too large; the steps are used then. Only backtests import this, because it imports numpy.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from coordinator.core.lane_form import UNSURE
from coordinator.strategies.indicators import Rsi, rsi_side
from coordinator.strategies.series import Floats, Prices, Ticks

Signs = NDArray[np.int8]
Whole = NDArray[np.int64]
Judge = Callable[[Whole, Whole], Signs | None]
"""From distances and variances to signals; None where a number could be too large."""
_MOST = 1 << 62
_FLOAT = 1 << 900
"""A number below this, times a 64-bit integer, does not overflow a float."""


def sign(ticks: Whole) -> Signs:
    """+1, -1 or 0 for each."""
    return np.sign(ticks).astype(np.int8)


def padded(signs: Signs, length: int) -> Signs:
    """The signs of the newest bars, padded in front with zeros to `length`."""
    whole = np.zeros(length, np.int8)
    whole[length - len(signs) :] = signs
    return whole


def momentum(closes: Ticks, bars: int, threshold: Fraction) -> Signs | None:
    """+1 where a close is more than `threshold` above the one `bars` before, -1 below."""
    unit = threshold.denominator
    up, down = unit + threshold.numerator, unit - threshold.numerator
    if max(_largest(closes), 1) * up >= _MOST:
        return None
    now, past = closes[bars:] * unit, closes[:-bars]
    signs = (now > past * up).astype(np.int8) - (now < past * down).astype(np.int8)
    return padded(signs, len(closes))


def crossing(closes: Ticks, short: int, long: int) -> Signs | None:
    """The sign of SMA_short - SMA_long; 0 while there are fewer than `long` closes."""
    if _largest(closes) * max(short * long, len(closes)) >= _MOST:
        return None
    slow = sums(closes, long)
    fast = sums(closes, short)[len(closes) - short + 1 - len(slow) :]
    return padded(sign(fast * long - slow * short), len(closes))


def above_average(values: Ticks, window: int) -> Signs | None:
    """1 where a value is above the average of the last `window`, else 0."""
    if _largest(values) * max(window, len(values)) >= _MOST:
        return None
    total = sums(values, window)
    return padded(
        (values[len(values) - len(total) :] * window > total).astype(np.int8), len(values)
    )


def deviation(closes: Ticks, window: int, judge: Judge) -> Signs | None:
    """The signals that `judge` makes of D and V (see `indicators.Deviation`) at each bar.

    D and V do not depend on the origin of prices, so closes are taken relative to the first one.
    """
    if not len(closes):
        return np.zeros(0, np.int8)
    moved = closes - closes[0]
    spread = _largest(moved)
    if spread * spread * 4 * window * max(window, len(closes)) >= _MOST:
        return None
    total, squares = sums(moved, window), sums(moved * moved, window)
    distance = window * moved[len(moved) - len(total) :] - total
    signs = judge(distance, window * squares - total * total)
    return None if signs is None else padded(signs, len(closes))


def beyond(distance: Whole, variance: Whole, squared: Fraction) -> Whole | None:
    """The sign of D squared / V - `squared`, or of D squared where V is 0."""
    most = max(_largest(distance) ** 2, _largest(variance), 1)
    if most * max(squared.numerator, squared.denominator) >= _MOST:
        return None
    sides = distance * distance * squared.denominator - variance * squared.numerator
    found: Whole = np.sign(sides)
    return found


def rsi(closes: Ticks, period: int, oversold: Decimal, overbought: Decimal) -> Signs | None:
    """The zone of `indicators.Rsi` at each bar; None if there are more bars than it keeps."""
    changes = np.diff(closes)
    if len(changes) > Rsi.KEPT or _largest(closes) >= 1 << 52:
        return None
    if len(changes) < period:
        return np.zeros(len(closes), np.int8)
    gains, losses = wilder(np.maximum(changes, 0), period), wilder(np.maximum(-changes, 0), period)
    total = gains + losses
    value = 100.0 * np.divide(gains, total, out=np.full(len(total), 0.5), where=total > 0)
    zones, doubt = np.zeros(len(value), np.int8), np.zeros(len(value), bool)
    bounds = (1, oversold, oversold > 0), (-1, overbought, overbought < 100)
    for zone, bound, is_reachable in bounds:
        if is_reachable:
            beyond_it = zone * (float(bound) - value)
            zones[beyond_it > Rsi.NEAR] = zone
            doubt |= np.abs(beyond_it) <= 2 * Rsi.NEAR
    for place in np.flatnonzero(doubt & (total > 0)).tolist():
        seen = changes[: period + place].tolist()
        low, high = (rsi_side(seen, period, Fraction(b)) for b in (oversold, overbought))
        zones[place] = (low < 0) - (high > 0)
    zones[total == 0] = 0
    return padded(zones, len(closes))


def wilder(parts: Whole, period: int) -> NDArray[np.float64]:
    """Wilder's average at each bar that has one, in the step's order of operations."""
    amounts = parts.tolist()
    average = sum(amounts[:period]) / period
    averages = [average]
    rest = period - 1
    for amount in amounts[period:]:
        average = (average * rest + amount) / period
        averages.append(average)
    return np.array(averages)


def breakout(prices: Prices, entry: int, leave: int) -> Signs:
    """+1 where a close is above the highs of the `entry` bars before, -1 where it is below the lows
    of the `leave` bars before; 0 while there are too few bars.
    """
    closes, highs, lows = prices
    longest = max(entry, leave)
    if len(closes) <= longest:
        return np.zeros(len(closes), np.int8)
    now = closes[longest:]
    top = extremes(highs[:-1], entry, np.maximum)[longest - entry :]
    bottom = extremes(lows[:-1], leave, np.minimum)[longest - leave :]
    return padded((now > top).astype(np.int8) - (now < bottom), len(closes))


def extremes(values: Whole, window: int, extreme: np.ufunc) -> Whole:
    """The maximum or minimum of each `window` consecutive values, by doubling the width."""
    found, width = values, 1
    while width < window:
        wider = min(width, window - width)
        found = extreme(found[wider:], found[:-wider])
        width += wider
    return found


def vwap(
    prices: Prices, volumes: Ticks, window: int, below: Fraction, above: Fraction
) -> Signs | None:
    """+1 where a close is below `below` x VWAP, else -1 where it is above `above` x VWAP; 0 without
    any volume in the window.
    """
    closes, highs, lows = prices
    finest = max(below.denominator, above.denominator)  # numerators are no larger
    if _largest(volumes) * window >= _MOST or finest >= _FLOAT:
        return None
    total = sums(volumes, window)
    if 3 * max(map(_largest, prices)) * _largest(total) >= _MOST:
        return None
    weighted = sums((closes + highs + lows) * volumes, window)
    theirs = 3 * closes[len(closes) - len(total) :] * total
    long = less(theirs, below.denominator, weighted, below.numerator)
    flat = less(weighted, above.numerator, theirs, above.denominator)
    return padded(long.astype(np.int8) - (flat & ~long), len(closes))


def less(these: Whole, factor: int, those: Whole, other: int) -> NDArray[np.bool_]:
    """Whether `these` x `factor` < `those` x `other`; products may exceed 64 bits."""
    if max(_largest(these), _largest(those), 1) * max(factor, other) < _MOST:
        return these * factor < those * other
    one, two = these * float(factor), those * float(other)
    found: NDArray[np.bool_] = one < two
    doubt = np.abs(one - two) <= UNSURE * np.maximum(np.abs(one), np.abs(two))
    for place in np.flatnonzero(doubt).tolist():
        found[place] = int(these[place]) * factor < int(those[place]) * other
    return found


def convergence(closes: Floats, fast: int, slow: int, signal: int) -> Signs:
    """The sign of MACD less its signal line, once there is one; the fast average starts at the bar
    at which the slow one does.
    """
    values = (closes - closes[:1]).tolist()
    if len(values) < slow + signal - 1:
        return np.zeros(len(values), np.int8)
    pairs = zip(exponential(values[slow - fast :], fast), exponential(values, slow), strict=True)
    macd = [one - other for one, other in pairs]
    line, now = np.array(exponential(macd, signal)), np.array(macd[signal - 1 :])
    return padded((now > line).astype(np.int8) - (now < line), len(values))


def exponential(values: list[float], window: int) -> list[float]:
    """The exponential average at each bar that has one, in the step's order of rounding."""
    if window == 1:
        return values
    total, weight = 0.0, 2.0 / (window + 1)
    for value in values[:window]:
        total += value  # as in the step; `sum` rounds differently from Python 3.12 on
    average = total / window
    averages = [average]
    for value in values[window:]:
        average += (value - average) * weight
        averages.append(average)
    return averages


def sums(values: Whole, window: int) -> Whole:
    """The sum of each `window` consecutive values. Only these must fit into 64 bits: an overflow of
    the running sum cancels out in the differences.
    """
    running = np.concatenate((np.zeros(1, np.int64), np.cumsum(values)))
    return running[window:] - running[:-window] if len(values) >= window else np.zeros(0, np.int64)


def _largest(values: Whole) -> int:
    return int(np.abs(values).max()) if len(values) else 0
