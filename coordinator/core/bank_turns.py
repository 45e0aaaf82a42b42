"""Takes a bank's bars: the lanes answer at once, and are stepped when there is time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from coordinator.core.bank_ahead import Ahead
from coordinator.core.bank_layout import Ints, Pick
from coordinator.core.bank_log import Log
from coordinator.core.bank_steps import Steps
from coordinator.core.bank_ticks import Scale


@dataclass(frozen=True, slots=True)
class Frame:
    """What frames of the same tickers have in common.

    `chosen` are the places of the bars that count (None: all), `pick` the lanes they concern,
    `scale` their ticks; `logged` are the places of those that the log keeps, in its `columns`.
    """

    chosen: Sequence[int] | None
    pick: Pick
    scale: Scale
    logged: Ints
    columns: Ints


class Turns:
    """Takes the steps of `steps`, and notes in `log` the closes that it keeps.

    At most one step is owed: its signals are set, its state is not.
    """

    def __init__(self, steps: Steps, log: Log) -> None:
        self._steps, self._log = steps, log
        self._ahead: Ahead | None = None
        self._owed: tuple[Frame, Ints, Ints] | None = None

    def step(self, frame: Frame, closes: Ints, volumes: Ints) -> None:
        """Step the lanes with one bar of each ticker. No other step may be owed."""
        self._ahead = None
        rows = frame.pick.rows
        if len(frame.logged):
            now, exact = self._steps.head[rows], closes * self._steps.nano[rows]
            self._log.note(frame.columns, now[frame.logged], exact[frame.logged])
        self._steps.step(frame.pick, closes, volumes)

    def take(self, frame: Frame, closes: Ints, volumes: Ints) -> None:
        """Set the lanes' signals at these bars; the step itself may be owed."""
        ahead, self._ahead = self._ahead, None
        said = None if ahead is None else ahead.say(frame.pick, closes, volumes)
        if said is None:
            self.step(frame, closes, volumes)
        else:
            self._steps.signals[frame.pick.lanes] = said
            self._owed = frame, closes, volumes

    def forget(self) -> None:
        """Drop what was found ahead, which is not true any more."""
        self._ahead = None

    def catch_up(self) -> None:
        """Take the step that is owed."""
        if self._owed is not None:
            owed, self._owed = self._owed, None
            self.step(*owed)

    def look_ahead(self, floor: Ints, ceiling: Ints) -> None:
        """Find what the lanes say next, between these closes of each ticker."""
        if self._ahead is None:
            self.catch_up()
            self._ahead = Ahead(self._steps, floor, ceiling)
