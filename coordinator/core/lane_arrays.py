"""What compiled rules read, as arrays: histories, and rules over them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Whole = NDArray[np.int64]
Real = NDArray[np.float64]


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
