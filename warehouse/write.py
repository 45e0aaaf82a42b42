"""Writes one session's accepted frames and refused rows; the caller holds the transaction.

Every statement stands here in full: no name and no value is ever pasted into SQL.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import duckdb
import pyarrow as pa

from warehouse.frames import Frame, Rejection
from warehouse.plain import row_as_json
from warehouse.schemas import MAY_BE_LEFT_OUT

_FORGET = (
    "DELETE FROM sessions WHERE session_id = ?",
    "DELETE FROM strategies WHERE session_id = ?",
    "DELETE FROM orders WHERE session_id = ?",
    "DELETE FROM fills WHERE session_id = ?",
    "DELETE FROM activities WHERE session_id = ?",
    "DELETE FROM positions WHERE session_id = ?",
    "DELETE FROM pnl_daily WHERE session_id = ?",
    "DELETE FROM equity WHERE session_id = ?",
    "DELETE FROM discrepancies WHERE session_id = ? AND kind NOT IN ('fill', 'fee')",
    "DELETE FROM variants WHERE session_id = ?",
    "DELETE FROM faults WHERE session_id = ?",
    "DELETE FROM quarantine WHERE session_id = ?",
    "DELETE FROM equity_curve WHERE session_id = ?",
    "DELETE FROM exposures WHERE session_id = ?",
    "DELETE FROM slippages WHERE session_id = ?",
)
"""What belongs to a session alone; bars do not, and round trips are matched along a chain.

What the broker told of a session stands until it is asked again: no journal holds it."""
_INSERT = {
    "sessions": "INSERT INTO sessions BY NAME SELECT * EXCLUDE (row_no) FROM new_sessions",
    "strategies": "INSERT INTO strategies BY NAME SELECT * EXCLUDE (row_no) FROM new_strategies",
    "orders": "INSERT INTO orders BY NAME SELECT * EXCLUDE (row_no) FROM new_orders",
    "fills": "INSERT INTO fills BY NAME SELECT * EXCLUDE (row_no) FROM new_fills",
    "activities": "INSERT INTO activities BY NAME SELECT * EXCLUDE (row_no) FROM new_activities",
    "positions": "INSERT INTO positions BY NAME SELECT * EXCLUDE (row_no) FROM new_positions",
    "pnl_daily": "INSERT INTO pnl_daily BY NAME SELECT * EXCLUDE (row_no) FROM new_pnl_daily",
    "equity": "INSERT INTO equity BY NAME SELECT * EXCLUDE (row_no) FROM new_equity",
    "discrepancies": """
        INSERT INTO discrepancies BY NAME SELECT * EXCLUDE (row_no) FROM new_discrepancies""",
    "variants": "INSERT INTO variants BY NAME SELECT * EXCLUDE (row_no) FROM new_variants",
    "faults": "INSERT INTO faults BY NAME SELECT * EXCLUDE (row_no) FROM new_faults",
}
_COUNT = """
    SELECT 'sessions', count(*) FROM sessions WHERE session_id = $1
    UNION ALL SELECT 'strategies', count(*) FROM strategies WHERE session_id = $1
    UNION ALL SELECT 'orders', count(*) FROM orders WHERE session_id = $1
    UNION ALL SELECT 'fills', count(*) FROM fills WHERE session_id = $1
    UNION ALL SELECT 'activities', count(*) FROM activities WHERE session_id = $1
    UNION ALL SELECT 'positions', count(*) FROM positions WHERE session_id = $1
    UNION ALL SELECT 'pnl_daily', count(*) FROM pnl_daily WHERE session_id = $1
    UNION ALL SELECT 'equity', count(*) FROM equity WHERE session_id = $1
    UNION ALL SELECT 'discrepancies', count(*) FROM discrepancies
              WHERE session_id = $1 AND kind NOT IN ('fill', 'fee')
    UNION ALL SELECT 'variants', count(*) FROM variants WHERE session_id = $1
    UNION ALL SELECT 'faults', count(*) FROM faults WHERE session_id = $1
"""
# Bars belong to the account: corrected beats live beats backfill, and of equals the later load.
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
# Of each bar its minute is there now: as it is, or as a better origin told it.
_COUNT_BARS = """
    SELECT count(*) FROM new_bars AS n JOIN bars AS b USING (account, feed, symbol, ts)
    WHERE list_position(['backfill', 'live', 'corrected'], b.origin)
        > list_position(['backfill', 'live', 'corrected'], n.origin)
       OR (b.origin, b.open, b.high, b.low, b.close, b.volume, b.trade_count, b.vwap)
          IS NOT DISTINCT FROM
          (n.origin, n.open, n.high, n.low, n.close, n.volume, n.trade_count, n.vwap)
