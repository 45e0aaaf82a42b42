"""One session of all strategies in machine code: one strategy after another, minute by minute.

Everything is a whole number: prices and dollars in the steps that `scale.py` chose, quantities in
ten-thousandths. A quotient of two products is found by a float and put right by its remainder,
which is small and therefore exact in 64 bits even where the products are not. What could be too
large, and cash that runs short, ends the play with a negative count.
"""

from __future__ import annotations

from coordinator.backtest.compiled.layout import Desk, Scene
from coordinator.backtest.compiled.machine_code import bare, part

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
NOTES, HAND = 5, 7
"""How many notes there are on a seat, and places in a hand."""


@bare
def play(scene: Scene, desk: Desk) -> int:
    """Play the session; how many lines the log has then."""
    of, held, day, hand = scene.seats.of, desk.held, desk.day, desk.hand
    count = 0
    for who in range(len(held.cash)):
        if not _sit_down(who, scene, desk):
            return UNFIT
        if of[who + 1] - of[who] == 1:
            count = _play_one_ticker(who, scene, desk, count)
        else:
            count = _play_many(who, scene, desk, count)
        if count < 0:
            return count
        _note(who, hand[_CASH] + hand[_VALUE], desk)
        held.cash[who], day.entries[who] = hand[_CASH], hand[_ENTRIES]
    return count


@part
def _sit_down(who: int, scene: Scene, desk: Desk) -> bool:
    """Begin a strategy's session; False if a number could become too large."""
    span, seats, held, notes, hand = scene.span, scene.seats, desk.held, desk.notes, desk.hand
    first, opened, value = seats.of[who], 0, 0
    for seat in range(first, seats.of[who + 1]):
        own, ticker = seat - first, seats.ticker[seat]
        notes[_CURSOR, own], notes[_DENIED, own] = span.begin[ticker], 0
        notes[_MARK, own] = span.before[ticker]
        qty = held.qty[seat]
        if qty:
            if not _guard(who, seat, own, scene, desk):
                return False
            if qty >= _MOST // (span.top[ticker] * (seats.of[who + 1] - first)):
                return False
            opened += qty * span.opened[ticker]
            value += qty * span.before[ticker]
    cash, day = held.cash[who], desk.day
    hand[_CASH], hand[_VALUE], hand[_ENTRIES], hand[_STOPPED] = cash, value, 0, 0
    day.baseline[who] = hand[_PEAK] = hand[_LOW] = cash + opened
    day.peak[who] = day.trough[who] = 1
    day.realized[who] = day.fills[who] = 0
    day.lowest[who] = min(cash, 0)
    return bool(-_MOST < cash < _MOST and cash + opened > 0)


@part
def _play_one_ticker(who: int, scene: Scene, desk: Desk, count: int) -> int:
    """Bar by bar. What it comes to is noted at each bar, and once in the minute after an order."""
    seat, closing, hand = scene.seats.of[who], scene.terms.closing, desk.hand
    ticker, at = scene.seats.ticker[seat], scene.seats.at[seat]
    begin, last = scene.span.begin[ticker], scene.span.last[ticker]
    warm, loss = begin + scene.seats.warm[seat], scene.limits.loss[who]
    close_of, minute_of, signals = scene.bars.close, scene.bars.minute, scene.signals
    due = scene.terms.first
    for place in range(begin, scene.span.end[ticker]):
        minute, close, qty = minute_of[place], close_of[place], desk.held.qty[seat]
        if due < minute:
            _note(who, hand[_CASH] + hand[_VALUE], desk)
        due = _NEVER
        hand[_VALUE] = qty * close
        equity = hand[_CASH] + hand[_VALUE]
        if minute != closing:
            _note(who, equity, desk)
        if 0 <= loss <= desk.day.baseline[who] - equity:
            hand[_STOPPED] = 1
        if place > last:
            continue
        signal = signals[at + place - begin] if place >= warm else 0
        if not _wishes(qty, signal, close, desk.notes[_FLOOR, 0], desk.notes[_CEILING, 0]):
            continue
        hand[_AVAILABLE], desk.notes[_MARK, 0], begun = hand[_CASH], close, count
        count = _order(who, seat, place, equity, scene, desk, count)
        if count < 0:
            return count
        if count > begun:
            due = minute + 1
            if not _fill(who, begun, count, scene, desk):
                return UNFIT
    return count


