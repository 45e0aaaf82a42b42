"""The signals of rules with a lane form over whole histories: many rules in one call.

Each indicator is a step from its state and a bar to its next state, equal to the one in
`coordinator/strategies` and in a Bank, in whole ticks of 64 bits, so that signals are the same to
the bit. Rules whose numbers may not fit are refused.
"""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from coordinator.backtest.compiled.layout import Histories, Reals, Rows, Signs, Whole
from coordinator.backtest.compiled.machine_code import bare, part
from coordinator.core.lane_form import KEPT, MOST, NEAR, UNSURE, Kind

HOLD, MOMENTUM, CROSSING, RSI, REVERSION, BANDS, ADAPTIVE, MACD, BREAKOUT, VWAP = (
    kind.value for kind in Kind
)
DOUBT = 2
"""A result that floats cannot decide: an RSI's zone, or which of two products is less."""
_FAR = 2 * NEAR
"""Ticks may differ in size from a step's; the floats then differ by less than this."""


@bare
def judge(bars: Histories, rows: Rows, at: Whole, signals: Signs, refused: NDArray[Any]) -> None:
    """Write each row's signals of the session from its place `at` on, or mark it as refused.

    A row is refused if a number may not fit 64 bits, or is too near a bound for a float.
    """
    for row in range(len(at)):
        ticker = rows.ticker[row]
        first, end = bars.first[ticker], bars.end[ticker]
        begin = max(first - rows.history[row], bars.begin[ticker])
        closes, volumes = bars.closes[begin:end], bars.volumes[begin:end]
        out = signals[at[row] : at[row] + end - first]
        what, params, bounds = rows.kind[row], rows.whole[row], rows.bounds[row]
        judged = _within(closes, rows.limits[row])
        if judged and what in (ADAPTIVE, VWAP):
            judged = bars.counted[ticker] and _largest(volumes) <= rows.limits[row, 2]
        if judged:
            if what == HOLD:
                out[:] = 1
            elif what == MOMENTUM:
                _momentum_over(closes, out, params)
            elif what == CROSSING:
                _crossing_over(closes, out, params)
            elif what == RSI:
                judged = _rsi_over(closes, out, params[0], bounds)
            elif what == ADAPTIVE:
                judged = _adaptive_over(closes, volumes, out, params, bounds)
            elif what == MACD:
                _macd_over(closes, bars.dollar, out, params)
            elif what == BREAKOUT:
                _breakout_over(bars, begin, end, out, params)
            elif what == VWAP:
                judged = _vwap_over(bars, begin, end, out, params)
            else:
                _deviation_over(what, closes, out, params)
        refused[row] = not judged


@part
def _within(closes: Whole, limits: Whole) -> bool:
    most, spread = 0, 0
    for close in closes:
        most, spread = max(most, close), max(spread, abs(close - closes[0]))
    return bool(most <= limits[0] and spread <= limits[1])


@part
def _largest(values: Whole) -> int:
    most = 0
    for value in values:
        most = max(most, value)
    return most


@part
def _momentum_over(closes: Whole, out: Signs, params: Whole) -> None:
    old, back = len(closes) - len(out), params[0]
    for now in range(old, len(closes)):
        out[now - old] = _risen(closes[now], closes[now - back], params) if now >= back else 0


@part
def _crossing_over(closes: Whole, out: Signs, params: Whole) -> None:
    """Bars before the windows of the session's first bar are skipped, here and below."""
    old, short, long = len(closes) - len(out), params[0], params[1]
    begin, fast, slow = max(old - long, 0), 0, 0
    for now in range(begin, len(closes)):
        fast = _rolled(fast, closes, now, now - begin, short, closes[now])
        slow = _rolled(slow, closes, now, now - begin, long, closes[now])
        if now >= old:
            out[now - old] = _crossed(fast, slow, params) if now >= long - 1 else 0


@part
def _rsi_over(closes: Whole, out: Signs, period: int, bounds: Reals) -> bool:
    """False if a float cannot decide the zone."""
    if len(closes) - 1 > KEPT:
        return False
    old, gains, losses, gain, loss = len(closes) - len(out), 0, 0, 0.0, 0.0
    low, high = bounds
    for now in range(len(closes)):
        if now:
            change = closes[now] - closes[now - 1]
            gains, losses, gain, loss = _averaged(now, period, change, gains, losses, gain, loss)
        if now < old:
            continue
        zone = 0
        if now >= period and gain + loss > 0:
            zone = _zone(gain, loss, low, high, _FAR)
            if zone == DOUBT:
                return False
        out[now - old] = zone
    return True


