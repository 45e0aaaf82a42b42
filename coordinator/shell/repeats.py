"""Decides which log lines are written while the same thing happens every few seconds."""

from __future__ import annotations

from collections.abc import Callable

EVERY_S = 60.0
"""Local seconds for which a line that was said is not said again."""


class Repeats:
    """Lets each line through at once, and while it repeats itself once in EVERY_S.

    An outage of the broker would otherwise fill the terminal, and push out of `top` and the log
    files what came before it.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._said_s: dict[str, float] = {}
        self._held_back: dict[str, int] = {}

    def told(self, line: str) -> str | None:
        """The line as it is to be said now, with how often it was held back; None holds it back."""
        now_s = self._monotonic()
        if now_s - self._said_s.get(line, -EVERY_S) < EVERY_S:
            self._held_back[line] = self._held_back.get(line, 0) + 1
            return None
        self._said_s = {old: at_s for old, at_s in self._said_s.items() if now_s - at_s < EVERY_S}
        self._said_s[line] = now_s
        held_back = self._held_back.pop(line, 0)
        self._held_back = {old: n for old, n in self._held_back.items() if old in self._said_s}
        times = "once" if held_back == 1 else f"{held_back:,} times"
        return f"{line} (and {times} since it was last said)" if held_back else line
