"""The exchange's sessions (XNYS by exchange-calendars): open, close, early closes, holidays.

Rule: this is the only file that knows when the exchange is open; every time is aware UTC.
"""

import warnings
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import exchange_calendars

NEW_YORK = ZoneInfo("America/New_York")
_MARGIN = timedelta(days=400)
_SMALLEST = timedelta(microseconds=1)
_BEFORE, _AFTER = timedelta(hours=5, minutes=30), timedelta(hours=4)


@dataclass(frozen=True, slots=True)
class Session:
    """One trading day of the exchange; `close` is the first moment after it."""

    date: date
    open: datetime
    close: datetime

    def hours(self, *, extended: bool) -> tuple[datetime, datetime]:
        """When it begins and ends; extended: with the trading around it, 04:00 to 20:00."""
        return (self.open - _BEFORE, self.close + _AFTER) if extended else (self.open, self.close)


@lru_cache(maxsize=8)
def _sessions(first: date, last: date) -> tuple[Session, ...]:
    with warnings.catch_warnings():  # of the library's own use of pandas
        warnings.simplefilter("ignore", DeprecationWarning)
        table = exchange_calendars.get_calendar("XNYS", start=first, end=last).schedule
    return tuple(
        Session(
            day.date(),
            opened.to_pydatetime().astimezone(UTC),
            closed.to_pydatetime().astimezone(UTC),
        )
        for day, opened, closed in zip(table.index, table["open"], table["close"], strict=True)
    )


class Calendar:
    """The sessions between two dates.

    first, last: dates that must be answerable; some margin is added on both sides.
    """

    def __init__(self, first: date, last: date) -> None:
        self._sessions = _sessions(first - _MARGIN, last + _MARGIN)
        self._dates = [session.date for session in self._sessions]
        self._opens = [session.open for session in self._sessions]

    @property
    def sessions(self) -> Sequence[Session]:
        """All sessions, oldest first."""
        return self._sessions

    @property
    def end(self) -> datetime:
        """The moment before which every question has an answer."""
        return self._opens[-1]

    def on(self, day: date) -> Session | None:
        """The session of that exchange date, None on weekends and holidays."""
        index = bisect_left(self._dates, day)
        if index < len(self._dates) and self._dates[index] == day:
            return self._sessions[index]
        return None

    def at(self, moment: datetime, *, extended: bool = False) -> Session | None:
        """The session that is open at that moment, if one is; extended: before or after it, too."""
        index = bisect_right(self._opens, moment + _BEFORE if extended else moment) - 1
        if index >= 0 and moment < self._sessions[index].hours(extended=extended)[1]:
            return self._sessions[index]
        return None

    def turns(self, moment: datetime) -> bool:
        """Whether trading begins or ends at that moment, in a session or around it."""
        around = self.at(moment, extended=True) or self.at(moment - _SMALLEST, extended=True)
        return around is not None and any(
            moment in around.hours(extended=extended) for extended in (False, True)
        )

    def next_open(self, moment: datetime) -> datetime:
        """The first open after the moment."""
        return self._sessions[bisect_right(self._opens, moment)].open

    def next_close(self, moment: datetime, *, extended: bool = False) -> datetime:
        """The first close after the moment; extended: the first end of trading after a close."""
        index = max(0, bisect_right(self._opens, moment) - 1)
        while (end := self._sessions[index].hours(extended=extended)[1]) <= moment:
            index += 1
        return end

    def between(self, first: date, last: date) -> Sequence[Session]:
        """Sessions of the dates first..last, both included."""
        return self._sessions[bisect_left(self._dates, first) : bisect_right(self._dates, last)]

    def first_on_or_after(self, day: date) -> Session:
        """The session of that date, or the next one."""
        return self._sessions[bisect_left(self._dates, day)]


def new_york_date(moment: datetime) -> date:
    """The exchange's date at that moment."""
    return moment.astimezone(NEW_YORK).date()


def before_the_open(day: date) -> datetime:
    """09:20 in New York on that date, as UTC: ten minutes before the open."""
    return datetime.combine(day, time(9, 20), NEW_YORK).astimezone(UTC)
