"""What the venue knows of one moment: time, calendar and tape."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import assert_never

from simulator.calendar import Calendar
from simulator.values import Bar, Ticket, TimeInForce

GTC_LIFE = timedelta(days=90)


def _never(symbol: str) -> None:
    """The symbol was never halted."""


@dataclass(frozen=True)
class Market:
    """What is known at one moment of broker time.

    last: the newest bar of a symbol that has ended. halted_until: when a symbol's newest halt ends
    or ended, None if it had none.
    """

    now: datetime
    calendar: Calendar
    last: Callable[[str], Bar | None]
    halted_until: Callable[[str], datetime | None] = _never

    def may_trade(self, ticket: Ticket, at: datetime | None = None) -> bool:
        """Whether an order may trade at that moment (None: now): pairs always, stocks in hours."""
        moment, extended = at or self.now, ticket.extended_hours
        return ticket.is_crypto or self.calendar.at(moment, extended=extended) is not None

    def quote(self, ticket: Ticket) -> Bar | None:
        """The bar whose close an order may meet now: for stocks, one of this session.

        None during a halt, and after it until a bar has been made.
        """
        bar, resumed = self.last(ticket.symbol), self.halted_until(ticket.symbol)
        if bar is None or (resumed is not None and bar.start < resumed):
            return None
        if ticket.is_crypto:
            return bar
        session = self.calendar.at(self.now, extended=ticket.extended_hours)
        if session is None or bar.start < session.hours(extended=ticket.extended_hours)[0]:
            return None
        return bar

    def expiry(self, ticket: Ticket) -> datetime | None:
        """When an order taken now would end by itself: at the day's end, or after 90 days."""
        match ticket.time_in_force:
            case TimeInForce.DAY:
                return self.calendar.next_close(self.now, extended=ticket.extended_hours)
            case TimeInForce.GTC:
                return self.now + GTC_LIFE
            case TimeInForce.IOC:
                return None
            case _:
                assert_never(ticket.time_in_force)
