"""Signals of a whole history, found at once, where all bars are known before they are played.

A rule that allows it has a method `over(series)` beside `start`: it returns the signal at each bar,
as its step would give it, or None where it cannot find it exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coordinator.core.lane_form import beside_start
from coordinator.core.series import Series

Over = Callable[[Series], NDArray[np.int8] | None]


def over_of(rule: object) -> Over | None:
    """The `over` of a rule; None if it has none."""
    found: Over | None = beside_start(rule, "over")
    return found


def precomputed_row(signals: NDArray[np.int8], to_come: int) -> NDArray[np.int8]:
    """The signal before the `to_come` last bars, 0 if none was before, and at each of them."""
    before = signals[-to_come - 1] if len(signals) > to_come else 0
    return np.concatenate((np.array([before], np.int8), signals[len(signals) - to_come :]))


class Precomputed:
    """The signals of some lanes at a ticker's bars; `at` is the current bar, 0 before the first.

    `signals` has a row for each lane and a column for each value of `at`; `signalling` has the rows
    with a signal other than 0 at each.
    """

    def __init__(self, starts: Sequence[Any], signals: Sequence[NDArray[np.int8]]) -> None:
        self.at = 0
        self.starts = [None, *starts]
        self.signals = [row.tolist() for row in signals]
        self.signalling: list[list[int]] = [[] for _ in self.starts]
        columns, rows = np.nonzero(np.array(signals).T)
        for at, row in zip(columns.tolist(), rows.tolist(), strict=True):
            self.signalling[at].append(row)

    def step(self, start: object) -> None:
        """Go on to the next bar, which must start then."""
        self.at += 1
        assert self.starts[self.at] == start, f"a bar of {start} was not precomputed"
