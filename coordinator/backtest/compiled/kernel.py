"""One session of all strategies in machine code: one strategy after another, minute by minute.

Everything is a whole number: prices and dollars in the steps that `scale.py` chose, quantities in
ten-thousandths. A quotient of two products is found by a float and put right by its remainder,
which is small and therefore exact in 64 bits even where the products are not. What could be too
large, and cash that runs short, ends the play with a negative count.
"""

from __future__ import annotations

import numpy as np

from coordinator.backtest.compiled.layout import (
    Bars,
    Day,
    Held,
    Limits,
    Scene,
    Seats,
    Table,
    Terms,
    Whole,
)
from coordinator.core.machine_code import compiled, part

BUY, SELL, DENIED, NOTHING = 0, 1, 2, 3
SIGNAL, STOP, TARGET, LOSS, TRADES = 0, 1, 2, 3, 4
SEAT, PLACE, WHAT, QTY, WHY = 0, 1, 2, 3, 4
"""Columns of the log: a seat, a bar, what was ordered, how much, and the reason."""
FULL, UNFIT = -1, -2
"""Counts that say why a play ended: the log is full, or this is nothing for machine code."""
_MOST = 1 << 60
_NEVER = 1 << 62
_CURSOR, _MARK, _DENIED, _FLOOR, _CEILING = 0, 1, 2, 3, 4
"""Rows of the notes on a strategy's seats: next bar, mark, last denial, stop and target."""
_CASH, _VALUE, _AVAILABLE, _ENTRIES, _STOPPED, _PEAK, _LOW = 0, 1, 2, 3, 4, 5, 6
"""Places in a strategy's hand; `_AVAILABLE` is the minute's."""


@compiled
def play(scene: Scene, held: Held, day: Day, log: Table) -> int:
    """Play the session; how many lines the log has then. `held` and `day` are written to."""
    of = scene.seats.of
    notes, hand = np.empty((5, (of[1:] - of[:-1]).max()), np.int64), np.zeros(7, np.int64)
    count = 0
    for who in range(len(held.cash)):
        if not _sit_down(who, scene.bars, scene.seats, scene.limits, held, day, notes, hand):
            return UNFIT
        count = _play_one(who, scene, held, day, log, count, notes, hand)
        if count < 0:
            return count
        held.cash[who], day.entries[who] = hand[_CASH], hand[_ENTRIES]
    return count


@part
def _sit_down(
    who: int,
    bars: Bars,
    seats: Seats,
    limits: Limits,
    held: Held,
    day: Day,
    notes: Table,
    hand: Whole,
) -> bool:
    """Begin a strategy's session; False if a number could become too large."""
    first, opened, value = seats.of[who], 0, 0
    for seat in range(first, seats.of[who + 1]):
        own, ticker = seat - first, seats.ticker[seat]
        notes[_CURSOR, own], notes[_DENIED, own] = bars.begin[ticker], 0
        notes[_MARK, own] = bars.before[ticker]
        qty = held.qty[seat]
        if qty:
            if not _guard(who, seat, own, limits, held, notes):
                return False
            if qty >= _MOST // (bars.top[ticker] * (seats.of[who + 1] - first)):
                return False
            opened += qty * bars.opened[ticker]
            value += qty * bars.before[ticker]
    cash = held.cash[who]
    hand[_CASH], hand[_VALUE], hand[_ENTRIES], hand[_STOPPED] = cash, value, 0, 0
    day.baseline[who] = hand[_PEAK] = hand[_LOW] = cash + opened
    day.peak[who] = day.trough[who] = 1
    day.realized[who] = day.fills[who] = 0
    day.lowest[who] = min(cash, 0)
    return bool(-_MOST < cash < _MOST and cash + opened > 0)


