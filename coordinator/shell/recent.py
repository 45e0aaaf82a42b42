"""Keeps the last lines of the log, for observers of a session."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

KEPT, LONGEST = 30, 300
"""Lines that are kept, and characters of each."""


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the log, at `at` of the local clock."""

    at: datetime
    level: str
    said: str


class Recent(logging.Handler):
    """Keeps the newest lines of INFO and above, in constant memory."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self._kept: deque[Event] = deque(maxlen=KEPT)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line, unless it is blank or a rule."""
        said = record.getMessage().strip()[:LONGEST]
        if said.strip("="):
            at = datetime.fromtimestamp(record.created, UTC)
            self._kept.append(Event(at, record.levelname, said))

    @property
    def events(self) -> tuple[Event, ...]:
        """The kept lines, oldest first."""
        return tuple(self._kept)


@contextmanager
def recent(log: logging.Logger) -> Iterator[Recent]:
    """Keep a logger's last lines while the context lasts."""
    kept = Recent()
    log.addHandler(kept)
    try:
        yield kept
    finally:
        log.removeHandler(kept)
