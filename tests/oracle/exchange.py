"""When the New York exchange was open: the recorded calendar, and exchange_calendars without it.

Rule: all times are aware UTC; a session is the half-open span from open to close.
"""

from __future__ import annotations

import csv
import datetime as dt
from functools import cache
from pathlib import Path

import exchange_calendars

RECORDED_CALENDAR = Path(__file__).parents[2] / "../shared/data/calendar_nyse.csv"

Span = tuple[dt.datetime, dt.datetime]


@cache
def session(date: dt.date) -> Span | None:
    """Open and close (UTC) of the regular session of `date`, None on a day without one."""
    recorded = recorded_sessions()
    if recorded and min(recorded) <= date <= max(recorded):
        return recorded.get(date)
    return library_session(date)


@cache
def recorded_sessions() -> dict[dt.date, Span]:
    """Every session of the recorded calendar; empty where the recorded data is absent."""
    if not RECORDED_CALENDAR.exists():
        return {}
    with RECORDED_CALENDAR.open(newline="", encoding="utf-8") as file:
        return {
            dt.date.fromisoformat(row["date"]): (
                dt.datetime.fromisoformat(row["open"]),
                dt.datetime.fromisoformat(row["close"]),
            )
            for row in csv.DictReader(file)
        }


@cache
def library_session(date: dt.date) -> Span | None:
    """The same answer by exchange_calendars alone, for days that were not recorded."""
    calendar = _xnys()
    if not calendar.is_session(date.isoformat()):
        return None
    start = calendar.session_open(date.isoformat())
    end = calendar.session_close(date.isoformat())
    return (start.to_pydatetime(), end.to_pydatetime())


def is_regular(minute: dt.datetime) -> bool:
    """Whether a bar that starts at `minute` (UTC) lies inside a regular session."""
    # New York's regular hours never cross midnight UTC, so the UTC date names the session.
    hours = session(minute.date())
    return hours is not None and hours[0] <= minute < hours[1]


@cache
def _xnys() -> exchange_calendars.ExchangeCalendar:
    return exchange_calendars.get_calendar("XNYS", start="2008-01-01")
