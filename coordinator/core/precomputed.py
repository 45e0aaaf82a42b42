"""Signals of a whole history, found at once, for bars that are all known before they are played.

A rule that can judge a series whole has a method `over(series)`, beside `start`: the signal at each
bar, as its step would give it, or None where it cannot say so exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from coordinator.core.series import Series

Over = Callable[[Series], NDArray[np.int8] | None]


def over_of(rule: object) -> Over | None:
    """How a rule judges a series whole; None if it does not, or changed only how it steps."""
    for cls in type(rule).__mro__:
        if "over" in cls.__dict__:
            return cast(Over, getattr(rule, "over"))  # noqa: B009
        if "start" in cls.__dict__:
            return None
    return None


def precomputed_row(signals: NDArray[np.int8], to_come: int) -> NDArray[np.int8]:
    """The signal before the bars to come, 0 if there was none, and at each of them."""
    before = signals[-to_come - 1] if len(signals) > to_come else 0
    return np.concatenate((np.array([before], np.int8), signals[len(signals) - to_come :]))


class Precomputed:
    """What some lanes on a ticker say at its bars; `at` is the bar they stand at, 0 before all.

    `signals` has a row for each lane and a column for each place of `at`; `wishing` the rows that
    want something at each.
    """

    def __init__(self, starts: Sequence[Any], signals: Sequence[NDArray[np.int8]]) -> None:
        self.at = 0
        self.starts = [None, *starts]
        self.signals = [row.tolist() for row in signals]
        self.wishing: list[list[int]] = [[] for _ in self.starts]
        places, rows = np.nonzero(np.array(signals).T)
        for place, row in zip(places.tolist(), rows.tolist(), strict=True):
            self.wishing[place].append(row)

    def step(self, start: object) -> None:
        """Go on to the bar that starts then, which must be the next one."""
        self.at += 1
        assert self.starts[self.at] == start, f"a bar of {start} was not precomputed"
