"""A bank's bars in turn: what the lanes say of them at once, the steps when there is time."""

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
    """What is known of the frames of certain tickers: which of their bars count, whom they concern,
    in what ticks they stand, and which of them the log keeps."""

    chosen: Sequence[int] | None
    pick: Pick
    scale: Scale
    logged: Ints
    columns: Ints


class Turns:
    """Has `steps` taken, and the closes kept that `log` wants."""

    def __init__(self, steps: Steps, log: Log) -> None:
        self._steps, self._log = steps, log
        self._ahead: Ahead | None = None
        self._owed: tuple[Frame, Ints, Ints] | None = None

    def step(self, frame: Frame, closes: Ints, volumes: Ints) -> None:
        """Let the lanes take a bar of each ticker. Nothing may be owed."""
        self._ahead = None
        rows = frame.pick.rows
        if len(frame.logged):
            now, exact = self._steps.head[rows], closes * self._steps.nano[rows]
            self._log.note(frame.columns, now[frame.logged], exact[frame.logged])
        self._steps.step(frame.pick, closes, volumes)

    def take(self, frame: Frame, closes: Ints, volumes: Ints) -> None:
        """Let the lanes say what they do of these bars; the step may be taken later."""
        ahead, self._ahead = self._ahead, None
        said = None if ahead is None else ahead.say(frame.pick, closes, volumes)
        if said is None:
            self.step(frame, closes, volumes)
        else:
            self._steps.signals[frame.pick.lanes] = said
            self._owed = frame, closes, volumes

    def forget(self) -> None:
        """What was seen ahead is not true any more."""
        self._ahead = None

    def catch_up(self) -> None:
        """Take the step that is owed."""
        if self._owed is not None:
            owed, self._owed = self._owed, None
            self.step(*owed)

    def look_ahead(self, floor: Ints, ceiling: Ints) -> None:
        """Find what the lanes will say next, between such closes of each ticker."""
        if self._ahead is None:
            self.catch_up()
            self._ahead = Ahead(self._steps, floor, ceiling)
