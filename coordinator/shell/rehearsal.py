"""A strategy that joins a session is fed its history beside the loop, before the loop takes it up.

When the loop feeds its lanes the same bars, they replay their recorded answers without asking the
strategy's process; from the first newer bar on they ask the process, which has seen those bars.
All joining lanes together have TAKE_UP_S for the newer bars. A lane that is fed other bars fails:
history is never computed anew on the loop.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Hashable
from typing import Any

from coordinator.core.lane import explain_of
from coordinator.shell.strategy_process import StrategyFault, StrategyHung

REHEARSAL_S = 45.0
"""Local seconds in which all lanes of a joining strategy must have answered to their history."""
TAKE_UP_S = 2.0
"""Local seconds in which all joining lanes must have answered to bars after their rehearsal."""
AGAIN = "it begins anew at the next session"

Step = Callable[[Any], Any]
"""Takes a bar, or the bars of a minute by ticker."""


class HistoryDiffers(StrategyFault):
    """A joining lane is fed other bars than those that it was rehearsed with."""


class TakeUp:
    """The time that the loop has for all lanes of a reload while it takes them up."""

    def __init__(self) -> None:
        self._left_s: float | None = None

    def begin(self) -> None:
        """A lane is taken up: the time is for all that is fed before the loop's next turn."""
        if self._left_s is None:
            try:
                asyncio.get_running_loop().call_soon(self._end)
            except RuntimeError:  # no loop waits
                return
            self._left_s = TAKE_UP_S

    def ask(self, step: Step, bars: Any) -> Any:
        """The step's answer.

        Raises:
            StrategyHung: there is no time left to ask.
        """
        if self._left_s is None:
            return step(bars)
        if self._left_s <= 0:
            raise StrategyHung(
                f"the session waits no longer than {TAKE_UP_S:g} s for all who join it, and newer"
                f" bars than those of the rehearsal took that long; {AGAIN}"
            )
        began_s = time.monotonic()
        try:
            return step(bars)
        finally:
            self._left_s -= time.monotonic() - began_s

    def _end(self) -> None:
        self._left_s = None


class Rehearsal:
    """Records the lanes of one rule while it lasts, and replays them afterwards.

    `differs`: a lane was fed other bars in a replay, so that all must be recorded anew.
    """

    def __init__(self, take_up: TakeUp) -> None:
        self.differs = False
        self._recordings: list[_Recording] = []
        self._free: list[_Recording] = []
        self._take_up = take_up
        self._until_s: float | None = None
        self._is_first = True

    def begin(self) -> None:
        """Lanes that start from now on are recorded, after what was recorded before."""
        self._until_s, self._free = time.monotonic() + REHEARSAL_S, list(self._recordings)

    def end(self) -> None:
        """Lanes that start from now on are taken up."""
        self._until_s, self._free, self._is_first = None, list(self._recordings), False

    def start(self, key: Hashable, fresh: Callable[[], Step]) -> Step:
        """The step of a lane on `key`; `fresh` makes one that has seen no bars."""
        if self._is_first:
            recording = _Recording(key, fresh())
            self._recordings.append(recording)
            return _Lane(self, key, recording).step
        if self._until_s is None:
            self._take_up.begin()
        return _Lane(self, key).step

    def claim(self, key: Hashable, bars: Any) -> _Recording:
        """A recording on `key` that begins with these bars, else an empty one; each only once."""
        free = [one for one in self._free if one.key == key]
        begun = [one for one in free if one.fed and one.fed[0] == bars]
        for recording in (*begun, *(one for one in free if not one.fed)):
            self._free.remove(recording)
            return recording
        raise self.differing()

    def go_on(self, recording: _Recording, bars: Any) -> Any:
        """The answer to bars that follow the recorded ones."""
        if self._until_s is None:
            recording.fed, recording.answers = [], []  # they are not replayed any more
            return self._take_up.ask(recording.step, bars)
        if time.monotonic() > self._until_s:
            raise StrategyHung(f"it took more than {REHEARSAL_S:g} s for its history")
        answer = recording.step(bars)
        recording.fed.append(bars)
        recording.answers.append(answer)
        return answer

    def differing(self) -> HistoryDiffers:
        """A lane is fed other bars than were recorded, for instance corrected ones."""
        self.differs = True
        return HistoryDiffers(f"its bars have changed since it was rehearsed; {AGAIN}")


class _Recording:
    """The step of a lane on `key`, the bars that it was fed, and its answers."""

    def __init__(self, key: Hashable, step: Step) -> None:
        self.key, self.step = key, step
        self.fed: list[Any] = []
        self.answers: list[Any] = []


class _Lane:
    """A lane as the engine sees it: it replays a recording, and then goes on."""

    def __init__(
        self, rehearsal: Rehearsal, key: Hashable, recording: _Recording | None = None
    ) -> None:
        self._rehearsal, self._key, self._recording = rehearsal, key, recording
        self._at = 0

    def step(self, bars: Any) -> Any:
        recording = self._recording = self._recording or self._rehearsal.claim(self._key, bars)
        if self._at == len(recording.fed):
            try:
                return self._rehearsal.go_on(recording, bars)
            finally:
                self._at = len(recording.fed)
        if recording.fed[self._at] != bars:
            raise self._rehearsal.differing()
        self._at += 1
        return recording.answers[self._at - 1]

    def explain(self, *ticker: str) -> dict[str, object]:
        """The step's own explanation of its last bars; empty if it has none."""
        explain = None if self._recording is None else explain_of(self._recording.step)
        return dict(explain(*ticker)) if explain is not None else {}
