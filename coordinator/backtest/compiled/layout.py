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


class Bars(NamedTuple):
    """Tickers' bars of the session, one after another; `minute` is a bar's place on the axis.

    By ticker: `begin`, `end`, `last` (the last bar that is decided on), the marks when the session
    `opened` and `before` its first bar, and the `top` price. `buy` and `sell` are fills' prices.
    """

    close: Whole
    buy: Whole
    sell: Whole
    minute: Whole
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
    """How many minutes there are, whether the end restates the last of them, and a dollar."""

    minutes: int
    restated: bool
    dollar: int


class Scene(NamedTuple):
    """All that a session is played with and does not change."""

    bars: Bars
    seats: Seats
    signals: Signs
    limits: Limits
    terms: Terms
