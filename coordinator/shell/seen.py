"""The bars that a session has taken in, as its journal has them, read beside whoever writes."""

from __future__ import annotations

from pathlib import Path

from coordinator.core import records as r
from coordinator.core.codec import decode
from coordinator.core.values import Bar
from coordinator.errors import JournalDamaged, StorageError
from coordinator.shell.journal_file import Reader

_QUERY = (
    "SELECT seq, kind, body FROM records WHERE session_id = ? AND seq > ?"
    " AND kind IN ('BarsSeen', 'HistorySeen') ORDER BY seq"
)


def bars_seen(path: Path, session_id: str, *, after: int) -> tuple[int, list[Bar]]:
    """The bars in a session's records behind number `after`, as they were decided on, in order.

    With them the number of the last of those records. Late corrections are left out.

    Raises:
        StorageError: the journal cannot be read.
    """
    try:
        with Reader(path) as connection:
            rows = connection.execute(_QUERY, (session_id, after)).fetchall()
    except JournalDamaged as error:
        raise StorageError(f"{path} could not be read ({error}); look at the disk") from error
    found: list[Bar] = []
    for _, kind, body in rows:
        match decode(kind, body):
            case r.BarsSeen(origin=r.Origin.CORRECTED):
                pass
            case r.BarsSeen() | r.HistorySeen() as record:
                found += record.bars
            case _:
                pass
    return (rows[-1][0] if rows else after), found
