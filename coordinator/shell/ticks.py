"""The loop's ticks: when the next is due, and how late the loop was for one (its lag)."""

from __future__ import annotations

from collections.abc import Callable

REMEMBERED_S = 60.0
"""Local seconds for which a lag is remembered, at least; at most twice as long."""


class Ticks:
    """The loop's ticks, at most `every_s` local seconds apart while it keeps up."""

    def __init__(self, every_s: float, monotonic: Callable[[], float]) -> None:
        self._every_s = every_s
        self._monotonic = monotonic
        self._last_s = self._since_s = monotonic()
        self._worst_s = self._worst_before_s = 0.0

    @property
    def due_s(self) -> float:
        """Local time of the next one."""
        return self._last_s + self._every_s

    @property
    def is_due(self) -> bool:
        """Whether it is time for the next one."""
        return self._monotonic() >= self.due_s

    @property
    def lag_s(self) -> float:
        """By how many seconds the most delayed tick of the last minute was late; 0 if none was."""
        return max(self._worst_s, self._worst_before_s)

    def tick(self) -> None:
        """The loop ticks now."""
        now_s = self._monotonic()
        if now_s - self._since_s >= REMEMBERED_S:
            self._worst_before_s, self._worst_s, self._since_s = self._worst_s, 0.0, now_s
        self._worst_s = max(self._worst_s, now_s - self.due_s)
        self._last_s = now_s
