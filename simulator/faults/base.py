"""What all faults have in common: when they begin, how long they last, what they strike."""

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One entry of a script."""

    at: datetime


@dataclass(frozen=True, kw_only=True)
class Sudden(Fault):
    """Happens once, at a minute's end."""


@dataclass(frozen=True, kw_only=True)
class Lasting(Sudden):
    """Begins at a minute's end and ends at another. for_s: broker seconds."""

    for_s: float = 60.0

    @property
    def until(self) -> datetime:
        """When it ends."""
        return self.at + timedelta(seconds=self.for_s)


@dataclass(frozen=True, kw_only=True)
class Counted(Fault):
    """Strikes the next `times` messages or requests that fit."""

    times: int = 1

    def fits(self, *, event: str, method: str, path: str) -> bool:
        """Whether a message or request is one that it strikes."""
        return True


@dataclass(frozen=True, kw_only=True)
class OfUpdates(Counted):
    """Strikes trade updates. event: None: any."""

    event: str | None = None

    def fits(self, *, event: str, method: str, path: str) -> bool:
        """Whether the update is of the event asked for."""
        return self.event in (None, event)


@dataclass(frozen=True, kw_only=True)
class OfRequests(Counted):
    """Strikes requests. path: the beginning of one."""

    method: str | None = None
    path: str | None = None

    def fits(self, *, event: str, method: str, path: str) -> bool:
        """Whether the request is one of those asked for."""
        return self.method in (None, method) and path.startswith(self.path or "")
