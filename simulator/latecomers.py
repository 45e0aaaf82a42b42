"""Orders whose POST was answered before they were taken.

Rule: until its time nobody knows of an order; then it is taken as if it was just posted.
"""

from datetime import datetime

from simulator.values import Ticket


class Latecomers:
    """Tickets on their way, by the broker time at which each arrives."""

    def __init__(self) -> None:
        self._waiting: list[tuple[datetime, Ticket]] = []

    def expect(self, at: datetime, ticket: Ticket) -> None:
        """A ticket arrives at that time."""
        self._waiting.append((at, ticket))

    def due(self, now: datetime) -> list[Ticket]:
        """Those that have arrived by now, once each, in the order of their POSTs."""
        arrived = [ticket for at, ticket in self._waiting if at <= now]
        self._waiting = [(at, ticket) for at, ticket in self._waiting if at > now]
        return arrived
