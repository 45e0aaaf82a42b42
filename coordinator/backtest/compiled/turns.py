"""A session's log in the order in which its lines came about, and the broker's numbers for them.

The order is `Instant`'s: minute by minute, and within one in the order of the strategies; fills on
one account go as `seats.in_turn` lets them.
"""

from __future__ import annotations

import numpy as np

from coordinator.backtest.compiled.layout import Table, Whole
from coordinator.backtest.compiled.machine_code import compiled

_SEAT, _PLACE, _WHAT, _BUY, _DENIED = 0, 1, 2, 0, 2


@compiled
def by_minute(log: Table, minute_of: Whole, begin: int, minutes: int) -> tuple[Whole, Whole]:
    """The lines of a log, strategy by strategy, as they come minute by minute from `begin` on.

    With them the lines' places among those of each minute: the m-th has `until[m]` to
    `until[m + 1]`.
    """
    until = np.zeros(minutes + 1, np.int64)
    for line in range(len(log)):
        until[minute_of[log[line, _PLACE]] - begin + 1] += 1
    until = np.cumsum(until)
    following = until[:-1].copy()
    order = np.empty(len(log), np.int64)
    for line in range(len(log)):
        minute = minute_of[log[line, _PLACE]] - begin
        order[following[minute]] = line
        following[minute] += 1
    return order, until


@compiled
def filled(log: Table, order: Whole) -> Whole:
    """The lines that were filled, in the order of all lines."""
    kept = np.empty(len(order), np.int64)
    count = 0
    for line in order:
        if log[line, _WHAT] != _DENIED:
            kept[count] = line
            count += 1
    return kept[:count]


@compiled
def in_turn(log: Table, order: Whole, until: Whole, ticker_of: Whole, tickers: int) -> Whole:
    """The filled lines, each minute's as the arbiter lets them.

    Who finds an opposite order on its ticker waits until the last of those has filled, and goes to
    the end of the line then.
    """
    turns = np.empty(len(order), np.int64)
    leads, left = np.empty(tickers, np.int64), np.zeros(tickers, np.int64)
    waits = np.zeros(tickers, np.int64)
    count = 0
    for minute in range(len(until) - 1):
        lines = order[until[minute] : until[minute + 1]]
        leads[:] = -1
        left[:] = 0
        waits[:] = 0
        begun = count
        for line in lines:
            what, ticker = log[line, _WHAT], ticker_of[log[line, _SEAT]]
            if what == _DENIED:
                continue
            if leads[ticker] < 0:
                leads[ticker] = what
            if leads[ticker] == what:
                turns[count] = line
                count += 1
                left[ticker] += 1
            else:
                waits[ticker] += 1
        at = begun
        while at < count:
            ticker = ticker_of[log[turns[at], _SEAT]]
            at += 1
            left[ticker] -= 1
            if left[ticker] or not waits[ticker]:
                continue
            for line in lines:
                what = log[line, _WHAT]
                other = what != _DENIED and what != leads[ticker]
                if other and ticker_of[log[line, _SEAT]] == ticker:
                    turns[count] = line
                    count += 1
    return turns[:count]


@compiled
def numbered(log: Table, lines: Whole, strategy_of: Whole, given: Whole) -> Whole:
    """How many ids were given before each of these fills, three a fill; `given` goes on.

    It has one number for all, or one a strategy.
    """
    before = np.empty(len(lines), np.int64)
    for place in range(len(lines)):
        who = strategy_of[log[lines[place], _SEAT]] if len(given) > 1 else 0
        before[place] = given[who]
        given[who] += 3
    return before


@compiled
def sequences(log: Table, strategy_of: Whole) -> Whole:
    """Each line's number among its strategy's, from 1; the log goes strategy by strategy."""
    found = np.empty(len(log), np.int64)
    last, number = -1, 0
    for line in range(len(log)):
        who = strategy_of[log[line, _SEAT]]
        number = number + 1 if who == last else 1
        found[line], last = number, who
    return found