@part
def _play_one(
    who: int, scene: Scene, held: Held, day: Day, log: Table, count: int, notes: Table, hand: Whole
) -> int:
    bars, seats, signals, limits, terms = scene
    first, behind = seats.of[who], seats.of[who + 1]
    close_of, minute_of, end_of, last_of = bars.close, bars.minute, bars.end, bars.last
    begin_of, ticker_of, warm_of, at_of = bars.begin, seats.ticker, seats.warm, seats.at
    cursors, marks, floors, ceilings = notes[_CURSOR], notes[_MARK], notes[_FLOOR], notes[_CEILING]
    qty_of, peaks, troughs = held.qty, day.peak, day.trough
    baseline, loss = day.baseline[who], limits.loss[who]
    last_minute = terms.minutes - 1 if terms.restated else terms.minutes
    moved = True
    for minute in range(terms.minutes):
        turned = False
        for seat in range(first, behind):
            place = cursors[seat - first]
            if place < end_of[ticker_of[seat]] and minute_of[place] == minute:
                _mark(seat, seat - first, close_of[place], qty_of, marks, hand)
                turned = True
        equity = hand[_CASH] + hand[_VALUE]
        if (turned or moved) and minute != last_minute:
            _note(who, equity, peaks, troughs, hand)
        moved = False
        if not turned:
            continue
        if 0 <= loss <= baseline - equity:
            hand[_STOPPED] = 1
        hand[_AVAILABLE], begun = hand[_CASH], count
        for seat in range(first, behind):
            own, ticker = seat - first, ticker_of[seat]
            place = cursors[own]
            if place >= end_of[ticker] or minute_of[place] != minute:
                continue
            cursors[own] += 1
            if place > last_of[ticker]:
                continue
            nth, close = place - begin_of[ticker], close_of[place]
            signal = signals[at_of[seat] + nth] if nth >= warm_of[seat] else 0
            if not _wishes(qty_of[seat], signal, close, floors[own], ceilings[own]):
                continue
            what, qty, why = _decide(
                who, seat, own, close, equity, limits, held, terms, notes, hand
            )
            if what == NOTHING:
                continue
            if count == len(log):
                return FULL
            _write(log, count, seat, place, what, qty, why)
            count += 1
        if count > begun:
            moved = True
            if not _fill(who, begun, count, log, bars, seats, limits, held, day, notes, hand):
                return UNFIT
    _note(who, hand[_CASH] + hand[_VALUE], peaks, troughs, hand)
    return count


@part
def _mark(seat: int, own: int, close: int, qty_of: Whole, marks: Whole, hand: Whole) -> None:
    hand[_VALUE] += qty_of[seat] * (close - marks[own])
    marks[own] = close


@part
def _wishes(qty: int, signal: int, close: int, floor: int, ceiling: int) -> bool:
    """Whether anything could be ordered at a close."""
    if qty:
        return bool(signal < 0 or not floor < close < ceiling)
    return bool(signal > 0)


@part
def _write(log: Table, line: int, seat: int, place: int, what: int, qty: int, why: int) -> None:
    log[line, SEAT], log[line, PLACE], log[line, WHAT] = seat, place, what
    log[line, QTY], log[line, WHY] = qty, why


@part
def _decide(
    who: int,
    seat: int,
    own: int,
    close: int,
    equity: int,
    limits: Limits,
    held: Held,
    terms: Terms,
    notes: Table,
    hand: Whole,
) -> tuple[int, int, int]:
    """What is ordered at a close, how much and why: who holds sells, and who does not would buy."""
    if held.qty[seat]:
        notes[_DENIED, own] = 0
        if close <= notes[_FLOOR, own]:
            return SELL, held.qty[seat], STOP
        return SELL, held.qty[seat], TARGET if close >= notes[_CEILING, own] else SIGNAL
    size = limits.size[who]
    by_size, _ = _quotient(size[0], equity, size[1], close)
    by_cash, _ = _quotient(100, hand[_AVAILABLE], 101, close)
    qty = min(by_size, by_cash)
    if qty == 0 or qty * close < terms.dollar:
        return NOTHING, 0, 0
    most = limits.entries[who]
    if hand[_STOPPED] or 0 <= most <= hand[_ENTRIES]:
        why = LOSS if hand[_STOPPED] else TRADES
        told = notes[_DENIED, own] == why
        notes[_DENIED, own] = why
        return (NOTHING if told else DENIED), qty, why
    hand[_AVAILABLE] -= qty * close
    hand[_ENTRIES] += 1
    notes[_DENIED, own] = 0
    return BUY, qty, SIGNAL


