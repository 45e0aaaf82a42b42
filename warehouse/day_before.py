"""The day before a session: the equity and positions with which the session must begin.

It is the last session of the same coordinator. Nothing is known of it if another coordinator has
run one of the strategies meanwhile, or if the warehouse's rows may differ from the journal by now.
UNASSIGNED belongs to all coordinators of an account at once, so its days have no order.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import duckdb

from warehouse.write import read_record


@runtime_checkable
class Following(Protocol):
    """A source that knows its coordinator's session before, and that session's mark."""

    @property
    def follows(self) -> tuple[str, str] | None:
        """(session id, mark) of the session before.

        None for a first one, or if another coordinator has run one of the strategies meanwhile.
        """


_LAST = """
    SELECT s.session_id FROM new_sessions AS mine JOIN sessions AS s
      ON s.account = mine.account AND s.mode = mine.mode AND s.coordinator = mine.coordinator
     AND s.session_id <> mine.session_id AND s.opened_at < mine.opened_at
    ORDER BY s.opened_at DESC, s.session_id DESC LIMIT 1
"""
_DAY_BEFORE = """
    CREATE OR REPLACE TEMP TABLE day_before AS
    SELECT session_id, p.strategy, p.end_equity, coalesce(v.details = 'none', false) AS is_bare
    FROM pnl_daily AS p LEFT JOIN variants AS v USING (session_id, strategy)
    WHERE session_id = $1 AND p.strategy <> 'UNASSIGNED'
"""


def find_day_before(connection: duckdb.DuckDBPyConnection, source: object) -> None:
    """Makes the temporary table `day_before`: each strategy's end of the session before.

    The session's own frames must be registered as `new_<table>`. The table is empty if nothing is
    known.
    """
    connection.execute(_DAY_BEFORE, [_known_before(connection, source)])


def _known_before(connection: duckdb.DuckDBPyConnection, source: object) -> str | None:
    """The session before, if the warehouse holds all of it in its current state."""
    mark: str | None = None
    if isinstance(source, Following):
        if source.follows is None:
            return None
        name, mark = source.follows
    else:
        found = connection.execute(_LAST).fetchall()
        if not found:
            return None
        name = found[0][0]
    record = read_record(connection, name)
    whole = record is not None and record.status == "loaded" and mark in (None, record.mark)
    return name if whole else None
