"""Lanes of a strategy that joins a session: fed beside the loop, and taken up by it as they stand.

Fed again with the same bars, such a lane says what it said, and asks nobody; from the first other
bar on it asks its process, which stands where those bars led it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from coordinator.shell.strategy_process import StrategyHung

REHEARSAL_S = 45.0
"""Local seconds in which all lanes of a strategy that joins must have taken their history."""

Step = Callable[[Any], Any]
"""Takes a bar, or the bars of a minute by ticker."""


class Rehearsal:
    """The lanes of one rule that are made while it lasts, and afterwards played again."""

    def __init__(self) -> None:
        self._takes: list[_Take] = []
        self._until_s: float | None = time.monotonic() + REHEARSAL_S

    def end(self) -> None:
        """From now on lanes that begin go on from those that were fed."""
        self._until_s = None

    def start(self, fresh: Callable[[], Step]) -> Step:
        """A step of a lane; `fresh` makes one that has seen nothing."""
        if self._until_s is None:
            return _Encore(self._takes, fresh).step
        take = _Take(fresh(), self._until_s)
        self._takes.append(take)
        return take.record


class _Take:
    """A lane, what it was fed and what it said."""

    def __init__(self, step: Step, until_s: float = 0.0) -> None:
        self.step = step
        self.fed: list[Any] = []
        self.said: list[Any] = []
        self._until_s = until_s

    def record(self, bars: Any) -> Any:
        if time.monotonic() > self._until_s:
            raise StrategyHung(f"it took more than {REHEARSAL_S:g} s for its history")
        answer = self.step(bars)
        self.fed.append(bars)
        self.said.append(answer)
        return answer


class _Encore:
    """A lane that is fed the same once more."""

    def __init__(self, takes: list[_Take], fresh: Callable[[], Step]) -> None:
        self._takes, self._fresh = takes, fresh
        self._take: _Take | None = None
        self._at = 0

    def step(self, bars: Any) -> Any:
        take = self._take = self._take or self._chosen(bars)
        if self._at == len(take.fed):
            return take.step(bars)
        if take.fed[self._at] != bars:
            take = self._take = self._begun_again(take)
            return take.step(bars)
        self._at += 1
        said = take.said[self._at - 1]
        if self._at == len(take.fed):  # nobody asks for these any more
            self._take, self._at = _Take(take.step), 0
        return said

    def explain(self, *ticker: str) -> dict[str, object]:
        """What the step says that it saw."""
        explain = getattr(
            getattr(self._take and self._take.step, "__self__", None), "explain", None
        )
        return dict(explain(*ticker)) if explain is not None else {}

    def _chosen(self, bars: Any) -> _Take:
        """The one that began with these bars; else one that has seen none."""
        for take in self._takes:
            if take.fed and take.fed[0] == bars:
                self._takes.remove(take)
                return take
        return _Take(self._fresh())

    def _begun_again(self, take: _Take) -> _Take:
        """What it was fed has turned out otherwise, as by a correction."""
        step = self._fresh()
        for bars in take.fed[: self._at]:
            step(bars)
        self._at = 0
        return _Take(step)
