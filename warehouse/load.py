"""Loads a journal's session into the warehouse: in one transaction, repeatable, dropping nothing.

A session's rows replace its earlier rows, all or nothing, so repeating a load gives the same
content. A refused row goes to `quarantine` with its reason and marks the session incomplete;
loading the repaired journal again empties the quarantine.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Protocol

import duckdb
import pyarrow as pa

from warehouse.belonging import duplicates, foreign_rows
from warehouse.checks import ELSEWHERE, SUMS, Check, contradictions, prepare
from warehouse.curve import Curves, draw
from warehouse.day_before import find_day_before
from warehouse.day_checks import DAYS
from warehouse.derived import store_derived
from warehouse.errors import LoadFault, SourceRefused
from warehouse.fast_checks import agree, read_before
from warehouse.frames import Frame, Rejection, Rows, as_mappings, read_frame
from warehouse.round_trips import match_round_trips
from warehouse.schemas import MAY_BE_LEFT_OUT, TABLES
from warehouse.store import Store
from warehouse.variant_checks import VARIANTS
from warehouse.write import (
    LoadRecord,
    content_hash,
    forget,
    read_record,
    write_frames,
    write_quarantine,
    write_record,
)

CHECKS = SUMS + DAYS + VARIANTS + ELSEWHERE
SessionRows = Mapping[str, Rows]
"""Rows per table: sessions (exactly one row), strategies, bars, orders, fills, activities,
positions, pnl_daily, equity, discrepancies, and if there are any, variants of a sweep and faults.
Columns are exactly the tables'; amounts are Decimal, times have a zone. A table may also be a
pyarrow Table with the same columns."""


class SessionSource(Protocol):
    """The journal's side of one session."""

    @property
    def session_id(self) -> str:
        """Identity of the session."""

    @property
    def mark(self) -> str:
        """Changes whenever the journal of that session changed."""

    def rows(self) -> SessionRows:
        """Every row of the session; called only if it is to be loaded."""


class LoadStatus(StrEnum):
    """The outcome of a session's load."""

    LOADED = "loaded"
    UNCHANGED = "unchanged"
    INCOMPLETE = "incomplete"


@dataclass(frozen=True, slots=True)
class LoadResult:
    """The result of one load. `rows` counts the session's rows in the warehouse, by table."""

    session_id: str
    status: LoadStatus
    rows: Mapping[str, int]
    quarantined: int
    restated: bool
    message: str


@dataclass(frozen=True, slots=True)
class Judged:
    """The session's accepted frames, the curves of its equity, and the other rows' rejections."""

    frames: Mapping[str, Frame]
    rejections: list[Rejection]
    curves: Curves


def utc_now() -> datetime:
    """The wall clock; it stamps loads and decides nothing."""
    return datetime.now(UTC)


def load_sessions(store: Store, sources: Iterable[SessionSource]) -> list[LoadResult]:
    """Loads every session that is not loaded yet, is incomplete, or has changed since its load."""
    return [load_session(store, source) for source in sources]


def load_session(store: Store, source: SessionSource, *, restates: bool = True) -> LoadResult:
    """Loads one session in one transaction; does nothing if its mark is already loaded.

    Other content than an earlier load's counts as a restatement, unless `restates` is false. Raises
    SourceRefused if `rows()` are not the rows of a session, and LoadFault (after undoing
    everything) if the warehouse does not hold exactly those rows afterwards.
    """
    with store.transaction() as connection:
        before = read_record(connection, source.session_id)
    if before and before.mark == source.mark and before.status == LoadStatus.LOADED.value:
        message = f"{source.session_id}: unchanged since it was loaded."
        status = LoadStatus.UNCHANGED
        return LoadResult(source.session_id, status, before.row_counts, 0, False, message)
    mark = source.mark  # read before the rows: later changes are loaded by the next run
    rows = {**dict.fromkeys(MAY_BE_LEFT_OUT, ()), **source.rows()}
    _refuse_misshapen(source.session_id, rows)
    with store.transaction() as connection:
        judged = judge(connection, source.session_id, rows, source)
        forget(connection, source.session_id)
        counts = _write(connection, source.session_id, judged, rows)
        refused = [(r, _row(rows[r.table], r.row_no)) for r in judged.rejections]
        write_quarantine(connection, source.session_id, refused, utc_now())
        store_derived(connection, source.session_id, judged.curves)
        match_round_trips(connection, source.session_id)
        status = LoadStatus.INCOMPLETE if refused else LoadStatus.LOADED
        content = content_hash(connection, judged.frames)
        restated = restates and before is not None and before.content_hash != content
        record = LoadRecord(source.session_id, mark, status.value, content, counts)
        write_record(connection, record, utc_now(), restated=restated)
    message = _message(record, judged.rejections, before if restated else None)
    if refused:
        from_bars = _value(_row(rows["sessions"], 1), "mode") == "backtest"
        message += f" Nothing is lost: {_FROM_BARS if from_bars else _FROM_A_JOURNAL}"
    return LoadResult(source.session_id, status, counts, len(refused), restated, message)


