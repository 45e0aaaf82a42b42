"""The lines of a session's log in order of time, and the broker's ids for them.

The order is that of `Instant`: minute by minute, within a minute by strategy; fills on one account
are in the sequence of `seats.in_turn`.
"""

from __future__ import annotations

import numpy as np

from coordinator.backtest.compiled.layout import DENIED, Log, Whole
from coordinator.backtest.compiled.machine_code import compiled


@compiled
def by_minute(log: Log, minute_of: Whole, begin: int, minutes: int) -> tuple[Whole, Whole]:
    """Sort the lines of a log, which goes strategy by strategy, by minute from `begin` on.

    Returns the sorted lines and `until`: minute m has those from `until[m]` to `until[m + 1]`.
    """
    until = np.zeros(minutes + 1, np.int64)
    for line in range(len(log.seat)):
        until[minute_of[log.place[line]] - begin + 1] += 1
    until = np.cumsum(until)
    following = until[:-1].copy()
    order = np.empty(len(log.seat), np.int64)
    for line in range(len(log.seat)):
        minute = minute_of[log.place[line]] - begin
        order[following[minute]] = line
        following[minute] += 1
    return order, until


@compiled
def filled(log: Log, order: Whole) -> Whole:
    """The lines of `order` that were filled."""
    kept = np.empty(len(order), np.int64)
    count = 0
    for line in order:
        if log.what[line] != DENIED:
            kept[count] = line
            count += 1
    return kept[:count]


@compiled
def in_turn(log: Log, order: Whole, until: Whole, ticker_of: Whole, tickers: int) -> Whole:
    """The filled lines in the arbiter's sequence within each minute.

    An order opposite to others on its ticker waits until the last of them has filled, and then
    joins the end of the line.
    """
    turns = np.empty(len(order), np.int64)
    leads, left = np.empty(tickers, np.int64), np.zeros(tickers, np.int64)
    waiting = np.zeros(tickers, np.int64)
    count = 0
    for minute in range(len(until) - 1):
        lines = order[until[minute] : until[minute + 1]]
        leads[:] = -1
        left[:] = 0
        waiting[:] = 0
        begun = count
        for line in lines:
            what, ticker = log.what[line], ticker_of[log.seat[line]]
            if what == DENIED:
                continue
            if leads[ticker] < 0:
                leads[ticker] = what
            if leads[ticker] == what:
                turns[count] = line
                count += 1
                left[ticker] += 1
            else:
                waiting[ticker] += 1
        at = begun
        while at < count:
            ticker = ticker_of[log.seat[turns[at]]]
            at += 1
            left[ticker] -= 1
            if left[ticker] or not waiting[ticker]:
                continue
            for line in lines:
                what = log.what[line]
                other = what != DENIED and what != leads[ticker]
                if other and ticker_of[log.seat[line]] == ticker:
                    turns[count] = line
                    count += 1
    return turns[:count]


@compiled
def numbered(log: Log, lines: Whole, strategy_of: Whole, given: Whole) -> Whole:
    """The number of broker ids given before each of these fills; each fill takes three.

    `given`, one count for all strategies or one each, is advanced.
    """
    before = np.empty(len(lines), np.int64)
    for place in range(len(lines)):
        strategy = strategy_of[log.seat[lines[place]]] if len(given) > 1 else 0
        before[place] = given[strategy]
        given[strategy] += 3
    return before


@compiled
def sequences(log: Log, strategy_of: Whole) -> Whole:
    """Each line's number within its strategy, from 1; the log goes strategy by strategy."""
    found = np.empty(len(log.seat), np.int64)
    last, number = -1, 0
    for line in range(len(log.seat)):
        strategy = strategy_of[log.seat[line]]
        number = number + 1 if strategy == last else 1
        found[line], last = number, strategy
    return found