@part
def _play_many(who: int, scene: Scene, desk: Desk, count: int) -> int:
    """Minute by minute, each in the order of the strategy's tickers."""
    bars, span, seats, signals, limits, terms = scene
    first, behind = seats.of[who], seats.of[who + 1]
    cursors, hand, qty_of = desk.notes[_CURSOR], desk.hand, desk.held.qty
    baseline, loss = desk.day.baseline[who], limits.loss[who]
    moved = True
    for minute in range(terms.first, terms.end):
        turned = False
        for seat in range(first, behind):
            place = cursors[seat - first]
            if place < span.end[seats.ticker[seat]] and bars.minute[place] == minute:
                _mark(seat, seat - first, bars.close[place], desk)
                turned = True
        equity = hand[_CASH] + hand[_VALUE]
        if (turned or moved) and minute != terms.closing:
            _note(who, equity, desk)
        moved = False
        if not turned:
            continue
        if 0 <= loss <= baseline - equity:
            hand[_STOPPED] = 1
        hand[_AVAILABLE], begun = hand[_CASH], count
        for seat in range(first, behind):
            own, ticker = seat - first, seats.ticker[seat]
            place = cursors[own]
            if place >= span.end[ticker] or bars.minute[place] != minute:
                continue
            cursors[own] += 1
            if place > span.last[ticker]:
                continue
            nth, close = place - span.begin[ticker], bars.close[place]
            signal = signals[seats.at[seat] + nth] if nth >= seats.warm[seat] else 0
            floor, ceiling = desk.notes[_FLOOR, own], desk.notes[_CEILING, own]
            if _wishes(qty_of[seat], signal, close, floor, ceiling):
                count = _order(who, seat, place, equity, scene, desk, count)
                if count < 0:
                    return count
        if count > begun:
            moved = True
            if not _fill(who, begun, count, scene, desk):
                return UNFIT
    return count


@part
def _mark(seat: int, own: int, close: int, desk: Desk) -> None:
    desk.hand[_VALUE] += desk.held.qty[seat] * (close - desk.notes[_MARK, own])
    desk.notes[_MARK, own] = close


@part
def _wishes(qty: int, signal: int, close: int, floor: int, ceiling: int) -> bool:
    """Whether anything could be ordered at a close."""
    if qty:
        return bool(signal < 0 or not floor < close < ceiling)
    return bool(signal > 0)


@part
def _order(
    who: int, seat: int, place: int, equity: int, scene: Scene, desk: Desk, count: int
) -> int:
    """Decide at a bar, and log what is ordered; how many lines the log has then."""
    what, qty, why = _decide(who, seat, scene.bars.close[place], equity, scene, desk)
    if what == NOTHING:
        return count
    log = desk.log
    if count == len(log):
        return FULL
    log[count, SEAT], log[count, PLACE], log[count, WHAT] = seat, place, what
    log[count, QTY], log[count, WHY] = qty, why
    return count + 1


@part
def _decide(
    who: int, seat: int, close: int, equity: int, scene: Scene, desk: Desk
) -> tuple[int, int, int]:
    """What is ordered at a close, how much and why: who holds sells, and who does not would buy."""
    held, notes, hand, limits = desk.held, desk.notes, desk.hand, scene.limits
    own = seat - scene.seats.of[who]
    if held.qty[seat]:
        notes[_DENIED, own] = 0
        if close <= notes[_FLOOR, own]:
            return SELL, held.qty[seat], STOP
        return SELL, held.qty[seat], TARGET if close >= notes[_CEILING, own] else SIGNAL
    size = limits.size[who]
    by_size, _ = _quotient(size[0], equity, size[1], close)
    by_cash, _ = _quotient(100, hand[_AVAILABLE], 101, close)
    qty = min(by_size, by_cash)
    if qty == 0 or qty * close < scene.terms.dollar:
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
def _fill(who: int, begun: int, count: int, scene: Scene, desk: Desk) -> bool:
    """Book a minute's orders; False if a number could be too large."""
    bars, span, seats = scene.bars, scene.span, scene.seats
    held, day, log, notes, hand = desk
    first, left = seats.of[who], hand[_CASH]
    for line in range(begun, count):
        seat, place, qty = log[line, SEAT], log[line, PLACE], log[line, QTY]
        own = seat - first
        if log[line, WHAT] == DENIED:
            continue
        day.fills[who] += 1
        if log[line, WHAT] == BUY:
            if qty >= _MOST // (span.top[seats.ticker[seat]] * (seats.of[who + 1] - first)):
                return False
            paid = qty * bars.buy[place]
            left -= paid
            hand[_CASH] -= paid
            hand[_VALUE] += qty * notes[_MARK, own]
            held.qty[seat], held.cost[seat] = qty, paid
            day.lowest[who] = min(day.lowest[who], left)
            if not _guard(who, seat, own, scene, desk):
                return False
        else:
            earned = qty * bars.sell[place]
            hand[_CASH] += earned
            hand[_VALUE] -= qty * notes[_MARK, own]
            day.realized[who] += earned - held.cost[seat]
            held.qty[seat] = held.cost[seat] = 0
    return bool(hand[_CASH] < _MOST)


@part
def _guard(who: int, seat: int, own: int, scene: Scene, desk: Desk) -> bool:
    """Find the closes at which a position is stopped or has reached its target."""
    notes, limits = desk.notes, scene.limits
    qty, cost = desk.held.qty[seat], desk.held.cost[seat]
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
def _note(who: int, equity: int, desk: Desk) -> None:
    """Take a point of the equity's curve into account: is it a new peak, or the deepest fall?"""
    hand, day = desk.hand, desk.day
    if equity >= hand[_PEAK]:
        hand[_PEAK] = hand[_LOW] = equity
    elif equity < hand[_LOW]:
        hand[_LOW] = equity
        if _less(equity, day.peak[who], day.trough[who], hand[_PEAK]):
            day.trough[who], day.peak[who] = equity, hand[_PEAK]


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
