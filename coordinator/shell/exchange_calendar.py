"""The exchange's sessions from a library, for when the broker's calendar is unavailable.

Rule: the broker's calendar comes first, because it knows of a closure announced yesterday; the
library's (exchange-calendars, XNYS) is as old as its last release.
"""

from __future__ import annotations

import warnings
from datetime import UTC, date
from functools import lru_cache

from coordinator.core.session import Hours


@lru_cache(maxsize=4)
def exchange_sessions(first: date, last: date) -> tuple[Hours, ...]:
    """The sessions from `first` to `last`, both included, oldest first."""
    import exchange_calendars  # takes a second, and is rarely needed

    with warnings.catch_warnings():  # about the library's own use of pandas
        warnings.simplefilter("ignore")
        table = exchange_calendars.get_calendar("XNYS", start=first, end=last).schedule
    return tuple(
        Hours(
            day.date(),
            opened.to_pydatetime().astimezone(UTC),
            closed.to_pydatetime().astimezone(UTC),
        )
        for day, opened, closed in zip(table.index, table["open"], table["close"], strict=True)
    )
