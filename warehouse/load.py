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

from warehouse.derived import store_derived
from warehouse.errors import LoadFault, SourceRefused
from warehouse.frames import Rejection, Rows
from warehouse.judging import Judged, judge, row_of, text_of
from warehouse.round_trips import match_round_trips
from warehouse.schemas import MAY_BE_LEFT_OUT, TABLES
from warehouse.store import Store
from warehouse.write import (
    LoadRecord,
    content_hash,
    forget,
    read_record,
    write_frames,
    write_quarantine,
    write_record,
)

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
        refused = [(r, row_of(rows[r.table], r.row_no)) for r in judged.rejections]
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
        from_bars = text_of(row_of(rows["sessions"], 1), "mode") == "backtest"
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
