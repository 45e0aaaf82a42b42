"""A played session: its rows, and the means by which it was played."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import Enum

from coordinator.backtest import arrow
from coordinator.core.order_rows import Row

Tables = Mapping[str, Sequence[Row]]
"""Rows by table; large tables are `arrow.ArrowRows`."""


class Means(Enum):
    """How a session is played, fastest first; the rows are the same."""

    COMPILED = "in machine code"
    AT_ONCE = "at once"
    BY_MESSAGE = "by message"


@dataclass(frozen=True, slots=True)
class PlayedSession:
    """A finished session, ready for the warehouse; `summarize` makes the summary of its end."""

    session_id: str
    session_date: date
    played: Tables
    summarize: Callable[[], str] = field(default=str, compare=False)
    means: Means = Means.BY_MESSAGE

    def rows(self) -> Tables:
        """The session's rows for the warehouse, by table."""
        return self.played

    @property
    def faults(self) -> dict[str, str]:
        """By strategy: the fault for which it was stopped and opened nothing more that day."""
        return {str(row["strategy"]): str(row["reason"]) for row in self.played["faults"]}

    @property
    def summary(self) -> str:
        """The summary of the session's end, as a live one prints it; empty if there is none."""
        return self.summarize()

    @property
    def mark(self) -> str:
        """A fingerprint of the rows, without bars, which the account's name already identifies."""
        digest = hashlib.sha256()
        for table, rows in self.played.items():
            if table != "bars":
                digest.update(arrow.as_bytes(rows))
        return digest.hexdigest()
