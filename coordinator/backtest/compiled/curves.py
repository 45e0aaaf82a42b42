"""Every book's equity over a session: the points of `core/equity_curve.py`, from the log of orders.

Standing alone because only who reads equity needs it.
"""

from __future__ import annotations

import numpy as np

from coordinator.backtest.compiled.layout import Bars, Held, Seats, Table, Terms, Whole
from coordinator.core.machine_code import compiled

_SEAT, _PLACE, _WHAT, _QTY, _BUY, _DENIED = 0, 1, 2, 3, 0, 2


@compiled
def points(bars: Bars, seats: Seats, held: Held, terms: Terms, log: Table, found: Table) -> Whole:
    """Write points as (time, cash, value); how many there are up to the end of each strategy's.

    A time is 0 at the opening, then a minute's number, and one more at the end. `held` is what the
    session begins with, and is used up. There must be room for all minutes of everybody.
    """
    until = np.empty(len(held.cash), np.int64)
    cursor = np.empty((seats.of[1:] - seats.of[:-1]).max(), np.int64)
    mark = np.empty(len(cursor), np.int64)
    count = line = 0
    for who in range(len(held.cash)):
        first, behind = seats.of[who], seats.of[who + 1]
        cash, value = held.cash[who], 0
        opened = 0
        for seat in range(first, behind):
            ticker, own = seats.ticker[seat], seat - first
            cursor[own], mark[own] = bars.begin[ticker], bars.before[ticker]
            opened += held.qty[seat] * bars.opened[ticker]
            value += held.qty[seat] * bars.before[ticker]
        found[count, 0], found[count, 1], found[count, 2] = 0, cash, opened
        count += 1
        last_cash, last_value = cash, opened
        for minute in range(terms.minutes):
            for seat in range(first, behind):
                own = seat - first
                place = cursor[own]
                if place < bars.end[seats.ticker[seat]] and bars.minute[place] == minute:
                    value += held.qty[seat] * (bars.close[place] - mark[own])
                    mark[own] = bars.close[place]
                    cursor[own] += 1
            changed = cash != last_cash or value != last_value
            if changed and not (terms.restated and minute == terms.minutes - 1):
                found[count, 0], found[count, 1], found[count, 2] = minute + 1, cash, value
                count += 1
            last_cash, last_value = cash, value
            while line < len(log) and first <= log[line, _SEAT] < behind:
                seat, place = log[line, _SEAT], log[line, _PLACE]
                if bars.minute[place] != minute:
                    break
                line += 1
                what, qty = log[line - 1, _WHAT], log[line - 1, _QTY]
                if what == _DENIED:
                    continue
                own = seat - first
                sign = 1 if what == _BUY else -1
                price = bars.buy[place] if what == _BUY else bars.sell[place]
                cash -= sign * qty * price
                value += sign * qty * mark[own]
                held.qty[seat] += sign * qty
        found[count, 0], found[count, 1], found[count, 2] = terms.minutes + 1, cash, value
        count += 1
        until[who] = count
    return until
