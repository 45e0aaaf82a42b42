"""Lanes of a strategy that joins a session: fed beside the loop, and taken up by it as they stand.

Fed again with the same bars, such a lane says what it said, and asks nobody; from the first bar
after them on it asks its process, which stands where those bars led it. While the loop takes them
up, all lanes that join have TAKE_UP_S for that. A lane that is fed something else fails: nothing is
ever fed anew on the loop.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Hashable
from typing import Any

from coordinator.core.lane import explain_of
from coordinator.shell.strategy_process import StrategyFault, StrategyHung

REHEARSAL_S = 45.0
"""Local seconds in which all lanes of a strategy that joins must have taken their history."""
TAKE_UP_S = 2.0
"""Local seconds in which all lanes that join must have taken what came after their rehearsal."""
AGAIN = "it begins anew at the next session"

Step = Callable[[Any], Any]
"""Takes a bar, or the bars of a minute by ticker."""


class HistoryDiffers(StrategyFault):
    """A lane that joins is fed other bars than those that it was rehearsed with."""


class TakeUp:
    """The time that a loop has for all lanes of a reload, while it takes them up."""

    def __init__(self) -> None:
        self._left_s: float | None = None

    def begin(self) -> None:
        """A lane is taken up; on a loop, all that is fed before the loop turns belongs to it."""
        if self._left_s is None:
            try:
                asyncio.get_running_loop().call_soon(self._end)
            except RuntimeError:  # nobody waits
                return
            self._left_s = TAKE_UP_S

    def ask(self, step: Step, bars: Any) -> Any:
        """What the step answers.

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
    """The lanes of one rule that are made while it lasts, and afterwards played again.

    `differs`: one of them was fed otherwise the next time, so that all must be made anew.
    """

    def __init__(self, take_up: TakeUp) -> None:
        self.differs = False
        self._takes: list[_Take] = []
        self._free: list[_Take] = []
        self._take_up = take_up
        self._until_s: float | None = None
        self._is_first = True

    def begin(self) -> None:
        """Lanes that begin from now on are rehearsed, from where they stand."""
        self._until_s, self._free = time.monotonic() + REHEARSAL_S, list(self._takes)

    def end(self) -> None:
        """Lanes that begin from now on are taken up."""
        self._until_s, self._free, self._is_first = None, list(self._takes), False

    def start(self, key: Hashable, fresh: Callable[[], Step]) -> Step:
        """A step of a lane on `key`; `fresh` makes one that has seen nothing."""
        if self._is_first:
            take = _Take(key, fresh())
            self._takes.append(take)
            return _Played(self, key, take).step
        if self._until_s is None:
            self._take_up.begin()
        return _Played(self, key).step

    def chosen(self, key: Hashable, bars: Any) -> _Take:
        """The lane that began with these bars; else one that has seen none."""
        free = [take for take in self._free if take.key == key]
        begun = [take for take in free if take.fed and take.fed[0] == bars]
        for take in (*begun, *(take for take in free if not take.fed)):
            self._free.remove(take)
            return take
        raise self.otherwise()

    def go_on(self, take: _Take, bars: Any) -> Any:
        """What it says to bars that it has not seen."""
        if self._until_s is None:
            take.fed, take.said = [], []  # nobody asks for these any more
            return self._take_up.ask(take.step, bars)
        if time.monotonic() > self._until_s:
            raise StrategyHung(f"it took more than {REHEARSAL_S:g} s for its history")
        answer = take.step(bars)
        take.fed.append(bars)
        take.said.append(answer)
        return answer

    def otherwise(self) -> HistoryDiffers:
        """It is fed something else than it was rehearsed with, as by a correction."""
        self.differs = True
        return HistoryDiffers(f"its bars have changed since it was rehearsed; {AGAIN}")


class _Take:
    """A lane on `key`, what it was fed and what it said."""

    def __init__(self, key: Hashable, step: Step) -> None:
        self.key, self.step = key, step
        self.fed: list[Any] = []
        self.said: list[Any] = []


class _Played:
    """A lane as whoever feeds it sees it."""

    def __init__(self, rehearsal: Rehearsal, key: Hashable, take: _Take | None = None) -> None:
        self._rehearsal, self._key, self._take = rehearsal, key, take
        self._at = 0

    def step(self, bars: Any) -> Any:
        take = self._take = self._take or self._rehearsal.chosen(self._key, bars)
        if self._at == len(take.fed):
            try:
                return self._rehearsal.go_on(take, bars)
            finally:
                self._at = len(take.fed)
        if take.fed[self._at] != bars:
            raise self._rehearsal.otherwise()
        self._at += 1
        return take.said[self._at - 1]

    def explain(self, *ticker: str) -> dict[str, object]:
        """What the step says that it saw."""
        explain = None if self._take is None else explain_of(self._take.step)
        return dict(explain(*ticker)) if explain is not None else {}
