"""One strategy's day: where it began, and what its daily limits have used up."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal


@dataclass(slots=True)
class Day:
    """One strategy's day: its baseline and what its daily limits have used up."""

    start_equity: Decimal
    transferred_before: Decimal
    date: date | None = None
    entries: int = 0
    stopped: str = ""
    entered: set[tuple[datetime, str]] = field(default_factory=set)
    """The minute's entries by time and ticker: what a cross leaves to order is the same entry."""

    def enters(self, at: datetime, symbol: str) -> bool:
        """Count an entry; False if it was counted already."""
        self.entered = {entry for entry in self.entered if entry[0] == at}
        if (at, symbol) in self.entered:
            return False
        self.entered.add((at, symbol))
        self.entries += 1
        return True
