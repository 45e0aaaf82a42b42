"""What a session is for machine code: arrays by strategy, seat, ticker or bar, in whole numbers.

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


class Histories(NamedTuple):
    """Tickers' bars one after another: `begin`, the session's `first`, and `end`, by ticker.

    Closes are whole numbers of a unit of which a dollar has `dollar`; highs and lows, empty where
    nobody looks at them, of one `finer` times as fine; volumes of any. Of a ticker without
    `counted` the volumes are not known.
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
    """Rules: their lane forms in numbers, on which ticker, with how many bars of history.

    `bounds` are an RSI's, and `limits` the largest close, its distance from the first one, and
    volume.
    """

    kind: Whole
    whole: Whole
    bounds: Reals
    limits: Whole
    ticker: Whole
    history: Whole


class Bars(NamedTuple):
    """Tickers' bars, one after another; `minute` is a bar's place on the axis of all.

    `buy` and `sell` are fills' prices.
    """

    close: Whole
    buy: Whole
    sell: Whole
    minute: Whole


class Span(NamedTuple):
    """By ticker: its bars of the session are those from `begin` up to `end`.

    `last` is the last that is decided on. Beside them the marks when the session `opened` and
    `before` its first bar, and the `top` price.
    """

    begin: Whole
    end: Whole
    last: Whole
    opened: Whole
    before: Whole
    top: Whole


class Seats(NamedTuple):
    """A strategy's tickers are seats `of[s]` up to `of[s + 1]`.

    A seat's signals begin at `at`, and count from the bar `warm` of the session on.
    """

    of: Whole
    ticker: Whole
    warm: Whole
    at: Whole


class Limits(NamedTuple):
    """By strategy; ratios as numerator and denominator; -1 where there is no limit."""

    size: Table
    entries: Whole
    loss: Whole
    stop: Table
    target: Table


class Held(NamedTuple):
    """What a session begins and ends with: cash by strategy, quantity and cost by seat."""

    cash: Whole
    qty: Whole
    cost: Whole


class Day(NamedTuple):
    """What a day came to, by strategy: `lowest` is its cash, at zero or below.

    The deepest fall of its equity was from `peak` to `trough`.
    """

    baseline: Whole
    realized: Whole
    entries: Whole
    fills: Whole
    lowest: Whole
    peak: Whole
    trough: Whole


class Terms(NamedTuple):
    """The session's minutes are `first` up to `end`; the end restates `closing`, `end` if none.

    With them a dollar in steps.
    """

    first: int
    end: int
    closing: int
    dollar: int


class Scene(NamedTuple):
    """All that a session is played with and does not change."""

    bars: Bars
    span: Span
    seats: Seats
    signals: Signs
    limits: Limits
    terms: Terms


class Desk(NamedTuple):
    """What playing writes to; `notes` and `hand` are of the strategy whose turn it is."""

    held: Held
    day: Day
    log: Table
    notes: Table
    hand: Whole
