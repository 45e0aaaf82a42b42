"""The rows of a journal: their content, and the hash that chains each to the row before it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from coordinator.core.codec import decode_all
from coordinator.core.records import Record
from coordinator.errors import JournalDamaged

Row = tuple[int, str, str, str, str, str]
"""A row as it is stored: seq, coordinator, session_id, kind, body, hash."""
GENESIS = hashlib.sha256(b"multi-trader journal").hexdigest()
"""The hash before the first row."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One record of the journal with the number of its row, which other records may share."""

    seq: int
    coordinator: str
    session_id: str
    record: Record


def entries_of(seq: int, coordinator: str, session_id: str, kind: str, body: str) -> list[Entry]:
    """The entries of a row, in order; usually there is one.

    Raises:
        ValueError: the row cannot be decoded.
    """
    try:
        records = decode_all(kind, body)
    except (KeyError, TypeError) as error:
        raise ValueError(f"record {seq} cannot be read: {error!r}") from error
    return [Entry(seq, coordinator, session_id, record) for record in records]


class End(NamedTuple):
    """The number and hash of the last row that was read or written."""

    seq: int = 0
    hash: str = GENESIS

    def then(self, row: Row, path: Path) -> End:
        """The end after the next row, which was read from the file at `path`.

        Raises:
            JournalDamaged: it is not the one that was written after this end.
        """
        seq, *parts, digest = row
        if seq != self.seq + 1 or digest != chained(self.hash, seq, *parts):
            raise broken(path, seq, self.seq)
        return End(seq, digest)

    def next_row(self, coordinator: str, session_id: str, kind: str, body: str) -> Row:
        """The row to write after this end."""
        seq = self.seq + 1
        digest = chained(self.hash, seq, coordinator, session_id, kind, body)
        return seq, coordinator, session_id, kind, body, digest


def chained(previous: str, seq: int, *parts: str) -> str:
    """The hash of a row: of its own parts, and of the row before it."""
    text = "\x1f".join(map(str, (previous, seq, *parts)))  # a damaged row may lack a part
    return hashlib.sha256(text.encode()).hexdigest()


def broken(path: Path, seq: int, before: int) -> JournalDamaged:
    """The error for a row that is not the one that was written after row `before`."""
    return JournalDamaged(
        f"{path}: record {seq} does not follow record {before}: the journal was changed or"
        " damaged. Nothing is traded on it; restore the file from a backup, or move it away to"
        " start new books from the broker's account."
    )


def unusable(path: Path, error: Exception) -> JournalDamaged:
    """The error for a file that is no journal, or that SQLite cannot read."""
    return JournalDamaged(
        f"{path} cannot be used as a journal ({error}). Nothing is traded without it;"
        " restore it from a backup, or move it away to start new books."
    )
