"""The step of every indicator that has a lane form, compiled: for live lanes and whole histories.

An indicator's step is one part: from where it stands and a bar to where it stands then. `step` has
all lanes on a ticker take a frame's bars, and keeps where they stand in arrays; `judge` runs
through history and session of one rule after another. Both do what a step of
`coordinator/strategies` does with a bar, in whole ticks of 64 bits, so that signals are the same to
the bit; whoever calls holds the numbers within bounds (`lane_form.LaneForm`). A value that came `n`
bars before the one at `at` is at `(at - n) & mask`: in a ring its size less one, else `ALL`. Only
who has work enough imports this, and numba with it.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from coordinator.core.lane_arrays import Histories, Lanes, Rows, Tickers
from coordinator.core.lane_form import KEPT, NEAR, Kind
from coordinator.core.machine_code import bare, part

Ints: TypeAlias = NDArray[np.int64]
Signs: TypeAlias = NDArray[np.int8]
HOLD, MOMENTUM = Kind.HOLD.value, Kind.MOMENTUM.value
CROSSING, RSI = Kind.CROSSING.value, Kind.RSI.value
REVERSION, BANDS, ADAPTIVE = Kind.REVERSION.value, Kind.BANDS.value, Kind.ADAPTIVE.value
NOT_READY = 100
"""The other votes of an adaptive lane that cannot vote yet."""
ALL = -1
DOUBT = 2
"""The zone of an RSI that a float cannot tell."""
_FAR = 2 * NEAR
"""A history is counted in ticks of any size: what its floats differ by from a step's is less."""
# Columns of `sums`.
SHORT, LONG, VOLUME, GAIN, LOSS = range(5)
TOTAL, SQUARES = SHORT, LONG


@bare
def step(rows: Ints, closes: Ints, volumes: Ints, tickers: Tickers, lanes: Lanes) -> None:
    """Let the lanes on `rows` of tickers take these closes and volumes, one bar after another."""
    mask = tickers.ring.shape[1] - 1
    for k in range(len(rows)):
        t, close, volume = rows[k], closes[k], volumes[k]
        now = tickers.head[t]
        tickers.head[t] = now + 1
        past, loud = tickers.ring[t], tickers.lots[t]
        past[now & mask], loud[now & mask] = close, volume
        change = close - past[(now - 1) & mask]
        anchor, nano = tickers.anchor[t], tickers.nano[t]
        for lane in range(tickers.first[t], tickers.first[t + 1]):
            if lanes.skip[lane] > 0:
                lanes.skip[lane] -= 1
                continue
            n, what = lanes.seen[lane], lanes.kind[lane]
            lanes.seen[lane] = n + 1
            given, own = lanes.whole[lane], lanes.sums[lane]
            if what == HOLD:
                lanes.signal[lane] = 1
            elif what == MOMENTUM:
                if n >= given[0]:
                    lanes.signal[lane] = _risen(close, past[(now - given[0]) & mask], given)
            elif what in (CROSSING, ADAPTIVE):
                own[SHORT] = _rolled(own[SHORT], past, now, mask, n, given[0], close)
                own[LONG] = _rolled(own[LONG], past, now, mask, n, given[1], close)
                if n + 1 >= given[1]:
                    lanes.signal[lane] = _crossed(own[SHORT], own[LONG], given)
            elif what in (REVERSION, BANDS):
                total, squares = own[TOTAL], own[SQUARES]
                total, squares = _spread(total, squares, past, now, mask, n, given[0], anchor)
                own[TOTAL], own[SQUARES] = total, squares
                if n + 1 >= given[0]:
                    lanes.signal[lane] = _deviated(what, close - anchor, total, squares, given)
            if what == RSI:
                _stand(lane, given[0], n, change * nano, lanes)
                lanes.signal[lane] = lanes.zone[lane]
            elif what == ADAPTIVE:
                _stand(lane, given[2], n, change * nano, lanes)
                own[VOLUME] = _rolled(own[VOLUME], loud, now, mask, n, given[3], volume)
                if n < _first_vote(given):
                    lanes.rest[lane], lanes.signal[lane] = NOT_READY, 0
                else:
                    votes = lanes.signal[lane] + _loud(volume, own[VOLUME], given[3], change)
                    lanes.rest[lane] = votes
                    lanes.signal[lane] = _decided(votes + lanes.zone[lane])


