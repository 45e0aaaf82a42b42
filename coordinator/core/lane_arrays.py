"""What compiled steps read and write, as arrays: of live lanes, and of rules over histories."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Whole = NDArray[np.int64]
Small = NDArray[np.int8]
Real = NDArray[np.float64]


class Tickers(NamedTuple):
    """By ticker: its lanes are those from `first[t]` up to `first[t + 1]`.

    A `ring` of closes and one of volumes (`lots`), of which the next place is `head`; the close
    that prices are counted from (`anchor`), and how many units of 1e-9 a tick has (`nano`).
    """

    first: Whole
    ring: Whole
    lots: Whole
    head: Whole
    anchor: Whole
    nano: Whole


class Lanes(NamedTuple):
    """By lane: its form in numbers (`real` are an RSI's bounds), and where it stands.

    Bars still to `skip`, and those `seen`; `sums` of windows, Wilder's averages, the RSI's `zone`
    and whether a float is in `doubt` of it, the `rest` of the votes, and the `signal`.
    """

    kind: Whole
    whole: Whole
    real: Real
    skip: Whole
    seen: Whole
    sums: Whole
    wilder: Real
    zone: Small
    doubt: Small
    rest: Small
    signal: Small


class Histories(NamedTuple):
    """Tickers' bars one after another: `begin`, the session's `first`, and `end`, by ticker.

    Closes and volumes are whole numbers of any unit; of a ticker without `counted` the volumes are
    not known.
    """

    closes: Whole
    volumes: Whole
    begin: Whole
    first: Whole
    end: Whole
    counted: NDArray[np.bool_]


class Rows(NamedTuple):
    """Rules: their lane forms in numbers, on which ticker, with how many bars of history.

    `bounds` are an RSI's, and `limits` the largest close, its distance from the first one, and
    volume.
    """

    kind: Whole
    whole: Whole
    bounds: Real
    limits: Whole
    ticker: Whole
    history: Whole
