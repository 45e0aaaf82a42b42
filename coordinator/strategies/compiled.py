"""Built-in rules as machine code: the signals of many rules over a session's bars, in one call.

Each decision is what the rule's `over` says (`kernels.py`), to the bit. Where a number could be too
large for 64 bits, or an RSI lies too near its bound for a float, a row is refused and its rule is
asked itself. Only who judges many rules imports this, and numba with it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from coordinator.core.machine_code import bare, part
from coordinator.strategies.indicators import Rsi
from coordinator.strategies.recipes import Kind

Whole = NDArray[np.int64]
Signs = NDArray[np.int8]
_MOST = float(1 << 62)
_SURE = float(1 << 52)
"""Below it a whole number is a float, and sums of a window are."""
_KEPT, _NEAR = Rsi.KEPT, Rsi.NEAR
_HOLD, _MOMENTUM, _CROSSING = int(Kind.HOLD), int(Kind.MOMENTUM), int(Kind.CROSSING)
_RSI, _ADAPTIVE, _REVERSION = int(Kind.RSI), int(Kind.ADAPTIVE), int(Kind.REVERSION)


class Histories(NamedTuple):
    """Tickers' bars one after another: `begin`, the session's `first`, and `end`, by ticker.

    Closes and volumes are whole numbers of any unit; of a ticker without `counted` the volumes are
    not known.
    """

    closes: Whole
    volumes: Whole
    begin: Whole
    first: Whole
    end: Whole
    counted: NDArray[np.bool_]


class Rows(NamedTuple):
    """Rules: what they are (`recipes.py`), on which ticker, with how many bars of history."""

    kind: Whole
    numbers: Whole
    bounds: NDArray[np.float64]
    ticker: Whole
    history: Whole


@bare
def judge(
    bars: Histories, rows: Rows, at: Whole, signals: Signs, refused: NDArray[Any], room: Signs
) -> None:
    """Write each row's signals of the session from its place `at` on, or mark it as refused.

    There must be `room` for three rows of the longest session.
    """
    for row in range(len(at)):
        ticker = rows.ticker[row]
        first, end = bars.first[ticker], bars.end[ticker]
        begin = max(first - rows.history[row], bars.begin[ticker])
        closes = bars.closes[begin:end]
        out = signals[at[row] : at[row] + end - first]
        kind, numbers = rows.kind[row], rows.numbers[row]
        low, high = rows.bounds[row]
        if kind == _HOLD:
            out[:] = 1
            said = True
        elif kind == _MOMENTUM:
            said = _momentum(closes, out, numbers)
        elif kind == _CROSSING:
            said = _crossing(closes, out, numbers[0], numbers[1])
        elif kind == _RSI:
            said = _rsi(closes, out, numbers[0], low, high)
        elif kind == _ADAPTIVE:
            volumes = bars.volumes[begin:end]
            said = bars.counted[ticker] and _adaptive(
                closes, volumes, out, numbers, low, high, room[:, : end - first]
            )
        else:
            said = _deviation(closes, out, kind == _REVERSION, numbers)
        refused[row] = not said


@part
def _momentum(closes: Whole, out: Signs, numbers: Whole) -> bool:
    back, unit, up, down = numbers[0], numbers[1], numbers[2], numbers[3]
    if float(_largest(closes)) * up >= _MOST:
        return False
    old = len(closes) - len(out)
    for place in range(len(out)):
        now = old + place
        if now < back:
            out[place] = 0
            continue
        close, past = closes[now] * unit, closes[now - back]
        out[place] = int(close > past * up) - int(close < past * down)
    return True


@part
def _crossing(closes: Whole, out: Signs, short: int, long: int) -> bool:
    if float(_largest(closes)) * max(short * long, len(closes)) >= _MOST:
        return False
    old = len(closes) - len(out)
    fast = slow = 0
    for now in range(max(old - long, 0), len(closes)):
        fast += closes[now]
        slow += closes[now]
        if now - short >= max(old - long, 0):
            fast -= closes[now - short]
        if now - long >= max(old - long, 0):
            slow -= closes[now - long]
        if now >= old:
            apart = fast * long - slow * short
            out[now - old] = int(apart > 0) - int(apart < 0) if now >= long - 1 else 0
    return True


@part
def _above_average(values: Whole, out: Signs, window: int) -> bool:
    if float(_largest(values)) * max(window, len(values)) >= _MOST:
        return False
    old = len(values) - len(out)
    begin = max(old - window, 0)
    total = 0
    for now in range(begin, len(values)):
        total += values[now]
        if now - window >= begin:
            total -= values[now - window]
        if now >= old:
            out[now - old] = int(now >= window - 1 and values[now] * window > total)
    return True


@part
def _rsi(closes: Whole, out: Signs, period: int, oversold: float, overbought: float) -> bool:
    if len(closes) - 1 > _KEPT or float(_largest(closes)) * period >= _SURE:
        return False
    old = len(closes) - len(out)
    low, high = oversold > 0, overbought < 100
    gains = losses = 0.0
    gain = loss = 0
    for now in range(len(closes)):
        change = closes[now] - closes[now - 1] if now else 0
        up, down = max(change, 0), max(-change, 0)
        if now <= period:
            gain += up
            loss += down
            if now == period:
                gains, losses = gain / period, loss / period
        else:
            gains = (gains * (period - 1) + up) / period
            losses = (losses * (period - 1) + down) / period
        total = gains + losses
        if now < old:
            continue
        zone = 0
        if now >= period and total > 0:
            value = 100.0 * (gains / total)
            if (low and abs(value - oversold) <= 2 * _NEAR) or (
                high and abs(value - overbought) <= 2 * _NEAR
            ):
                return False
            zone = int(low and value < oversold) - int(high and value > overbought)
        out[now - old] = zone
    return True


@part
def _adaptive(
    closes: Whole, volumes: Whole, out: Signs, numbers: Whole, low: float, high: float, room: Signs
) -> bool:
    short, long, period, window = numbers[0], numbers[1], numbers[2], numbers[3]
    trend, zone, loud = room[0], room[1], room[2]
    if not (
        _crossing(closes, trend, short, long)
        and _rsi(closes, zone, period, low, high)
        and _above_average(volumes, loud, window)
    ):
        return False
    old = len(closes) - len(out)
    first = max(long - 1, period, window - 1)
    for place in range(len(out)):
        now = old + place
        change = closes[now] - closes[now - 1] if now else 0
        votes = trend[place] + zone[place]
        votes += loud[place] * (int(change > 0) - int(change < 0))
        out[place] = int(votes >= 2) - int(votes <= -2) if now >= first else 0
    return True


@part
def _deviation(closes: Whole, out: Signs, reverts: bool, numbers: Whole) -> bool:
    """Prices count from the first one: distance and variance are the same wherever they begin."""
    window = numbers[0]
    spread = 0
    for now in range(len(closes)):
        spread = max(spread, abs(closes[now] - closes[0]))
    if float(spread) * spread * 4 * window * max(window, len(closes)) >= _MOST:
        return False
    old, factor = len(closes) - len(out), _largest(numbers[1:])
    begin = max(old - window, 0)
    total = squares = 0
    for now in range(begin, len(closes)):
        moved = closes[now] - closes[0]
        total += moved
        squares += moved * moved
        if now - window >= begin:
            left = closes[now - window] - closes[0]
            total -= left
            squares -= left * left
        if now < old:
            continue
        if now < window - 1:
            out[now - old] = 0
            continue
        distance, variance = window * moved - total, window * squares - total * total
        most = max(float(distance) * distance, float(variance))
        if most * factor >= _MOST:
            return False
        if reverts:
            out[now - old] = _reverts(distance, variance, numbers)
        else:
            beyond = distance * distance * numbers[2] > variance * numbers[1]
            out[now - old] = (int(distance < 0) - int(distance > 0)) if beyond else 0
    return True


@part
def _reverts(distance: int, variance: int, numbers: Whole) -> int:
    """Mean reversion's rule, decided by signs and squares."""
    if distance > 0:
        return -1
    if distance == 0:
        return -1 if numbers[3] > 0 else 0
    squared = distance * distance
    if squared * numbers[2] > variance * numbers[1]:
        return 1
    return -1 if squared * numbers[4] < variance * numbers[3] else 0


@part
def _largest(values: Whole) -> int:
    most = 0
    for value in values:
        most = max(most, abs(value))
    return most
