"""One session of all strategies in machine code: one strategy after another, minute by minute.

Everything is a whole number: prices and dollars in the steps of `scale.py`, quantities in
ten-thousandths. A quotient of two products is estimated by a float and corrected by its remainder,
which is small and therefore exact in 64 bits even where the products are not. A number that may not
fit ends the play with a negative count.
"""

from __future__ import annotations

from coordinator.backtest.compiled.layout import (
    BUY,
    DENIED,
    LOSS,
    NOTHING,
    SELL,
    SIGNAL,
    STOP,
    TARGET,
    TRADES,
    Inputs,
    State,
)
from coordinator.backtest.compiled.machine_code import bare, part

FULL, UNFIT = -1, -2
"""Counts that say why a play ended: the log is full, or 64 bits are too few."""
_MOST = 1 << 60
_NEVER = 1 << 62
_CASH, _VALUE, _AVAILABLE, _ENTRIES, _STOPPED, _PEAK, _LOW = 0, 1, 2, 3, 4, 5, 6
"""Places in `running`, a strategy's running figures; `_AVAILABLE` is the minute's cash."""
RUNNING = 7
"""The number of running figures."""


@bare
def play(inputs: Inputs, state: State) -> int:
    """Play the session; return the number of lines in the log."""
    of, held, day, running = inputs.seats.of, state.held, state.day, state.running
    count = 0
    for strategy in range(len(held.cash)):
        if not _begin(strategy, inputs, state):
            return UNFIT
        if of[strategy + 1] - of[strategy] == 1:
            count = _play_one_ticker(strategy, inputs, state, count)
        else:
            count = _play_many(strategy, inputs, state, count)
        if count < 0:
            return count
        _track(strategy, running[_CASH] + running[_VALUE], state)
        held.cash[strategy] = running[_CASH]
        day.entries[strategy], day.stopped[strategy] = running[_ENTRIES], running[_STOPPED]
    return count


@part
def _begin(strategy: int, inputs: Inputs, state: State) -> bool:
    """Begin a strategy's session; False if a number may become too large."""
    span, seats = inputs.span, inputs.seats
    held, notes, running = state.held, state.notes, state.running
    first, opened, value = seats.of[strategy], 0, 0
    for seat in range(first, seats.of[strategy + 1]):
        own, ticker = seat - first, seats.ticker[seat]
        notes.cursor[own], notes.denied[own] = span.begin[ticker], 0
        notes.mark[own] = span.before[ticker]
        qty = held.qty[seat]
        if qty:
            if not _set_exits(strategy, seat, own, inputs, state):
                return False
            if qty >= _MOST // (span.top[ticker] * (seats.of[strategy + 1] - first)):
                return False
            opened += qty * span.opened[ticker]
            value += qty * span.before[ticker]
    cash, day = held.cash[strategy], state.day
    running[_CASH], running[_VALUE], running[_ENTRIES], running[_STOPPED] = cash, value, 0, 0
    day.baseline[strategy] = running[_PEAK] = running[_LOW] = cash + opened
    day.peak[strategy] = day.trough[strategy] = 1
    day.realized[strategy] = day.fills[strategy] = 0
    day.lowest[strategy] = min(cash, 0)
    return bool(-_MOST < cash < _MOST and cash + opened > 0)