@part
def _adaptive_over(closes: Whole, volumes: Whole, out: Signs, params: Whole, bounds: Reals) -> bool:
    """Write the RSI's zones first, then add the other votes."""
    if not _rsi_over(closes, out, params[2], bounds):
        return False
    short, long, window = params[0], params[1], params[3]
    old, fast, slow, total = len(closes) - len(out), 0, 0, 0
    begin, first = max(old - max(long, window), 0), _first_vote(params)
    for now in range(begin, len(closes)):
        n = now - begin
        fast = _rolled(fast, closes, now, n, short, closes[now])
        slow = _rolled(slow, closes, now, n, long, closes[now])
        total = _rolled(total, volumes, now, n, window, volumes[now])
        if now < old:
            continue
        change = closes[now] - closes[now - 1] if now else 0
        votes = _crossed(fast, slow, params) + _loud(volumes[now], total, window, change)
        out[now - old] = _decided(votes + out[now - old]) if now >= first else 0
    return True


@part
def _deviation_over(what: int, closes: Whole, out: Signs, params: Whole) -> None:
    old, window, anchor = len(closes) - len(out), params[0], closes[0]
    begin, total, squares = max(old - window, 0), 0, 0
    for now in range(begin, len(closes)):
        total, squares = _spread(total, squares, closes, now, now - begin, window, anchor)
        if now >= old:
            moved, ready = closes[now] - anchor, now >= window - 1
            out[now - old] = _deviated(what, moved, total, squares, params) if ready else 0


@part
def _macd_over(closes: Whole, dollar: float, out: Signs, params: Whole) -> None:
    """The fast average starts together with the slow one, the signal line once both are known."""
    old, fast, slow, window = len(closes) - len(out), params[0], params[1], params[2]
    weights = 2.0 / (fast + 1), 2.0 / (slow + 1), 2.0 / (window + 1)
    quick, steady, line, quicks, steadies, lines = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for now in range(len(closes)):
        close, n = closes[now] / dollar - closes[0] / dollar, now - slow + 1
        if now + fast >= slow:
            quick, quicks = _smoothed(now + fast - slow, fast, weights[0], close, quick, quicks)
        steady, steadies = _smoothed(now, slow, weights[1], close, steady, steadies)
        macd = quick - steady
        if n >= 0:
            line, lines = _smoothed(n, window, weights[2], macd, line, lines)
        if now >= old:
            out[now - old] = int(macd > line) - int(macd < line) if n >= window - 1 else 0


@part
def _breakout_over(bars: Histories, begin: int, end: int, out: Signs, params: Whole) -> None:
    old, entry, leave, top, bottom = end - len(out), params[0], params[1], -1, -1
    for now in range(old, end):
        out[now - old] = 0
        if now - begin >= max(entry, leave):
            top = _topmost(bars.highs, now, entry, top, 1)
            bottom = _topmost(bars.lows, now, leave, bottom, -1)
            close = bars.closes[now] * bars.finer
            out[now - old] = int(close > bars.highs[top]) - int(close < bars.lows[bottom])


@part
def _vwap_over(bars: Histories, begin: int, end: int, out: Signs, params: Whole) -> bool:
    """False if 64 bits may be too few."""
    old, window, total, weighted = end - len(out), params[0], 0, 0
    start = max(old - window, begin)
    for now in range(start, end):
        if now - start >= window:
            total -= bars.volumes[now - window]
            weighted -= _thrice_paid(bars, now - window)
        prices = float(bars.highs[now]) + bars.lows[now] + float(bars.closes[now]) * bars.finer
        if prices * bars.volumes[now] >= MOST // 2 or weighted >= MOST // 2:
            return False
        total, weighted = total + bars.volumes[now], weighted + _thrice_paid(bars, now)
        if now < old:
            continue
        if 3.0 * (float(bars.closes[now]) * bars.finer) * total >= MOST:
            return False
        theirs, ready = 3 * (bars.closes[now] * bars.finer) * total, now - begin >= window - 1
        signal = _reverted(theirs, weighted, params) if ready else 0
        if abs(signal) == DOUBT:
            return False
        out[now - old] = signal
    return True


@part
def _risen(close: int, then: int, params: Whole) -> int:
    """+1 if a close is above an earlier one by more than the threshold, -1 if below, else 0."""
    scaled = close * params[1]
    return int(scaled > then * params[2]) - int(scaled < then * params[3])