def _refuse_misshapen(session_id: str, rows: SessionRows) -> None:
    missing = [name for name in TABLES if name not in rows]
    extra = [str(name) for name in rows if name not in TABLES]
    if missing or extra:
        raise SourceRefused(
            f"The journal's session {session_id} was not loaded: it has "
            + "; ".join(
                [f"no table {name}" for name in missing]
                + [f"an unknown table {name}" for name in extra]
            )
            + ". Reader and warehouse are of different versions: install one release of both."
        )
    if len(rows["sessions"]) != 1:
        raise SourceRefused(
            f"The journal's session {session_id} was not loaded: it has {len(rows['sessions'])} "
            "rows for `sessions` and must have exactly one. Check the journal with "
            "`multi-trader reconcile`."
        )


def judge(
    connection: duckdb.DuckDBPyConnection,
    session_id: str,
    rows: SessionRows,
    source: object = None,
) -> Judged:
    """Accepts or rejects the session's rows; registers the frames as `new_<table>`.

    First each row alone, then whether it belongs to the session, then sums; each stage judges the
    rows that passed the one before. A `source` that is Following names the session before.
    """
    frames: dict[str, Frame] = {}
    rejections: list[Rejection] = []
    for name, table in TABLES.items():
        frame, found = read_frame(table, rows[name])
        repeated = duplicates(frame)
        frames[name] = frame.without({r.row_no for r in repeated})
        rejections += found + repeated
    strategies = frames["strategies"]
    for name, frame in list(frames.items()):
        found = foreign_rows(frame, session_id, frames["sessions"], strategies)
        frames[name] = frame.without({r.row_no for r in found})
        rejections += found
    touched = _touched(rejections, rows)
    for name, frame in frames.items():
        connection.register(f"new_{name}", frame.arrow)
    find_day_before(connection, source)
    curves = draw(frames["equity"].arrow, frames["activities"].arrow)
    checks: tuple[Check, ...] = ELSEWHERE
    if rejections or not _agrees(connection, frames, curves):
        checks = CHECKS
        prepare(connection)
    filled = [name for name, frame in frames.items() if frame.arrow.num_rows]
    found = _first_per_row(contradictions(connection, checks, touched, filled))
    for name, frame in list(frames.items()):
        frames[name] = frame.without({r.row_no for r in found if r.table == name})
    if any(r.table in ("equity", "activities") for r in found):
        curves = draw(frames["equity"].arrow, frames["activities"].arrow)
    return Judged(frames, _first_per_row(rejections + found), curves)


def _agrees(
    connection: duckdb.DuckDBPyConnection, frames: Mapping[str, Frame], curves: Curves
) -> bool:
    tables = {name: frame.arrow for name, frame in frames.items()}
    return agree(tables, curves, read_before(connection))


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


def _touched(rejections: list[Rejection], rows: SessionRows) -> dict[str, set[str | None]]:
    """By table, the strategies whose rows were refused; None stands for an unreadable one."""
    names = {_value(row, "strategy") for row in as_mappings(rows["strategies"])}
    touched: dict[str, set[str | None]] = {}
    for r in rejections:
        strategy = _value(_row(rows[r.table], r.row_no), "strategy")
        known = isinstance(strategy, str) and strategy in names
        touched.setdefault(r.table, set()).add(str(strategy) if known else None)
    return touched


def _row(rows: Rows, row_no: int) -> object:
    if isinstance(rows, pa.Table):
        return rows.slice(row_no - 1, 1).to_pylist()[0]
    return rows[row_no - 1]


def _value(row: object, column: str) -> object:
    value = row.get(column) if isinstance(row, Mapping) else None
    return value if isinstance(value, str) else None


def _write(
    connection: duckdb.DuckDBPyConnection, session_id: str, judged: Judged, rows: SessionRows
) -> dict[str, int]:
    counts = write_frames(connection, judged.frames)
    for name, count in counts.items():
        refused = sum(r.table == name for r in judged.rejections)
        if count + refused != len(rows[name]):
            raise LoadFault(
                f"Session {session_id}: {name} holds {count} rows and refused {refused}, "
                f"but the journal has {len(rows[name])}. Nothing was changed; please report this."
            )
    return counts


_FROM_BARS = "correct the file of bars, and repeat the backtest."
_FROM_A_JOURNAL = "repair the journal's cause and repeat `multi-trader end-of-day`."


def _message(record: LoadRecord, refused: list[Rejection], before: LoadRecord | None) -> str:
    fills = record.row_counts["fills"]
    words = [f"{record.session_id}: {record.status}, {fills} fill{'s' * (fills != 1)}."]
    if before:
        changes = [
            f"{name} {before.row_counts.get(name, 0)} -> {count}"
            for name, count in record.row_counts.items()
            if before.row_counts.get(name, 0) != count
        ]
        words.append(f"It restates an earlier load ({', '.join(changes) or 'same row counts'}).")
    if refused:
        several = len(refused) != 1
        words.append(
            f"{len(refused)} {'rows were' if several else 'row was'} refused and"
            f" {'stand' if several else 'stands'} in quarantine, the first because "
            f"{refused[0].reason}."
        )
    return " ".join(words)
