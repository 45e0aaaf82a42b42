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

from warehouse.frames import Frame, Rejection, row_as_json

_DELETE = {
    "sessions": "DELETE FROM sessions WHERE session_id = ?",
    "strategies": "DELETE FROM strategies WHERE session_id = ?",
    "orders": "DELETE FROM orders WHERE session_id = ?",
    "fills": "DELETE FROM fills WHERE session_id = ?",
    "activities": "DELETE FROM activities WHERE session_id = ?",
    "positions": "DELETE FROM positions WHERE session_id = ?",
    "pnl_daily": "DELETE FROM pnl_daily WHERE session_id = ?",
    "equity": "DELETE FROM equity WHERE session_id = ?",
    "discrepancies": "DELETE FROM discrepancies WHERE session_id = ?",
}
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
}
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


def write_frame(connection: duckdb.DuckDBPyConnection, session_id: str, frame: Frame) -> int:
    """Replaces the session's rows of the table by the frame's; returns how many there are now.

    Bars, which belong to no session, are merged instead, and all of the frame's are counted.
    """
    name = frame.table.name
    connection.register(f"new_{name}", frame.arrow)
    if name == "bars":
        connection.execute(_MERGE_BARS)
        return int(frame.arrow.num_rows)
    connection.execute(_DELETE[name], [session_id])
    connection.execute(_INSERT[name])
    mine = duckdb.ColumnExpression("session_id") == duckdb.ConstantExpression(session_id)
    return len(connection.table(name).filter(mine))


def write_quarantine(
    connection: duckdb.DuckDBPyConnection,
    session_id: str,
    refused: Sequence[tuple[Rejection, object]],
    at: datetime,
) -> None:
    """Replaces the session's quarantine by the refused rows, and marks the session accordingly."""
    connection.execute("DELETE FROM quarantine WHERE session_id = ?", [session_id])
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
    """Fingerprint of the frames' rows, whatever their order."""
    sums = {}
    for name, frame in frames.items():
        connection.register("hashed", frame.arrow.drop_columns(["row_no"]))
        sums[name] = connection.execute(
            "SELECT count(*), sum(hash(h))::TEXT FROM hashed AS h"
        ).fetchall()
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