@part
def _rolled(total: int, past: Whole, at: int, n: int, window: int, value: int) -> int:
    """The rolling sum over a window, advanced by a value that `n` values came before."""
    if n >= window:
        total -= past[at - window]
    return int(total + value)


@part
def _crossed(fast: int, slow: int, params: Whole) -> int:
    """The sign of the short average minus the long one, given their sums."""
    high, low = fast * params[1], slow * params[0]
    return int(high > low) - int(high < low)


@part
def _smoothed(
    n: int, window: int, weight: float, value: float, average: float, total: float
) -> tuple[float, float]:
    """An exponential average and the sum it starts with, advanced by a value after `n` others."""
    if n >= window:
        average = value if window == 1 else average + (value - average) * weight
    else:
        total += value
        if n == window - 1:
            average = total / window
    return average, total


@part
def _topmost(values: Whole, now: int, window: int, known: int, side: int) -> int:
    """The place of the highest (`side` 1) or lowest (-1) of the `window` values before `now`."""
    first = now - window
    if known >= first:
        return now - 1 if side * values[now - 1] >= side * values[known] else known
    found = first
    for place in range(first + 1, now):
        if side * values[place] >= side * values[found]:
            found = place
    return found


@part
def _thrice_paid(bars: Histories, at: int) -> int:
    """A bar's volume times three times its typical price."""
    prices = bars.highs[at] + bars.lows[at] + bars.closes[at] * bars.finer
    return int(prices * bars.volumes[at])


@part
def _reverted(theirs: int, weighted: int, params: Whole) -> int:
    """+1 if a close is below a fraction of the VWAP, -1 if above another, else 0; or DOUBT."""
    long = _less(theirs, params[2], weighted, params[1])
    return long if long else -_less(weighted, params[3], theirs, params[4])


@part
def _less(a: int, b: int, c: int, d: int) -> int:
    """1 if a x b < c x d, else 0, for numbers >= 0; DOUBT if neither 64 bits nor a float decide."""
    one, other = float(a) * b, float(c) * d
    if max(one, other) < MOST:
        return int(a * b < c * d)
    return int(one < other) if abs(one - other) > UNSURE * max(one, other) else DOUBT


@part
def _averaged(
    n: int, period: int, change: int, gains: int, losses: int, gain: float, loss: float
) -> tuple[int, int, float, float]:
    """Wilder's averages and the sums they start with, advanced by the n-th change."""
    up, down = max(change, 0), max(-change, 0)
    if n > period:
        gain, loss = (gain * (period - 1) + up) / period, (loss * (period - 1) + down) / period
    else:
        gains, losses = gains + up, losses + down
        if n == period:
            gain, loss = gains / period, losses / period
    return gains, losses, gain, loss


@part
def _zone(gain: float, loss: float, low: float, high: float, near: float) -> int:
    rsi = 100.0 * (gain / (gain + loss))
    if low + near < rsi < high - near:
        return 0
    if rsi < low - near:
        return 1
    return -1 if rsi > high + near else DOUBT


@part
def _first_vote(params: Whole) -> int:
    """The number of bars before the first one at which all three indicators vote."""
    return int(max(params[1] - 1, params[2], params[3] - 1))


@part
def _loud(volume: int, total: int, window: int, change: int) -> int:
    """The volume's vote."""
    return int(change > 0) - int(change < 0) if volume * window > total else 0


@part
def _decided(votes: int) -> int:
    return int(votes >= 2) - int(votes <= -2)


@part
def _spread(
    total: int, squares: int, past: Whole, at: int, n: int, window: int, anchor: int
) -> tuple[int, int]:
    """Rolling sums of prices less `anchor`, and of their squares, advanced by one bar."""
    if n >= window:
        old = past[at - window] - anchor
        total, squares = total - old, squares - old * old
    moved = past[at] - anchor
    return total + moved, squares + moved * moved


@part
def _deviated(what: int, moved: int, total: int, squares: int, params: Whole) -> int:
    """The signal of a close's distance from the average, in multiples of the deviation."""
    distance, variance = params[0] * moved - total, params[0] * squares - total * total
    square = distance * distance
    beyond = square * params[2] > params[1] * variance
    if what == BANDS:
        return int(distance < 0) - int(distance > 0) if beyond else 0
    if distance > 0:
        return -1
    if distance == 0:
        return -1 if params[3] > 0 else 0
    if beyond:
        return 1
    return -1 if square * params[4] < params[3] * variance else 0
