"""Where bars come from, and the four questions that the simulator asks of them.

Rule: a feed answers by (symbol, UTC date) only, and knows nothing of now. Nobody looks ahead
because every question below names the moment up to which bars may be known.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Protocol

from simulator.values import MINUTE, Bar

ONE_DAY = timedelta(days=1)
_REACH = timedelta(days=14)


@dataclass(frozen=True)
class DayBars:
    """The bars of one symbol and UTC date, oldest first, with an index by start."""

    bars: tuple[Bar, ...] = ()
    by_start: dict[datetime, Bar] = field(default_factory=dict)
    starts: tuple[datetime, ...] = ()

    @staticmethod
    def of(bars: Iterable[Bar]) -> "DayBars":
        """Index bars that are already in order of start."""
        kept = tuple(bars)
        return DayBars(kept, {bar.start: bar for bar in kept}, tuple(bar.start for bar in kept))


EMPTY_DAY = DayBars()


class Feed(Protocol):
    """A source of minute bars."""

    def symbols(self) -> Sequence[str]:
        """Symbols that '*' means, sorted."""

    def day(self, symbol: str, day: date) -> DayBars:
        """The bars that start on that UTC date; empty when there are none."""

    def days(self, symbol: str, first: date, last: date) -> Sequence[date]:
        """UTC dates in first..last (included) that may have bars of the symbol, ascending."""


def bar_at(feed: Feed, symbol: str, start: datetime) -> Bar | None:
    """The bar that starts at that minute."""
    return feed.day(symbol, start.date()).by_start.get(start)


def bars_at(feed: Feed, symbols: Iterable[str], start: datetime) -> dict[str, Bar]:
    """The bars of these symbols that start at that minute, by symbol in order."""
    found = ((symbol, bar_at(feed, symbol, start)) for symbol in sorted(symbols))
    return {symbol: bar for symbol, bar in found if bar is not None}


def bars_between(
    feed: Feed, symbol: str, start: datetime, end: datetime, *, newest_first: bool = False
) -> Iterator[Bar]:
    """Bars with start <= bar.start < end, in order; lazily, a day at a time."""
    if end <= start:
        return
    days: Iterable[date] = feed.days(symbol, start.date(), end.date())
    for day in reversed(list(days)) if newest_first else days:
        held = feed.day(symbol, day)
        low, high = bisect_left(held.starts, start), bisect_left(held.starts, end)
        chosen = held.bars[low:high]
        yield from reversed(chosen) if newest_first else chosen


def last_bar(feed: Feed, symbol: str, now: datetime) -> Bar | None:
    """The newest bar that has ended at `now`, of the last two weeks."""
    before = now - MINUTE
    days = feed.days(symbol, before.date() - _REACH, before.date())
    for day in reversed(days):
        held = feed.day(symbol, day)
        index = bisect_left(held.starts, before + timedelta(microseconds=1))
        if index:
            return held.bars[index - 1]
    return None


def utc_dates(first: date, last: date) -> list[date]:
    """Every date first..last, both included."""
    return [first + ONE_DAY * n for n in range((last - first).days + 1)]


def midnight(day: date) -> datetime:
    """00:00 UTC of that date."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
