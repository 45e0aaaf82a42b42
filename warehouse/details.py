"""Adds the details of a sweep's best variants to sessions that were loaded without them.

The whole session is loaded again, so all checks of a load apply: the variants' details, from
playing them once more, must sum to their days of the first run.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping

from warehouse.frames import Rows
from warehouse.load import LoadResult, SessionRows, load_session
from warehouse.store import Store
from warehouse.write import for_each_table, read_record

_STORED = for_each_table(
    "SELECT * FROM $table WHERE session_id = ?",
    ("sessions", "strategies", "pnl_daily", "discrepancies", "variants", "faults"),
)
_STORED["discrepancies"] += " AND kind NOT IN ('journal', 'fill', 'fee')"
# The rows of UNASSIGNED, and details of other variants from an earlier call.
_OF_OTHERS = for_each_table(
    "SELECT * FROM $table WHERE session_id = ? AND NOT list_contains(?, strategy)",
    ("orders", "fills", "activities", "positions", "equity"),
)


class _InDetail:
    """A stored session with the details of some variants, as a SessionSource."""

    def __init__(
        self, store: Store, session_id: str, names: Collection[str], details: Mapping[str, Rows]
    ) -> None:
        self.session_id = session_id
        self._store = store
        self._names = frozenset(names)
        self._details = details

    @property
    def mark(self) -> str:
        """A mark of the stored rows and the added details."""
        with self._store.transaction() as connection:
            before = read_record(connection, self.session_id)
        content = repr((before and before.mark, sorted(self._names)))
        return hashlib.sha256(content.encode()).hexdigest()

    def rows(self) -> SessionRows:
        """The stored rows and the details together."""
        read, mine = self._store.rows, [self.session_id]
        stored = {name: read(sql, mine) for name, sql in _STORED.items()}
        names = sorted(self._names)
        stored |= {name: read(sql, [*mine, names]) for name, sql in _OF_OTHERS.items()}
        stored["variants"] = [
            {**row, "details": "kept"} if row["strategy"] in self._names else row
            for row in stored["variants"]
        ]
        added = {name: [*stored.get(name, []), *rows] for name, rows in self._details.items()}
        return {**stored, **added}


def add_details(
    store: Store, session_id: str, names: Collection[str], details: Mapping[str, Rows]
) -> LoadResult:
    """Adds the details of the variants `names` to a session that was loaded without them.

    Details of other variants that were added before stay; those of the same variants are replaced.
    `details` are the rows of bars, orders, fills, activities, positions and equity.
    Raises as `load_session` does.
    """
    return load_session(store, _InDetail(store, session_id, names, details), restates=False)
