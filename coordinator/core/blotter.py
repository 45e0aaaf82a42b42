"""What follows from the message at hand, as it is decided: records, by which the books change at
once, and the commands that may be carried out when these are durable.
"""

from __future__ import annotations

from coordinator.core import messages as m
from coordinator.core import records as r
from coordinator.core.books import Books


class Blotter:
    """Whoever decides writes here. Call inside the EXACT decimal context."""

    def __init__(self, books: Books) -> None:
        self.books = books
        self.out = m.Outcome()

    def begin(self) -> None:
        """Another message is at hand: a new page."""
        self.out = m.Outcome()

    def record(self, record: r.Record) -> None:
        """Let a record change the books, and hand it out to be kept."""
        self.books.apply(record)
        self.out.records.append(record)

    def command(self, command: m.Command) -> None:
        """Hand out what is to be done."""
        self.out.commands.append(command)
