"""The spans of bars that a session has of each ticker, and the digits that bars need."""

from __future__ import annotations

import numpy as np

from coordinator.backtest.compiled.layout import Table, Whole
from coordinator.backtest.compiled.machine_code import compiled, part

_OLD, _FRESH, _BEGIN, _END, _LAST, _BEFORE, _TOP, _MARK, _SEEN = range(9)
_MINUTE = 60_000_000


@compiled
def session_spans(
    starts: Whole,
    close: Whole,
    of: Whole,
    edges: Whole,
    needs: Whole,
    marks: Whole,
    seen: Whole,
) -> tuple[Table, float]:
    """A session's figures for `bar_arrays.Cut` by ticker, and the largest move of a close.

    `edges` are the earliest start of history, and the session's first start and end. A bar that
    ends with the session is not decided on. A price of zero makes the move infinite.
    """
    found = np.empty((9, len(marks)), np.int64)
    volatile = 0.0
    for ticker in range(len(marks)):
        base, own = of[ticker], starts[of[ticker] : of[ticker + 1]]
        begin, end = base + np.searchsorted(own, edges[1]), base + np.searchsorted(own, edges[2])
        old = max(begin - needs[ticker], base + np.searchsorted(own, edges[0]))
        unseen = base + np.searchsorted(own, seen[ticker] + 1)
        fresh = min(max(old, unseen), begin)
        before = close[begin - 1] if fresh < begin else marks[ticker]
        restates = end > begin and starts[end - 1] + _MINUTE == edges[2]
        newest = end - 1 if end > begin or fresh < end else -1
        top, moved = _extent(close[begin:end], before)
        volatile = max(volatile, moved)
        found[_OLD, ticker], found[_FRESH, ticker] = old, fresh
        found[_BEGIN, ticker], found[_END, ticker] = begin, end
        found[_LAST, ticker] = end - 1 - restates
        found[_BEFORE, ticker] = before
        found[_TOP, ticker] = 2 * top  # a fill's price lies within a factor of two of its close
        found[_MARK, ticker] = close[newest] if newest >= 0 else before
        found[_SEEN, ticker] = starts[newest] if newest >= 0 else seen[ticker]
    return found, volatile


@part
def _extent(closes: Whole, before: int) -> tuple[int, float]:
    """The highest price including the one before, and the largest move, as a fraction."""
    top, moved = max(before, 1), 0.0
    past = before if before > 0 or not len(closes) else closes[0]
    for close in closes:
        if close <= 0 or past <= 0:
            return top, np.inf
        top = max(top, close)
        moved = max(moved, abs(close - past) / past)
        past = close
    return top, moved


@compiled
def decimals_of(values: Whole, decimals: int) -> int:
    """The decimals that these values need, of those that they are given with."""
    fewer, unit = decimals, 10**decimals
    for value in values:
        while value % unit:
            fewer -= 1
            unit //= 10
    return decimals - fewer


@compiled
def shorten(values: Whole, of: Whole) -> None:
    """Divide the values of each ticker by their greatest common divisor."""
    for ticker in range(len(of) - 1):
        own = values[of[ticker] : of[ticker + 1]]
        unit = 0
        for value in own:
            rest = value
            while rest:
                unit, rest = rest, unit % rest
            if unit == 1:
                break
        if unit > 1:
            for place in range(len(own)):
                own[place] //= unit
