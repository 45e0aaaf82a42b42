"""Finds what a journal booked for earlier sessions, without decoding all of its records.

SQLite selects by the records' JSON the few that can be late; `core/restatement.py` decides which
of them are.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from coordinator.core import records as r
from coordinator.core.restatement import Booking, Late, Opened, Term, late_bookings
from coordinator.core.values import UNASSIGNED
from coordinator.shell.journal_file import Reader
from coordinator.shell.journal_reading import read_kinds
from coordinator.shell.journal_rows import entries_of

# Executions from before their session, of another day's order, or that reverse another one, with
# the ones they reverse; and fees of an earlier day.
_SUSPECTS = """
    WITH opened AS (
        SELECT session_id, min(seq), body ->> '$.at' AS at, body ->> '$.session_date' AS day
        FROM records WHERE kind = 'SessionOpened' GROUP BY session_id
    ), suspects AS (
        SELECT r.* FROM records AS r JOIN opened AS o USING (session_id)
        WHERE (r.kind = 'FillBooked' AND (r.body ->> '$.at' < o.at
               OR r.body ->> '$.reverses' <> ''
               OR instr(r.body ->> '$.client_order_id', '.' || o.day || '.') = 0))
           OR (r.kind = 'ActivityBooked' AND r.body ->> '$.kind' = 'fee'
               AND r.body ->> '$.day' < o.day)
    ), reversed AS (
        SELECT body ->> '$.reverses' AS id FROM suspects WHERE body ->> '$.reverses' <> ''
    )
    SELECT seq, coordinator, session_id, kind, body FROM suspects
    UNION
    SELECT r.seq, r.coordinator, r.session_id, r.kind, r.body FROM records AS r
    WHERE r.kind = 'FillBooked' AND EXISTS (SELECT 1 FROM reversed)
      AND r.body ->> '$.execution_id' IN (SELECT id FROM reversed)
    ORDER BY seq
"""
_MOVES = """
    SELECT seq, coordinator, session_id, kind, body FROM records
    WHERE kind = 'OrderMoved' AND body ->> '$.client_order_id' IN (SELECT value FROM json_each(?))
    ORDER BY seq
"""
# Orders of one minute share a row, whose body is then a list.
_INTENTS = """
    SELECT one.value ->> '$.client_order_id' AS ordered, r.session_id
    FROM records AS r,
         json_each(CASE WHEN r.body LIKE '[%' THEN r.body ELSE '[' || r.body || ']' END) AS one
    WHERE r.kind IN ('OrderIntended', 'OrderAdopted')
      AND ordered IN (SELECT value FROM json_each(?))
"""


def read_terms(path: Path) -> list[Term]:
    """The sessions of a journal, in the order of their openings."""
    opened, ended = dict[str, Term](), dict[str, datetime]()
    for entry in read_kinds(path, r.SessionOpened, r.SessionResumed, r.SessionEnded):
        match entry.record:
            case r.SessionOpened() as record:
                before = opened.get(entry.session_id)
                opened[entry.session_id] = _opened(before, record, Opened(entry.seq, record.at))
                ended.pop(entry.session_id, None)
            case r.SessionEnded() as record:
                ended[entry.session_id] = record.at
            case _:
                ended.pop(entry.session_id, None)
    return [replace(term, ended_at=ended.get(name)) for name, term in opened.items()]


def _opened(before: Term | None, record: r.SessionOpened, now: Opened) -> Term:
    """The session after one more of its openings."""
    known = before.joined if before else {}
    joining = {o.strategy: now for o in record.openings if o.strategy not in known}
    found = {o.client_order_id for o in record.orders if before is None or o.strategy in joining}
    return Term(
        session_id=record.session_id,
        session_date=record.session_date,
        opened=before.opened if before else now,
        ended_at=None,
        joined={**known, **joining},
        carried=frozenset(found | (before.carried if before else set())),
    )


def read_late(path: Path) -> list[Late]:
    """The bookings that the journal's sessions made for earlier ones, in the journal's order."""
    with Reader(path) as connection:
        rows = connection.execute(_SUSPECTS).fetchall()
        suspects = [entry for row in rows for entry in entries_of(*row)]
        if not suspects:
            return []
        ids = [e.record.client_order_id for e in suspects if isinstance(e.record, r.FillBooked)]
        rows = connection.execute(_MOVES, (json.dumps(ids),)).fetchall() if ids else []
    entries = [*suspects, *(entry for row in rows for entry in entries_of(*row))]
    terms = read_terms(path)
    known = {term.session_id for term in terms}
    bookings = [
        Booking(e.seq, e.session_id, e.record)
        for e in entries
        if e.session_id in known
        and isinstance(e.record, r.FillBooked | r.ActivityBooked | r.OrderMoved)
    ]
    return late_bookings(terms, bookings)


def read_intents(path: Path, ids: Iterable[str]) -> dict[str, str]:
    """The session in which each of these orders was intended."""
    with Reader(path) as connection:
        return dict(connection.execute(_INTENTS, (json.dumps(list(ids)),)).fetchall())


def unknown_orders(records: Iterable[object]) -> set[str]:
    """Strategies' orders that were executed or replaced here, without an intent or an opening."""
    met, known = set[str](), set[str]()
    for record in records:
        match record:
            case r.FillBooked() if record.strategy != UNASSIGNED:
                met.add(record.client_order_id)
            case r.OrderAdopted():
                met.add(record.replaces)
                known.add(record.client_order_id)
            case r.OrderIntended():
                known.add(record.client_order_id)
            case r.SessionOpened():
                known.update(order.client_order_id for order in record.orders)
            case _:
                pass
    return met - known