@part
def _play_one_ticker(strategy: int, inputs: Inputs, state: State, count: int) -> int:
    """Play bar by bar; equity is tracked at each bar, and in the minute after an order."""
    seat, closing, running = inputs.seats.of[strategy], inputs.terms.closing, state.running
    ticker, at = inputs.seats.ticker[seat], inputs.seats.at[seat]
    begin, last = inputs.span.begin[ticker], inputs.span.last[ticker]
    warm, loss = begin + inputs.seats.warm[seat], inputs.limits.loss[strategy]
    close_of, minute_of, signals = inputs.bars.close, inputs.bars.minute, inputs.signals
    due = inputs.terms.first
    for place in range(begin, inputs.span.end[ticker]):
        minute, close, qty = minute_of[place], close_of[place], state.held.qty[seat]
        if due < minute:
            _track(strategy, running[_CASH] + running[_VALUE], state)
        due = _NEVER
        running[_VALUE] = qty * close
        equity = running[_CASH] + running[_VALUE]
        if minute != closing:
            _track(strategy, equity, state)
        if 0 <= loss <= state.day.baseline[strategy] - equity:
            running[_STOPPED] = 1
        if place > last:
            continue
        signal = signals[at + place - begin] if place >= warm else 0
        if not _may_order(qty, signal, close, state.notes.floor[0], state.notes.ceiling[0]):
            continue
        running[_AVAILABLE], state.notes.mark[0], begun = running[_CASH], close, count
        count = _order(strategy, seat, place, equity, inputs, state, count)
        if count < 0:
            return count
        if count > begun:
            due = minute + 1
            if not _fill(strategy, begun, count, inputs, state):
                return UNFIT
    return count


@part
def _play_many(strategy: int, inputs: Inputs, state: State, count: int) -> int:
    """Play minute by minute, each in the order of the strategy's tickers."""
    bars, span, seats, signals, limits, terms = inputs
    first, behind = seats.of[strategy], seats.of[strategy + 1]
    cursors, running, qty_of = state.notes.cursor, state.running, state.held.qty
    baseline, loss = state.day.baseline[strategy], limits.loss[strategy]
    moved = True
    for minute in range(terms.first, terms.end):
        turned = False
        for seat in range(first, behind):
            place = cursors[seat - first]
            if place < span.end[seats.ticker[seat]] and bars.minute[place] == minute:
                _mark(seat, seat - first, bars.close[place], state)
                turned = True
        equity = running[_CASH] + running[_VALUE]
        if (turned or moved) and minute != terms.closing:
            _track(strategy, equity, state)
        moved = False
        if not turned:
            continue
        if 0 <= loss <= baseline - equity:
            running[_STOPPED] = 1
        running[_AVAILABLE], begun = running[_CASH], count
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
            floor, ceiling = state.notes.floor[own], state.notes.ceiling[own]
            if _may_order(qty_of[seat], signal, close, floor, ceiling):
                count = _order(strategy, seat, place, equity, inputs, state, count)
                if count < 0:
                    return count
        if count > begun:
            moved = True
            if not _fill(strategy, begun, count, inputs, state):
                return UNFIT
    return count


@part
def _mark(seat: int, own: int, close: int, state: State) -> None:
    state.running[_VALUE] += state.held.qty[seat] * (close - state.notes.mark[own])
    state.notes.mark[own] = close


@part
def _may_order(qty: int, signal: int, close: int, floor: int, ceiling: int) -> bool:
    """Whether an order may follow at a close."""
    if qty:
        return bool(signal < 0 or not floor < close < ceiling)
    return bool(signal > 0)


@part
def _order(
    strategy: int, seat: int, place: int, equity: int, inputs: Inputs, state: State, count: int
) -> int:
    """Decide at a bar and log the order, if any; return the number of lines in the log."""
    what, qty, why = _decide(strategy, seat, inputs.bars.close[place], equity, inputs, state)
    if what == NOTHING:
        return count
    log = state.log
    if count == len(log.seat):
        return FULL
    log.seat[count], log.place[count], log.what[count] = seat, place, what
    log.qty[count], log.why[count] = qty, why
    return count + 1