@part
def _stand(lane: int, period: int, n: int, change: int, lanes: Lanes) -> None:
    """Take an RSI's change in units of 1e-9, as a step has it: the floats are the step's."""
    if n == 0:
        return
    sums, wilder = lanes.sums[lane], lanes.wilder[lane]
    gains, losses, gain, loss = _averaged(
        n, period, change, sums[GAIN], sums[LOSS], wilder[0], wilder[1]
    )
    sums[GAIN], sums[LOSS], wilder[0], wilder[1] = gains, losses, gain, loss
    if n < period or gain + loss == 0 or (n > period and change == 0):
        return
    low, high, near = lanes.real[lane]
    zone = _zone(gain, loss, low, high, near)
    lanes.doubt[lane] = zone == DOUBT
    if zone != DOUBT:
        lanes.zone[lane] = zone


@bare
def wishing(
    rows: Ints,
    first: Ints,
    signal: Signs,
    seats: Ints,
    rank_of: Ints,
    sated: Signs,
    stirred: Signs,
    asked: Signs,
) -> None:
    """Mark in `asked` the ranks that a wish of the lanes on these rows may move."""
    for k in range(len(rows)):
        for lane in range(first[rows[k]], first[rows[k] + 1]):
            wish = signal[lane]
            if wish == 0:
                continue
            for seat in range(seats[lane], seats[lane + 1]):
                rank = rank_of[seat]
                if sated[seat] == 0 if wish > 0 else stirred[rank] != 0:
                    asked[rank] = 1


@bare
def judge(bars: Histories, rows: Rows, at: Ints, signals: Signs, refused: NDArray[Any]) -> None:
    """Write each row's signals of the session from its place `at` on, or mark it as refused.

    Refused is what could be too large for 64 bits, and an RSI too near its bound for a float.
    """
    for row in range(len(at)):
        ticker = rows.ticker[row]
        first, end = bars.first[ticker], bars.end[ticker]
        begin = max(first - rows.history[row], bars.begin[ticker])
        closes, volumes = bars.closes[begin:end], bars.volumes[begin:end]
        out = signals[at[row] : at[row] + end - first]
        what, given, bounds = rows.kind[row], rows.whole[row], rows.bounds[row]
        said = _within(closes, rows.limits[row])
        if said and what == ADAPTIVE:
            said = bars.counted[ticker] and _largest(volumes) <= rows.limits[row, 2]
        if said:
            if what == HOLD:
                out[:] = 1
            elif what == MOMENTUM:
                _momentum_over(closes, out, given)
            elif what == CROSSING:
                _crossing_over(closes, out, given)
            elif what == RSI:
                said = _rsi_over(closes, out, given[0], bounds)
            elif what == ADAPTIVE:
                said = _adaptive_over(closes, volumes, out, given, bounds)
            else:
                _deviation_over(what, closes, out, given)
        refused[row] = not said


@part
def _within(closes: Ints, limits: Ints) -> bool:
    most, spread = 0, 0
    for close in closes:
        most, spread = max(most, close), max(spread, abs(close - closes[0]))
    return bool(most <= limits[0] and spread <= limits[1])


@part
def _largest(values: Ints) -> int:
    most = 0
    for value in values:
        most = max(most, value)
    return most


@part
def _momentum_over(closes: Ints, out: Signs, given: Ints) -> None:
    old, back = len(closes) - len(out), given[0]
    for now in range(old, len(closes)):
        out[now - old] = _risen(closes[now], closes[now - back], given) if now >= back else 0


@part
def _crossing_over(closes: Ints, out: Signs, given: Ints) -> None:
    """What the windows of the session's first bar do not reach is left out, here and below."""
    old, short, long = len(closes) - len(out), given[0], given[1]
    begin, fast, slow = max(old - long, 0), 0, 0
    for now in range(begin, len(closes)):
        fast = _rolled(fast, closes, now, ALL, now - begin, short, closes[now])
        slow = _rolled(slow, closes, now, ALL, now - begin, long, closes[now])
        if now >= old:
            out[now - old] = _crossed(fast, slow, given) if now >= long - 1 else 0


