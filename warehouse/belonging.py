"""Refuses duplicates and rows of another session, date or strategy, before checks.py sums rows."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from warehouse.frames import ROW_NO, Frame, Rejection
from warehouse.schemas import UNASSIGNED


def foreign_rows(
    frame: Frame, session_id: str, session: Frame, strategies: Frame
) -> list[Rejection]:
    """Rows of another session or date, or of a strategy that the session does not have.

    Dates and strategies are judged only if the session and its strategies were accepted.
    """
    found = []
    dates = session.arrow["session_date"]
    if "session_id" in frame.table.names:
        found += _unlike(frame, "session_id", pa.array([session_id]), "is not the session's id")
    if frame.table.name in ("fills", "pnl_daily") and len(dates):
        found += _unlike(frame, "session_date", dates, "is not the session's date")
    if "strategy" in frame.table.names and frame is not strategies and strategies.is_whole:
        known = pa.array([*strategies.arrow["strategy"].to_pylist(), UNASSIGNED, None], pa.string())
        found += _unlike(frame, "strategy", known, "is no strategy of the session")
    return found


def _unlike(frame: Frame, column: str, allowed: pa.Array, complaint: str) -> list[Rejection]:
    strange = frame.arrow.filter(pc.invert(pc.is_in(frame.arrow[column], value_set=allowed)))
    return [
        Rejection(frame.table.name, column, row[ROW_NO], f"{row[column]} {complaint}")
        for row in strange.select([column, ROW_NO]).to_pylist()
    ]


def duplicates(frame: Frame) -> list[Rejection]:
    """Rows that repeat the key of an earlier row of the frame; the earlier one stays."""
    key = list(frame.table.key)
    if not key:
        return []
    if _are_distinct(frame.arrow.select(key)):
        return []
    first = frame.arrow.select([*key, ROW_NO]).group_by(key).aggregate([(ROW_NO, "min")])
    if first.num_rows == frame.arrow.num_rows:
        return []
    kept = pc.is_in(frame.arrow[ROW_NO], value_set=first[f"{ROW_NO}_min"].combine_chunks())
    repeated: pa.Table = frame.arrow.filter(pc.invert(kept))
    return [
        Rejection(frame.table.name, key[-1], row[ROW_NO], f"repeats the key {_shown(row, key)}")
        for row in repeated.select([*key, ROW_NO]).to_pylist()
    ]


def _are_distinct(keys: pa.Table) -> bool:
    """Whether certainly no two keys are equal; False if keys cannot be numbered in 63 bits."""
    numbers, size = np.zeros(len(keys), np.int64), 1
    for column in keys.itercolumns():
        encoded = pc.dictionary_encode(column.combine_chunks(), null_encoding="encode")
        size *= max(len(encoded.dictionary), 1)
        if size >= 2**63:
            return False
        numbers = numbers * len(encoded.dictionary) + encoded.indices.to_numpy()
    numbers.sort()
    return not np.any(numbers[1:] == numbers[:-1])


def _shown(row: Mapping[str, object], key: list[str]) -> str:
    return "(" + ", ".join(f"{name} {row[name]}" for name in key) + ")"
