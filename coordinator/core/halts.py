"""What an operator orders, as the journal keeps it, and which strategies that has halted.

A halt is a strategy's, not a session's: it lasts over restarts and sessions until it is resumed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Killed:
    """Everything is to be cancelled and sold, and nothing bought until a Revived."""

    at: datetime
    by: str


@dataclass(frozen=True, slots=True)
class Revived:
    """Trading may go on after a kill."""

    at: datetime
    by: str


@dataclass(frozen=True, slots=True)
class Paused:
    """A strategy opens nothing until a Resumed; its exits, stops and targets go on."""

    at: datetime
    strategy: str
    by: str


@dataclass(frozen=True, slots=True)
class FlattenRequested:
    """A strategy's buys are to be cancelled, what it holds sold, and it is paused.

    Both last until a Resumed, so that what still fills is sold as well, and nothing is bought back.
    """

    at: datetime
    strategy: str
    by: str


@dataclass(frozen=True, slots=True)
class Resumed:
    """A strategy that was paused may open again."""

    at: datetime
    strategy: str
    by: str


@dataclass(slots=True)
class Halts:
    """Names of strategies: `paused` ones open nothing; those `leaving` are sold as well."""

    paused: set[str] = field(default_factory=set)
    leaving: set[str] = field(default_factory=set)

    def apply(self, record: Paused | FlattenRequested | Resumed) -> None:
        """Apply one record."""
        match record:
            case Paused():
                self.paused.add(record.strategy)
            case FlattenRequested():
                self.paused.add(record.strategy)
                self.leaving.add(record.strategy)
            case Resumed():
                self.paused.discard(record.strategy)
                self.leaving.discard(record.strategy)
