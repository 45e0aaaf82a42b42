"""What is handed over of a session that was played: its rows, and how it was done."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import Enum

from coordinator.backtest import arrow
from coordinator.core.order_rows import Row

Tables = Mapping[str, Sequence[Row]]
"""Rows by table; those of which there are many as `arrow.ArrowRows`."""


class Means(Enum):
    """How a session is played, fastest first; the rows are the same."""

    COMPILED = "in machine code"
    AT_ONCE = "at once"
    BY_MESSAGE = "by message"


@dataclass(frozen=True, slots=True)
class PlayedSession:
    """A finished session, ready for the warehouse; `tell` makes the guide's summary at its end."""

    session_id: str
    session_date: date
    played: Tables
    tell: Callable[[], str] = field(default=str, compare=False)
    means: Means = Means.BY_MESSAGE

    def rows(self) -> Tables:
        """The session as the warehouse's rows, by table."""
        return self.played

    @property
    def faults(self) -> dict[str, str]:
        """By strategy: why it was not asked again, and opened nothing more that day."""
        return {str(row["strategy"]): str(row["reason"]) for row in self.played["faults"]}

    @property
    def summary(self) -> str:
        """The guide's summary, empty where there is none."""
        return self.tell()

    @property
    def mark(self) -> str:
        """A fingerprint of the rows: but for bars, which the account's name already stands for."""
        told = hashlib.sha256()
        for table, rows in self.played.items():
            if table != "bars":
                told.update(arrow.told(rows))
        return told.hexdigest()
