"""One strategy's day: its baseline, and how much of its daily limits is used up."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal


@dataclass(slots=True)
class Day:
    """A day's baseline in dollars, and its entries; `stopped` is why it opens no more, if so."""

    start_equity: Decimal
    transferred_before: Decimal
    date: date | None = None
    entries: int = 0
    stopped: str = ""
    entered_at: datetime | None = None
    entered: set[str] = field(default_factory=set)
    """Tickers entered at `entered_at`: a cross and the order for its rest are one entry."""

    def pnl(self, equity: Decimal, transferred: Decimal) -> Decimal:
        """Dollars won since the baseline by a book worth `equity`, after `transferred` in all."""
        return equity - self.start_equity - (transferred - self.transferred_before)

    def count_entry(self, at: datetime, symbol: str) -> bool:
        """Count an entry; False if it was counted already."""
        if at != self.entered_at:
            self.entered_at, self.entered = at, set()
        if symbol in self.entered:
            return False
        self.entered.add(symbol)
        self.entries += 1
        return True
