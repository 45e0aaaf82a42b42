"""Malformed messages of the broker: counted, and logged briefly and rarely.

However many there are and however large, they cost a line of the log now and then.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from reprlib import Repr

log = logging.getLogger("coordinator")
TELL_EVERY_S = 10.0
"""Local seconds between two lines about garbage."""

MOST_CHARACTERS, MOST_IN_ALL = 80, 400
_shortened = Repr()
_shortened.maxstring = _shortened.maxother = _shortened.maxlong = MOST_CHARACTERS
_shortened.maxdict, _shortened.maxlevel = 12, 3


def shown(value: object) -> str:
    """A value of the broker's for the log: short and on one line, however large and deep."""
    if isinstance(value, str | bytes):
        value = value[: 2 * MOST_CHARACTERS]  # before it is quoted
    try:
        text = _shortened.repr(value)
    except ValueError:  # an integer of more digits than Python converts
        return f"a huge {type(value).__name__}"
    return text if len(text) <= MOST_IN_ALL else f"{text[:MOST_IN_ALL]}..."


class Garbage:
    """Counts dropped messages; logs the first at once, then at most one every TELL_EVERY_S."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self.count = 0
        self._monotonic = monotonic
        self._told, self._told_s = 0, float("-inf")

    def drop(self, what: str) -> bool:
        """Count a dropped message; returns whether it was logged, and so deserves a reaction."""
        self.count += 1
        if self._monotonic() - self._told_s < TELL_EVERY_S:
            return False
        self._tell(what)
        return True

    def tell_rest(self) -> None:
        """Log how much was dropped since the last line, if anything was."""
        if self.count > self._told:
            self._tell("the last of a flood")

    def _tell(self, what: str) -> None:
        more = self.count - self._told - 1
        also = f" (and {more:,} before it)" if more else ""
        log.warning("dropped, not understood: %s%s", what, also)
        self._told, self._told_s = self.count, self._monotonic()
