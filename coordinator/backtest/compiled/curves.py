"""Every book's equity over a session: the points of `core/equity_curve.py`, from the log of orders.

Computed apart from playing because only readers of the equity table need it.
"""

from __future__ import annotations

from coordinator.backtest.compiled.layout import (
    BUY,
    DENIED,
    Held,
    Inputs,
    Log,
    Notes,
    Table,
    Whole,
)
from coordinator.backtest.compiled.machine_code import bare


@bare
def points(inputs: Inputs, held: Held, log: Log, found: Table, until: Whole, notes: Notes) -> None:
    """Write points to `found` as rows of times, cash and values, each strategy's up to `until`.

    A time is 0 at the opening, then a minute's number, and one more at the end. `held` are the
    books at the opening, and is overwritten, as are `notes`. `found` must have room for all minutes
    of all strategies.
    """
    bars, span, seats, terms = inputs.bars, inputs.span, inputs.seats, inputs.terms
    close_of, minute_of, ticker_of, qty_of = bars.close, bars.minute, seats.ticker, held.qty
    end_of, of, last = span.end, seats.of, terms.closing
    cursor, mark = notes.cursor, notes.mark
    count = line = 0
    for strategy in range(len(until)):
        first, behind = of[strategy], of[strategy + 1]
        cash, value, opened = held.cash[strategy], 0, 0
        for seat in range(first, behind):
            ticker, own = ticker_of[seat], seat - first
            cursor[own], mark[own] = span.begin[ticker], span.before[ticker]
            opened += qty_of[seat] * span.opened[ticker]
            value += qty_of[seat] * span.before[ticker]
        found[0, count], found[1, count], found[2, count] = 0, cash, opened
        count += 1
        last_cash, last_value = cash, opened
        for minute in range(terms.first, terms.end):
            for seat in range(first, behind):
                own = seat - first
                place = cursor[own]
                if place < end_of[ticker_of[seat]] and minute_of[place] == minute:
                    value += qty_of[seat] * (close_of[place] - mark[own])
                    mark[own] = close_of[place]
                    cursor[own] += 1
            if (cash != last_cash or value != last_value) and minute != last:
                found[0, count] = minute - terms.first + 1
                found[1, count], found[2, count] = cash, value
                count += 1
            last_cash, last_value = cash, value
            while line < len(log.seat) and log.seat[line] < behind:
                seat, place = log.seat[line], log.place[line]
                if minute_of[place] != minute:
                    break
                what, qty = log.what[line], log.qty[line]
                line += 1
                if what == DENIED:
                    continue
                sign = 1 if what == BUY else -1
                price = bars.buy[place] if what == BUY else bars.sell[place]
                cash -= sign * qty * price
                value += sign * qty * mark[seat - first]
                qty_of[seat] += sign * qty
        found[0, count], found[1, count], found[2, count] = terms.end - terms.first + 1, cash, value
        count += 1
        until[strategy] = count
