"""A session for machine code: arrays by strategy, seat, ticker or bar, in whole numbers.

A seat is one strategy on one ticker. Prices are in steps of 1e-`prices` dollars, quantities in
ten-thousandths, and money in their products (`scale.py`).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Whole = NDArray[np.int64]
Table = NDArray[np.int64]
Signs = NDArray[np.int8]
Reals = NDArray[np.float64]
BUY, SELL, DENIED, NOTHING = range(4)
"""What is decided at a bar: an order's side, an entry that is denied, or nothing."""
SIGNAL, STOP, TARGET, LOSS, TRADES = range(5)
"""Why: the reason of an order, or of a denial."""


class Histories(NamedTuple):
    """Tickers' bars one after another: history from `begin`, session from `first`, both to `end`.

    Closes are whole numbers of 1 / `dollar` dollars; highs and lows (empty if no rule reads them)
    of a unit `finer` times as fine; volumes of any unit, and unknown for tickers that are not
    `counted`.
    """

    closes: Whole
    highs: Whole
    lows: Whole
    volumes: Whole
    begin: Whole
    first: Whole
    end: Whole
    counted: NDArray[np.bool_]
    dollar: float
    finer: int


class Rows(NamedTuple):
    """Rows: the numbers of a rule's lane form, its ticker, and its bars of history.

    `bounds` are an RSI's; `limits` are the largest close, distance from the first close, and volume
    that 64 bits allow.
    """

    kind: Whole
    whole: Whole
    bounds: Reals
    limits: Whole
    ticker: Whole
    history: Whole


class Bars(NamedTuple):
    """Tickers' bars, one after another; `minute` is a bar's place on the common axis.

    `buy` and `sell` are the prices at which orders fill.
    """

    close: Whole
    buy: Whole
    sell: Whole
    minute: Whole


class Span(NamedTuple):
    """By ticker: the session's bars are those from `begin` up to `end`.

    `last` is the last one that is decided on; `opened` and `before` are the marks at the opening
    and before the first bar, `top` is the highest possible price.
    """

    begin: Whole
    end: Whole
    last: Whole
    opened: Whole
    before: Whole
    top: Whole


class Seats(NamedTuple):
    """Strategy s has the seats `of[s]` up to `of[s + 1]`, one a ticker.

    A seat's signals begin at `at`, and count from the session's bar `warm` on.
    """

    of: Whole
    ticker: Whole
    warm: Whole
    at: Whole


class Limits(NamedTuple):
    """Limits by strategy; ratios are numerator and denominator; -1 means no limit."""

    size: Table
    entries: Whole
    loss: Whole
    stop: Table
    target: Table


class Held(NamedTuple):
    """The books at a session's start or end: cash by strategy, quantity and cost by seat."""

    cash: Whole
    qty: Whole
    cost: Whole


class Day(NamedTuple):
    """The results of a day by strategy: `lowest` is the lowest cash, or 0 if it stayed positive.

    `stopped` is 1 once the day's loss limit was reached. The deepest fall of equity was from `peak`
    to `trough`.
    """

    baseline: Whole
    realized: Whole
    entries: Whole
    stopped: Whole
    fills: Whole
    lowest: Whole
    peak: Whole
    trough: Whole


class Terms(NamedTuple):
    """The session's minutes are `first` up to `end`; `dollar` is a dollar in steps.

    The point of minute `closing` (`end` if none) is replaced by that of the session's end.
    """

    first: int
    end: int
    closing: int
    dollar: int


class Inputs(NamedTuple):
    """The constant inputs of a session."""

    bars: Bars
    span: Span
    seats: Seats
    signals: Signs
    limits: Limits
    terms: Terms


class Log(NamedTuple):
    """What was decided, strategy by strategy: seat, bar, order or denial, quantity, and reason."""

    seat: Whole
    place: Whole
    what: Whole
    qty: Whole
    why: Whole

    @classmethod
    def of(cls, room: int) -> Log:
        """A log with room for so many lines."""
        return cls(*np.empty((len(cls._fields), room), np.int64))

    def lines(self, which: Whole | slice) -> Log:
        """Some of its lines."""
        return Log(*(column[which] for column in self))


class Notes(NamedTuple):
    """By seat of the current strategy: next bar, mark, last denial's reason, stop and target."""

    cursor: Whole
    mark: Whole
    denied: Whole
    floor: Whole
    ceiling: Whole

    @classmethod
    def of(cls, seats: int) -> Notes:
        """Notes on so many seats."""
        return cls(*np.empty((len(cls._fields), seats), np.int64))


class State(NamedTuple):
    """The arrays that playing writes; `notes` and `running` belong to the current strategy."""

    held: Held
    day: Day
    log: Log
    notes: Notes
    running: Whole