"""
_SUMS = """
    SELECT 'sessions', count(*), sum(hash(h))::TEXT
    FROM (SELECT * EXCLUDE (row_no) FROM new_sessions) AS h
    UNION ALL SELECT 'strategies', count(*), sum(hash(h))::TEXT
    FROM (SELECT * EXCLUDE (row_no) FROM new_strategies) AS h
    UNION ALL SELECT 'bars', count(*), sum(hash(h))::TEXT
    FROM (SELECT * EXCLUDE (row_no) FROM new_bars) AS h
    UNION ALL SELECT 'orders', count(*), sum(hash(h))::TEXT
    FROM (SELECT * EXCLUDE (row_no) FROM new_orders) AS h
    UNION ALL SELECT 'fills', count(*), sum(hash(h))::TEXT
    FROM (SELECT * EXCLUDE (row_no) FROM new_fills) AS h
    UNION ALL SELECT 'activities', count(*), sum(hash(h))::TEXT
    FROM (SELECT * EXCLUDE (row_no) FROM new_activities) AS h
    UNION ALL SELECT 'positions', count(*), sum(hash(h))::TEXT
    FROM (SELECT * EXCLUDE (row_no) FROM new_positions) AS h
    UNION ALL SELECT 'pnl_daily', count(*), sum(hash(h))::TEXT
    FROM (SELECT * EXCLUDE (row_no) FROM new_pnl_daily) AS h
    UNION ALL SELECT 'equity', count(*), sum(hash(h))::TEXT
    FROM (SELECT * EXCLUDE (row_no) FROM new_equity) AS h
    UNION ALL SELECT 'discrepancies', count(*), sum(hash(h))::TEXT
    FROM (SELECT * EXCLUDE (row_no) FROM new_discrepancies) AS h
    UNION ALL SELECT 'variants', count(*), sum(hash(h))::TEXT
    FROM (SELECT * EXCLUDE (row_no) FROM new_variants) AS h
    UNION ALL SELECT 'faults', count(*), sum(hash(h))::TEXT
    FROM (SELECT * EXCLUDE (row_no) FROM new_faults) AS h
"""
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
    """What the warehouse knows of a session's last load."""

    session_id: str
    mark: str
    status: str
    content_hash: str
    row_counts: Mapping[str, int]


def forget(connection: duckdb.DuckDBPyConnection, session_id: str) -> None:
    """Takes out what an earlier load wrote of the session; its round trips stay."""
    for statement in _FORGET:
        connection.execute(statement, [session_id])


def write_frames(
    connection: duckdb.DuckDBPyConnection, session_id: str, frames: Mapping[str, Frame]
) -> dict[str, int]:
    """Writes the frames of a session that was forgotten; returns how many rows each table has now.

    Bars, which belong to no session, are merged instead; those count of which the table has the
    minute now, as it is or from a better origin.
    """
    for name, frame in frames.items():
        connection.register(f"new_{name}", frame.arrow)
        if frame.arrow.num_rows:
            connection.execute(_MERGE_BARS if name == "bars" else _INSERT[name])
    stored = dict(connection.execute(_COUNT, [session_id]).fetchall())
    if frames["bars"].arrow.num_rows:
        stored |= {"bars": connection.execute(_COUNT_BARS).fetchall()[0][0]}
    return {name: stored.get(name, 0) for name in frames}


def write_quarantine(
    connection: duckdb.DuckDBPyConnection,
    session_id: str,
    refused: Sequence[tuple[Rejection, object]],
    at: datetime,
) -> None:
    """Keeps the refused rows of a session that was forgotten, and marks it accordingly."""
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


def content_hash(connection: duckdb.DuckDBPyConnection) -> str:
    """Fingerprint of the frames' rows, whatever their order; they are registered already."""
    found = connection.execute(_SUMS).fetchall()
    sums = {
        name: [(count, total)]
        for name, count, total in found
        if count or name not in MAY_BE_LEFT_OUT  # which earlier loads did not know
    }
    return hashlib.sha256(json.dumps(sums, sort_keys=True).encode()).hexdigest()


def read_record(connection: duckdb.DuckDBPyConnection, session_id: str) -> LoadRecord | None:
    """The session's last load; None if it was never loaded."""
    found = connection.execute(
        "SELECT mark, status, content_hash, row_counts FROM loads WHERE session_id = ?",
        [session_id],
    ).fetchall()  # all: a result that is not read to its end blocks the connection
    for mark, status, content, counts in found:
        return LoadRecord(session_id, mark, status, content, json.loads(counts))
    return None


def write_record(
    connection: duckdb.DuckDBPyConnection, record: LoadRecord, restated: bool, at: datetime
) -> None:
    """Notes the load, and counts it if it restated the session."""
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