@part
def _rsi_over(closes: Ints, out: Signs, period: int, bounds: NDArray[np.float64]) -> bool:
    """False where a float cannot tell the zone."""
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
def _adaptive_over(
    closes: Ints, volumes: Ints, out: Signs, given: Ints, bounds: NDArray[np.float64]
) -> bool:
    """The RSI's zones first, which the other votes join."""
    if not _rsi_over(closes, out, given[2], bounds):
        return False
    short, long, window = given[0], given[1], given[3]
    old, fast, slow, total = len(closes) - len(out), 0, 0, 0
    begin, first = max(old - max(long, window), 0), _first_vote(given)
    for now in range(begin, len(closes)):
        n = now - begin
        fast = _rolled(fast, closes, now, ALL, n, short, closes[now])
        slow = _rolled(slow, closes, now, ALL, n, long, closes[now])
        total = _rolled(total, volumes, now, ALL, n, window, volumes[now])
        if now < old:
            continue
        change = closes[now] - closes[now - 1] if now else 0
        votes = _crossed(fast, slow, given) + _loud(volumes[now], total, window, change)
        out[now - old] = _decided(votes + out[now - old]) if now >= first else 0
    return True


@part
def _deviation_over(what: int, closes: Ints, out: Signs, given: Ints) -> None:
    old, window, anchor = len(closes) - len(out), given[0], closes[0]
    begin, total, squares = max(old - window, 0), 0, 0
    for now in range(begin, len(closes)):
        total, squares = _spread(total, squares, closes, now, ALL, now - begin, window, anchor)
        if now >= old:
            moved, ready = closes[now] - anchor, now >= window - 1
            out[now - old] = _deviated(what, moved, total, squares, given) if ready else 0


@part
def _risen(close: int, then: int, given: Ints) -> int:
    """+1 if a close lies above an earlier one by more than the threshold, -1 if below."""
    scaled = close * given[1]
    return int(scaled > then * given[2]) - int(scaled < then * given[3])


@part
def _rolled(total: int, past: Ints, at: int, mask: int, n: int, window: int, value: int) -> int:
    """The sum over a window with one value more, before which there were `n`."""
    if n >= window:
        total -= past[(at - window) & mask]
    return int(total + value)


@part
def _crossed(fast: int, slow: int, given: Ints) -> int:
    """The sign of the short average less the long one, of their sums."""
    high, low = fast * given[1], slow * given[0]
    return int(high > low) - int(high < low)


@part
def _averaged(
    n: int, period: int, change: int, gains: int, losses: int, gain: float, loss: float
) -> tuple[int, int, float, float]:
    """Wilder's averages with the n-th change, and the sums that they begin with."""
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
def _first_vote(given: Ints) -> int:
    """How many bars come before the first at which all three can vote."""
    return int(max(given[1] - 1, given[2], given[3] - 1))


@part
def _loud(volume: int, total: int, window: int, change: int) -> int:
    """The volume's vote."""
    return int(change > 0) - int(change < 0) if volume * window > total else 0


@part
def _decided(votes: int) -> int:
    return int(votes >= 2) - int(votes <= -2)


@part
def _spread(
    total: int, squares: int, past: Ints, at: int, mask: int, n: int, window: int, anchor: int
) -> tuple[int, int]:
    """Sums over a window, of prices counted from `anchor` on and of their squares."""
    if n >= window:
        old = past[(at - window) & mask] - anchor
        total, squares = total - old, squares - old * old
    moved = past[at & mask] - anchor
    return total + moved, squares + moved * moved


@part
def _deviated(what: int, moved: int, total: int, squares: int, given: Ints) -> int:
    """What a close's distance from the average says, against multiples of the deviation."""
    distance, variance = given[0] * moved - total, given[0] * squares - total * total
    square = distance * distance
    beyond = square * given[2] > given[1] * variance
    if what == BANDS:
        return int(distance < 0) - int(distance > 0) if beyond else 0
    if distance > 0:
        return -1
    if distance == 0:
        return -1 if given[3] > 0 else 0
    if beyond:
        return 1
    return -1 if square * given[4] < given[3] * variance else 0
