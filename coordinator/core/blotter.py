"""What one message leads to: records, which change the books at once, and commands, which are
carried out once the records are durable.
"""

from __future__ import annotations

from coordinator.core import messages as m
from coordinator.core import records as r
from coordinator.core.books import Books


class Blotter:
    """Collects the outcome of one message. Call inside the EXACT decimal context."""

    def __init__(self, books: Books) -> None:
        self.books = books
        self.out = m.Outcome()

    def begin(self) -> None:
        """Start an empty outcome, for the next message."""
        self.out = m.Outcome()

    def record(self, record: r.Record) -> None:
        """Apply a record to the books, and keep it for the journal."""
        self.books.apply(record)
        self.out.records.append(record)

    def command(self, command: m.Command) -> None:
        """Keep a command, to be carried out once the records are durable."""
        self.out.commands.append(command)