@part
def _fill(
    who: int,
    begun: int,
    count: int,
    log: Table,
    bars: Bars,
    seats: Seats,
    limits: Limits,
    held: Held,
    day: Day,
    notes: Table,
    hand: Whole,
) -> bool:
    """Book a minute's orders; False if a number could be too large."""
    first, left = seats.of[who], hand[_CASH]
    for line in range(begun, count):
        seat, place, qty = log[line, SEAT], log[line, PLACE], log[line, QTY]
        own = seat - first
        if log[line, WHAT] == DENIED:
            continue
        day.fills[who] += 1
        if log[line, WHAT] == BUY:
            if qty >= _MOST // (bars.top[seats.ticker[seat]] * (seats.of[who + 1] - first)):
                return False
            paid = qty * bars.buy[place]
            left -= paid
            hand[_CASH] -= paid
            hand[_VALUE] += qty * notes[_MARK, own]
            held.qty[seat], held.cost[seat] = qty, paid
            day.lowest[who] = min(day.lowest[who], left)
            if not _guard(who, seat, own, limits, held, notes):
                return False
        else:
            earned = qty * bars.sell[place]
            hand[_CASH] += earned
            hand[_VALUE] -= qty * notes[_MARK, own]
            day.realized[who] += earned - held.cost[seat]
            held.qty[seat] = held.cost[seat] = 0
    return bool(hand[_CASH] < _MOST)


@part
def _guard(who: int, seat: int, own: int, limits: Limits, held: Held, notes: Table) -> bool:
    """Find the closes at which a position is stopped or has reached its target."""
    qty, cost = held.qty[seat], held.cost[seat]
    notes[_FLOOR, own], notes[_CEILING, own] = 0, _NEVER
    part, whole = limits.stop[who]
    if whole > 0:
        if float(whole) * qty >= _MOST:
            return False
        notes[_FLOOR, own], _ = _quotient(whole - part, cost, whole, qty)
    part, whole = limits.target[who]
    if whole > 0:
        if float(whole) * qty >= _MOST:
            return False
        found, rest = _quotient(whole + part, cost, whole, qty)
        notes[_CEILING, own] = found + (rest > 0)
    return True


@part
def _quotient(factor: int, amount: int, divisor: int, price: int) -> tuple[int, int]:
    """The whole part of factor x amount / (divisor x price), and what is left; 0 below zero."""
    if amount <= 0 or factor <= 0:
        return 0, 0
    unit = divisor * price
    found = int(float(factor) * float(amount) / float(unit))
    rest = factor * amount - found * unit
    while rest < 0:
        found -= 1
        rest += unit
    while rest >= unit:
        found += 1
        rest -= unit
    return found, rest


@part
def _note(who: int, equity: int, peaks: Whole, troughs: Whole, hand: Whole) -> None:
    """Take a point of the equity's curve into account: is it a new peak, or the deepest fall?"""
    if equity >= hand[_PEAK]:
        hand[_PEAK] = hand[_LOW] = equity
    elif equity < hand[_LOW]:
        hand[_LOW] = equity
        if _less(equity, peaks[who], troughs[who], hand[_PEAK]):
            troughs[who], peaks[who] = equity, hand[_PEAK]


@part
def _less(a: int, b: int, c: int, d: int) -> bool:
    """Whether a x b < c x d, of numbers from 0 to 2^62, in 128 bits where a float is not sure."""
    left, right = float(a) * float(b), float(c) * float(d)
    if abs(left - right) > 1e-12 * right:
        return left < right
    high, low = _product(a, b)
    other_high, other_low = _product(c, d)
    return high < other_high or (high == other_high and low < other_low)


@part
def _product(a: int, b: int) -> tuple[int, int]:
    """a x b in two parts, the lower one of 62 bits."""
    half = 31
    mask = (1 << half) - 1
    a_high, a_low, b_high, b_low = a >> half, a & mask, b >> half, b & mask
    low = a_low * b_low
    middle = a_high * b_low + (low >> half)
    other = a_low * b_high + (middle & mask)
    high = a_high * b_high + (middle >> half) + (other >> half)
    return high, ((other & mask) << half) | (low & mask)
