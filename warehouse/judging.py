"""Accepts or rejects one session's rows, in three stages; each judges what passed the one before.

A row is judged alone (its model, and whether it repeats a key), then as a row of this session, then
against the session's other rows. A rejection has the row's number and the reason; nothing is
written here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import duckdb
import pyarrow as pa

from warehouse.belonging import duplicates, foreign_rows
from warehouse.checks import ELSEWHERE, SUMS, Check, contradictions, prepare
from warehouse.curve import Curves, draw
from warehouse.day_before import find_day_before
from warehouse.day_checks import DAYS
from warehouse.fast_checks import agree, read_before
from warehouse.frames import Frame, Rejection, Rows, as_mappings, read_frame
from warehouse.schemas import TABLES
from warehouse.variant_checks import VARIANTS

CHECKS = SUMS + DAYS + VARIANTS + ELSEWHERE


@dataclass(frozen=True, slots=True)
class Judged:
    """The session's accepted frames, the curves of its equity, and the other rows' rejections."""

    frames: Mapping[str, Frame]
    rejections: list[Rejection]
    curves: Curves


def judge(
    connection: duckdb.DuckDBPyConnection,
    session_id: str,
    rows: Mapping[str, Rows],
    source: object = None,
) -> Judged:
    """Accepts or rejects the rows of every table; registers the frames as `new_<table>`.

    A `source` that is Following names the session before.
    """
    frames, rejected = _each_alone(rows)
    frames, foreign = _of_the_session(frames, session_id)
    rejected += foreign
    for name, frame in frames.items():
        connection.register(f"new_{name}", frame.arrow)
    find_day_before(connection, source)
    curves = _curves(frames)
    checks: tuple[Check, ...] = ELSEWHERE
    if rejected or not _are_proved(connection, frames, curves):
        checks = CHECKS
        prepare(connection)
    filled = [name for name, frame in frames.items() if frame.arrow.num_rows]
    found = contradictions(connection, checks, _touched(rejected, rows), filled)
    contradicting = _first_per_row(found)
    frames = _without(frames, contradicting)
    if any(r.table in ("equity", "activities") for r in contradicting):
        curves = _curves(frames)
    return Judged(frames, _first_per_row(rejected + contradicting), curves)


def _each_alone(rows: Mapping[str, Rows]) -> tuple[dict[str, Frame], list[Rejection]]:
    """The frames of rows that satisfy their table's model and repeat no key; the other rows."""
    frames: dict[str, Frame] = {}
    rejected: list[Rejection] = []
    for name, table in TABLES.items():
        frame, found = read_frame(table, rows[name])
        repeated = duplicates(frame)
        frames[name] = frame.without({r.row_no for r in repeated})
        rejected += found + repeated
    return frames, rejected


def _of_the_session(
    frames: Mapping[str, Frame], session_id: str
) -> tuple[dict[str, Frame], list[Rejection]]:
    """The frames without the rows of another session, date or strategy; those rows."""
    kept, rejected = dict(frames), list[Rejection]()
    strategies = frames["strategies"]
    for name, frame in frames.items():
        found = foreign_rows(frame, session_id, kept["sessions"], strategies)
        kept[name] = frame.without({r.row_no for r in found})
        rejected += found
    return kept, rejected


def _are_proved(
    connection: duckdb.DuckDBPyConnection, frames: Mapping[str, Frame], curves: Curves
) -> bool:
    """Whether the rows are proved to agree with each other, without a check in SQL."""
    tables = {name: frame.arrow for name, frame in frames.items()}
    return agree(tables, curves, read_before(connection))


def _curves(frames: Mapping[str, Frame]) -> Curves:
    return draw(frames["equity"].arrow, frames["activities"].arrow)


def _without(frames: Mapping[str, Frame], rejected: Sequence[Rejection]) -> dict[str, Frame]:
    return {
        name: frame.without({r.row_no for r in rejected if r.table == name})
        for name, frame in frames.items()
    }


def _first_per_row(rejections: list[Rejection]) -> list[Rejection]:
    """One rejection per row, its reasons joined."""
    joined: dict[tuple[str, int], Rejection] = {}
    for r in rejections:
        first = joined.get((r.table, r.row_no))
        if first is None:
            joined[r.table, r.row_no] = r
        elif r.reason not in first.reason:
            complaint = f"{first.complaint}; {r.reason}"
            joined[r.table, r.row_no] = Rejection(r.table, first.column, r.row_no, complaint)
    return list(joined.values())


def _touched(rejections: list[Rejection], rows: Mapping[str, Rows]) -> dict[str, set[str | None]]:
    """By table, the strategies whose rows were rejected; None stands for an unreadable one."""
    names = {text_of(row, "strategy") for row in as_mappings(rows["strategies"])}
    touched: dict[str, set[str | None]] = {}
    for r in rejections:
        strategy = text_of(row_of(rows[r.table], r.row_no), "strategy")
        touched.setdefault(r.table, set()).add(strategy if strategy in names else None)
    return touched


def row_of(rows: Rows, row_no: int) -> object:
    """A table's row by its number, which counts from 1."""
    if isinstance(rows, pa.Table):
        return rows.slice(row_no - 1, 1).to_pylist()[0]
    return rows[row_no - 1]


def text_of(row: object, column: str) -> str | None:
    """The text in a row's column; None if there is none, whatever else the row holds."""
    value = row.get(column) if isinstance(row, Mapping) else None
    return value if isinstance(value, str) else None
