"""The step of every indicator that has a lane form, compiled: a sequence of bars in one call.

What a step of `coordinator/strategies` does with one bar is done here for all lanes on its ticker,
over arrays, with whole ticks in 64 bits; the same operations in the same order, so that signals are
the same to the bit. Whoever calls holds the numbers within bounds (`core/bank.py`). Only who has
lanes enough imports this, and numba with it: a second and 130 MiB.
"""

from __future__ import annotations

import numba

from coordinator.core.lane_form import Kind

MOMENTUM, CROSSING, RSI = Kind.MOMENTUM.value, Kind.CROSSING.value, Kind.RSI.value
REVERSION, BANDS, ADAPTIVE = Kind.REVERSION.value, Kind.BANDS.value, Kind.ADAPTIVE.value
NOT_READY = 100
"""The other votes of an adaptive lane that cannot vote yet."""
# Columns of `sums`.
SHORT, LONG, VOLUME, GAIN, LOSS = range(5)
TOTAL, SQUARES = SHORT, LONG


@numba.njit(cache=True)
def step(rows, closes, volumes, first, kind, whole, real, ring, lots, head, anchor, nano,  # type: ignore[no-untyped-def]
         skip, seen, sums, wilder, zone, doubt, rest, signal):  # fmt: skip
    """Let the lanes on `rows` of tickers take these closes and volumes, one bar after another."""
    mask = ring.shape[1] - 1
    for k in range(rows.shape[0]):
        t, close, volume = rows[k], closes[k], volumes[k]
        now = head[t]
        head[t] = now + 1
        past, loud = ring[t], lots[t]
        past[now & mask], loud[now & mask] = close, volume
        change = close - past[(now - 1) & mask]
        for lane in range(first[t], first[t + 1]):
            if skip[lane] > 0:
                skip[lane] -= 1
                continue
            n = seen[lane]
            seen[lane] = n + 1
            what, given = kind[lane], whole[lane]
            if what == MOMENTUM:
                if n >= given[0]:
                    then, scaled = past[(now - given[0]) & mask], close * given[1]
                    signal[lane] = (scaled > then * given[2]) - (scaled < then * given[3])
            elif what == CROSSING:
                signal[lane] = _trend(given, past, now, mask, n, close, sums[lane])
            elif what == RSI:
                _wilder(lane, given[0], n, change * nano[t], real, sums, wilder, zone, doubt)
                signal[lane] = zone[lane]
            elif what == ADAPTIVE:
                trend = _trend(given, past, now, mask, n, close, sums[lane])
                _wilder(lane, given[2], n, change * nano[t], real, sums, wilder, zone, doubt)
                window = given[3]
                if n >= window:
                    sums[lane, VOLUME] -= loud[(now - window) & mask]
                sums[lane, VOLUME] += volume
                if n + 1 < given[1] or n < given[2] or n + 1 < window:
                    rest[lane] = NOT_READY
                else:
                    votes = trend
                    if volume * window > sums[lane, VOLUME]:
                        votes += (change > 0) - (change < 0)
                    rest[lane] = votes
                    votes += zone[lane]
                    signal[lane] = (votes >= 2) - (votes <= -2)
            else:
                moved, window = close - anchor[t], given[0]
                if n >= window:
                    old = past[(now - window) & mask] - anchor[t]
                    sums[lane, TOTAL] -= old
                    sums[lane, SQUARES] -= old * old
                sums[lane, TOTAL] += moved
                sums[lane, SQUARES] += moved * moved
                if n + 1 >= window:
                    total = sums[lane, TOTAL]
                    distance = window * moved - total
                    variance = window * sums[lane, SQUARES] - total * total
                    if what == REVERSION:
                        signal[lane] = _reversion(distance, variance, given)
                    else:
                        signal[lane] = _bands(distance, variance, given)


@numba.njit(cache=True)
def _trend(given, past, now, mask, n, close, sums):  # type: ignore[no-untyped-def]
    short, long = given[0], given[1]
    if n >= short:
        sums[SHORT] -= past[(now - short) & mask]
    if n >= long:
        sums[LONG] -= past[(now - long) & mask]
    sums[SHORT] += close
    sums[LONG] += close
    if n + 1 < long:
        return 0
    high, low = sums[SHORT] * long, sums[LONG] * short
    return (high > low) - (high < low)


@numba.njit(cache=True)
def _reversion(distance, variance, given):  # type: ignore[no-untyped-def]
    if distance > 0:
        return -1
    if distance == 0:
        return -1 if given[5] else 0
    square = distance * distance
    if square * given[2] > given[1] * variance:
        return 1
    return -1 if square * given[4] < given[3] * variance else 0


@numba.njit(cache=True)
def _bands(distance, variance, given):  # type: ignore[no-untyped-def]
    if distance * distance * given[2] <= given[1] * variance:
        return 0
    return 1 if distance < 0 else -1


@numba.njit(cache=True)
def _wilder(lane, period, n, change, real, sums, wilder, zone, doubt):  # type: ignore[no-untyped-def]
    """`change` is in units of 1e-9, as a step has it: the floats are the step's."""
    if n == 0:
        return
    if n <= period:
        if change > 0:
            sums[lane, GAIN] += change
        else:
            sums[lane, LOSS] -= change
        if n < period:
            return
        gain, loss = sums[lane, GAIN] / period, sums[lane, LOSS] / period
    else:
        gain, loss = wilder[lane, 0] * (period - 1), wilder[lane, 1] * (period - 1)
        if change > 0:
            gain += change
        elif change < 0:
            loss -= change
        gain, loss = gain / period, loss / period
    wilder[lane, 0], wilder[lane, 1] = gain, loss
    if gain + loss == 0 or (n > period and change == 0):
        return
    rsi = 100.0 * (gain / (gain + loss))
    low, high = real[lane, 0], real[lane, 1]
    near = real[lane, 2]
    doubt[lane] = 0
    if low + near < rsi < high - near:
        zone[lane] = 0
    elif rsi < low - near:
        zone[lane] = 1
    elif rsi > high + near:
        zone[lane] = -1
    else:
        doubt[lane] = 1


@numba.njit(cache=True)
def wishing(rows, first, signal, seats, rank_of, sated, stirred, asked):  # type: ignore[no-untyped-def]
    """Mark in `asked` the ranks that a wish of the lanes on these rows may move."""
    for k in range(rows.shape[0]):
        for lane in range(first[rows[k]], first[rows[k] + 1]):
            wish = signal[lane]
            if wish == 0:
                continue
            for seat in range(seats[lane], seats[lane + 1]):
                rank = rank_of[seat]
                if sated[seat] == 0 if wish > 0 else stirred[rank] != 0:
                    asked[rank] = 1
