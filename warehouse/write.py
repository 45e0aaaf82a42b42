"""Writes one session's accepted frames and refused rows; the caller holds the transaction.

SQL text never contains values, nor names other than those of the program's own tables.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from string import Template

import duckdb
import pyarrow as pa

from warehouse.frames import Frame, Rejection
from warehouse.json_values import row_as_json
from warehouse.schemas import MAY_BE_LEFT_OUT, TABLES

_DERIVED = ("equity_curve", "exposures", "slippages", "joined")


def for_each_table(statement: str, names: Iterable[str]) -> dict[str, str]:
    """The statement for each of these tables, whose name replaces $table."""
    return {name: Template(statement).substitute(table=name) for name in names}


_OF_SESSIONS = [name for name in TABLES if name != "bars"]
# Differences with the broker stay until it is queried again: no journal holds them.
_FORGET = for_each_table(
    "DELETE FROM $table WHERE session_id = $$1", [*_OF_SESSIONS, *_DERIVED, "quarantine"]
)
_FORGET["discrepancies"] += " AND kind NOT IN ('fill', 'fee')"
_INSERT = for_each_table(
    "INSERT INTO $table BY NAME SELECT * EXCLUDE (row_no) FROM new_$table", _OF_SESSIONS
)
# Bars belong to the account: corrected beats live beats backfill; between equals the later load.
_MERGE_BARS = """
    INSERT INTO bars BY NAME
    SELECT * EXCLUDE (row_no) FROM new_bars
    QUALIFY row_number() OVER (PARTITION BY account, feed, symbol, ts ORDER BY
        list_position(['corrected', 'live', 'backfill'], origin)) = 1
    ON CONFLICT DO UPDATE SET open = excluded.open, high = excluded.high, low = excluded.low,
        close = excluded.close, volume = excluded.volume, trade_count = excluded.trade_count,
        vwap = excluded.vwap, origin = excluded.origin
    WHERE list_position(['backfill', 'live', 'corrected'], excluded.origin)
       >= list_position(['backfill', 'live', 'corrected'], bars.origin)
"""
# Enough if all bars are new, as they are except after a restart or beside another coordinator.
_ADD_BARS = """
    INSERT INTO bars BY NAME SELECT * EXCLUDE (row_no) FROM new_bars ON CONFLICT DO NOTHING
"""
# Counts the bars that are stored now, unchanged or from a better origin.
_COUNT_BARS = """
    SELECT count(*) FROM new_bars AS n JOIN bars AS b USING (account, feed, symbol, ts)
    WHERE list_position(['backfill', 'live', 'corrected'], b.origin)
        > list_position(['backfill', 'live', 'corrected'], n.origin)
       OR (b.origin, b.open, b.high, b.low, b.close, b.volume, b.trade_count, b.vwap)
          IS NOT DISTINCT FROM
          (n.origin, n.open, n.high, n.low, n.close, n.volume, n.trade_count, n.vwap)