@part
def _decide(
    strategy: int, seat: int, close: int, equity: int, inputs: Inputs, state: State
) -> tuple[int, int, int]:
    """The side, quantity and reason of the order at a close: a sale if held, else an entry."""
    held, notes, running, limits = state.held, state.notes, state.running, inputs.limits
    own = seat - inputs.seats.of[strategy]
    if held.qty[seat]:
        notes.denied[own] = 0
        if close <= notes.floor[own]:
            return SELL, held.qty[seat], STOP
        return SELL, held.qty[seat], TARGET if close >= notes.ceiling[own] else SIGNAL
    size = limits.size[strategy]
    by_size, _ = _quotient(size[0], equity, size[1], close)
    by_cash, _ = _quotient(100, running[_AVAILABLE], 101, close)
    qty = min(by_size, by_cash)
    if qty == 0 or qty * close < inputs.terms.dollar:
        return NOTHING, 0, 0
    most = limits.entries[strategy]
    if running[_STOPPED] or 0 <= most <= running[_ENTRIES]:
        why = LOSS if running[_STOPPED] else TRADES
        repeated = notes.denied[own] == why
        notes.denied[own] = why
        return (NOTHING if repeated else DENIED), qty, why
    running[_AVAILABLE] -= qty * close
    running[_ENTRIES] += 1
    notes.denied[own] = 0
    return BUY, qty, SIGNAL


@part
def _fill(strategy: int, begun: int, count: int, inputs: Inputs, state: State) -> bool:
    """Book a minute's fills; False if a number may be too large."""
    bars, span, seats = inputs.bars, inputs.span, inputs.seats
    held, day, log, notes, running = state
    first, left = seats.of[strategy], running[_CASH]
    for line in range(begun, count):
        seat, place, qty = log.seat[line], log.place[line], log.qty[line]
        own = seat - first
        if log.what[line] == DENIED:
            continue
        day.fills[strategy] += 1
        if log.what[line] == BUY:
            if qty >= _MOST // (span.top[seats.ticker[seat]] * (seats.of[strategy + 1] - first)):
                return False
            paid = qty * bars.buy[place]
            left -= paid
            running[_CASH] -= paid
            running[_VALUE] += qty * notes.mark[own]
            held.qty[seat], held.cost[seat] = qty, paid
            day.lowest[strategy] = min(day.lowest[strategy], left)
            if not _set_exits(strategy, seat, own, inputs, state):
                return False
        else:
            earned = qty * bars.sell[place]
            running[_CASH] += earned
            running[_VALUE] -= qty * notes.mark[own]
            day.realized[strategy] += earned - held.cost[seat]
            held.qty[seat] = held.cost[seat] = 0
    return bool(running[_CASH] < _MOST)


@part
def _set_exits(strategy: int, seat: int, own: int, inputs: Inputs, state: State) -> bool:
    """Set the closes at which a position reaches its stop or target."""
    notes, limits = state.notes, inputs.limits
    qty, cost = state.held.qty[seat], state.held.cost[seat]
    notes.floor[own], notes.ceiling[own] = 0, _NEVER
    part, whole = limits.stop[strategy]
    if whole > 0:
        if float(whole) * qty >= _MOST:
            return False
        notes.floor[own], _ = _quotient(whole - part, cost, whole, qty)
    part, whole = limits.target[strategy]
    if whole > 0:
        if float(whole) * qty >= _MOST:
            return False
        found, rest = _quotient(whole + part, cost, whole, qty)
        notes.ceiling[own] = found + (rest > 0)
    return True


@part
def _quotient(factor: int, amount: int, divisor: int, price: int) -> tuple[int, int]:
    """Whole part and remainder of factor x amount / (divisor x price); 0 if not positive."""
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
def _track(strategy: int, equity: int, state: State) -> None:
    """Take a point of the equity curve into account, as a new peak or the deepest fall."""
    running, day = state.running, state.day
    if equity >= running[_PEAK]:
        running[_PEAK] = running[_LOW] = equity
    elif equity < running[_LOW]:
        running[_LOW] = equity
        if _less(equity, day.peak[strategy], day.trough[strategy], running[_PEAK]):
            day.trough[strategy], day.peak[strategy] = equity, running[_PEAK]


@part
def _less(a: int, b: int, c: int, d: int) -> bool:
    """Whether a x b < c x d, for numbers from 0 to 2^62; in 128 bits if a float is not sure."""
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
