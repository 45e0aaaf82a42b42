"""The records of an operator's commands, and what they have halted.

A halt belongs to a strategy or to the account, not to a session: it outlasts restarts and sessions
until a Resumed or a Revived.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from coordinator.core.values import Denial


@dataclass(frozen=True, slots=True)
class Killed:
    """Everything is cancelled and sold, and nothing is bought until a Revived."""

    at: datetime
    by: str


@dataclass(frozen=True, slots=True)
class Revived:
    """Trading goes on after a kill."""

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
    """A strategy is paused, its buys are cancelled and its positions sold.

    This lasts until a Resumed, so that what still fills is sold too, and nothing is bought back.
    """

    at: datetime
    strategy: str
    by: str


@dataclass(frozen=True, slots=True)
class Resumed:
    """A paused or flattened strategy may open positions again."""

    at: datetime
    strategy: str
    by: str


@dataclass(slots=True)
class Halts:
    """Strategies by name: those `paused` open nothing; those `flattened` are sold as well.

    Of a `killed` account all are both.
    """

    killed: bool = False
    paused: set[str] = field(default_factory=set)
    flattened: set[str] = field(default_factory=set)

    def apply(self, record: Killed | Revived | Paused | FlattenRequested | Resumed) -> None:
        """Apply one record."""
        match record:
            case Killed() | Revived():
                self.killed = isinstance(record, Killed)
            case Paused():
                self.paused.add(record.strategy)
            case FlattenRequested():
                self.paused.add(record.strategy)
                self.flattened.add(record.strategy)
            case Resumed():
                self.paused.discard(record.strategy)
                self.flattened.discard(record.strategy)

    def denial(self, strategy: str) -> Denial | None:
        """Why a strategy may not open positions; None if it may."""
        paused = Denial.PAUSED if strategy in self.paused else None
        return Denial.KILLED if self.killed else paused

    def sells(self, strategy: str) -> bool:
        """Whether a strategy's positions are to be sold."""
        return self.killed or strategy in self.flattened