"""
_SUMS = for_each_table(
    "SELECT '$table', count(*), sum(hash(h))::TEXT "
    "FROM (SELECT * EXCLUDE (row_no) FROM new_$table) AS h",
    TABLES,
)
_QUARANTINE = pa.schema(
    [
        ("session_id", pa.string()),
        ("table_name", pa.string()),
        ("reason", pa.string()),
        ("row", pa.large_string()),
        ("quarantined_at", pa.timestamp("us", tz="UTC")),
    ]
)


@dataclass(frozen=True, slots=True)
class LoadRecord:
    """The warehouse's record of a session's last load."""

    session_id: str
    mark: str
    status: str
    content_hash: str
    row_counts: Mapping[str, int]


def forget(connection: duckdb.DuckDBPyConnection, session_id: str) -> None:
    """Deletes the rows that an earlier load wrote for the session alone.

    Not bars, which are the account's, nor round trips, which are matched along a chain of sessions.
    """
    for statement in _FORGET.values():
        connection.execute(statement, [session_id])


def write_frames(
    connection: duckdb.DuckDBPyConnection, frames: Mapping[str, Frame]
) -> dict[str, int]:
    """Writes the frames of a session after `forget`; returns the number of rows by table.

    Bars, which belong to no session, are merged instead; those that are stored now, unchanged or
    from a better origin, count.
    """
    stored = dict.fromkeys(frames, 0)
    for name, frame in frames.items():
        connection.register(f"new_{name}", frame.arrow)
        if frame.arrow.num_rows and name != "bars":
            stored[name] = int(connection.execute(_INSERT[name]).fetchall()[0][0])
    stored["bars"] = _merge_bars(connection, frames["bars"].arrow.num_rows)
    return stored


def _merge_bars(connection: duckdb.DuckDBPyConnection, count: int) -> int:
    """Adds the bars, or merges them with stored ones; returns how many are stored now."""
    if not count or connection.execute(_ADD_BARS).fetchall() == [(count,)]:
        return count
    connection.execute(_MERGE_BARS)
    return int(connection.execute(_COUNT_BARS).fetchall()[0][0])


def write_quarantine(
    connection: duckdb.DuckDBPyConnection,
    session_id: str,
    refused: Sequence[tuple[Rejection, object]],
    at: datetime,
) -> None:
    """Keeps the refused rows of a session after `forget`, and marks it as incomplete."""
    if not refused:
        return
    lines = [
        {
            "session_id": session_id,
            "table_name": rejection.table,
            "reason": rejection.reason,
            "row": row_as_json(row),
            "quarantined_at": at,
        }
        for rejection, row in refused
    ]
    connection.register("new_quarantine", pa.Table.from_pylist(lines, schema=_QUARANTINE))
    connection.execute("INSERT INTO quarantine BY NAME SELECT * FROM new_quarantine")
    connection.execute(
        "UPDATE sessions SET status = 'incomplete' WHERE session_id = ?", [session_id]
    )


def content_hash(connection: duckdb.DuckDBPyConnection, frames: Mapping[str, Frame]) -> str:
    """A fingerprint of the frames' rows, independent of their order; they must be registered."""
    filled = [_SUMS[name] for name, frame in frames.items() if frame.arrow.num_rows]
    sql = "\nUNION ALL ".join(filled)
    found = connection.execute(sql).fetchall() if filled else []
    sums: dict[str, list[tuple[int, str | None]]] = {
        name: [(0, None)]
        for name in TABLES
        if name not in MAY_BE_LEFT_OUT  # which earlier versions' fingerprints lack
    }
    sums |= {name: [(count, total)] for name, count, total in found}
    return hashlib.sha256(json.dumps(sums, sort_keys=True).encode()).hexdigest()


def read_record(connection: duckdb.DuckDBPyConnection, session_id: str) -> LoadRecord | None:
    """The session's last load; None if it was never loaded."""
    found = connection.execute(
        "SELECT mark, status, content_hash, row_counts FROM loads WHERE session_id = ?",
        [session_id],
    ).fetchall()  # a result that is not read to its end blocks the connection
    for mark, status, content, counts in found:
        return LoadRecord(session_id, mark, status, content, json.loads(counts))
    return None


def write_record(
    connection: duckdb.DuckDBPyConnection, record: LoadRecord, at: datetime, *, restated: bool
) -> None:
    """Records the load, and counts it if it restated the session."""
    counts = json.dumps(record.row_counts)
    connection.execute(
        """INSERT INTO loads VALUES (?, ?, ?, ?, ?, ?, ?)
           ON CONFLICT DO UPDATE SET mark = excluded.mark, status = excluded.status,
               content_hash = excluded.content_hash, row_counts = excluded.row_counts,
               restatements = restatements + excluded.restatements,
               loaded_at = excluded.loaded_at""",
        [
            record.session_id,
            record.mark,
            record.status,
            record.content_hash,
            counts,
            int(restated),
            at,
        ],
    )
