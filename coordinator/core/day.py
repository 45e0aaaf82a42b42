"""One strategy's day: its baseline, and how much of its daily limits is used up."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

from coordinator.core import records as r
from coordinator.core.orders import Order
from coordinator.core.values import Side


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

    def apply(self, record: r.DayRolled | r.EntriesStopped) -> None:
        """Begin the day anew, or open nothing more in it."""
        match record:
            case r.DayRolled():
                self.date, self.entries, self.stopped = record.day, 0, ""
            case r.EntriesStopped():
                self.stopped = record.reason

    @classmethod
    def begun(cls, opened: r.SessionOpened, opening: r.Opening, before: Day | None) -> Day:
        """The day with which a session opens a book; `before` is the one that the book had.

        What daily limits have used up stays until the day rolls. A day of this date, which began in
        another coordinator's session, goes on from its own baseline.
        """
        day = cls(opening.start_equity, opening.baseline_transferred)
        if before is None:
            return day
        if before.date == opened.session_date:
            day = cls(before.start_equity, before.transferred_before)
        day.date, day.entries, day.stopped = before.date, before.entries, before.stopped
        return day

    def use(self, order: Order, at: datetime) -> None:
        """Count an order that was intended at a time, if it is an entry and was not counted."""
        if order.side is Side.SELL:
            return
        if at != self.entered_at:
            self.entered_at, self.entered = at, set()
        if order.symbol not in self.entered:
            self.entered.add(order.symbol)
            self.entries += 1
            order.entry_day = self.date

    def recount(self, order: Order, *, was_entry: bool) -> None:
        """Return an entry that ended unfilled to its limit; a late fill uses it again."""
        if self.date == order.entry_day:
            self.entries += order.is_entry - was_entry
