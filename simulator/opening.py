"""From options to what a run begins with: feed, calendar, and the first moment of the clock.

Rule: every fault of the operator's choice of bars, date or start is found here, before a port is
opened, and says what there is to choose from.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from simulator.calendar import Calendar, before_the_open
from simulator.errors import FeedError, OptionsError
from simulator.feed import Feed, midnight
from simulator.generated import GeneratedFeed
from simulator.options import SimulatorOptions
from simulator.recorded import RecordedFeed

_GENERATED_YEARS = timedelta(days=366)


@dataclass(frozen=True)
class Opening:
    """What a run begins with."""

    feed: Feed
    calendar: Calendar
    start: datetime


def open_feed(options: SimulatorOptions, today: date) -> Opening:
    """Feed, calendar and start. today: the date in New York, used when nothing names one.

    Raises FeedError (file, source, date) or OptionsError (start).
    """
    if options.start is not None and options.start.tzinfo is None:
        raise OptionsError(f"start {options.start} has no zone; give an aware time")
    if options.bars is not None:
        return _recorded(options.bars, options)
    return _generated(options, today)


def _generated(options: SimulatorOptions, today: date) -> Opening:
    wanted = options.date or (options.start.astimezone(UTC).date() if options.start else today)
    calendar = Calendar(wanted - _GENERATED_YEARS, wanted + _GENERATED_YEARS)
    if options.date is None and options.start is None:
        wanted = calendar.first_on_or_after(today).date
    feed = GeneratedFeed(options.seed, calendar, options.quiet)
    has_stocks = calendar.on(wanted) is not None
    return Opening(feed, calendar, options.start or _first_moment(wanted, has_stocks=has_stocks))


def _recorded(bars: Path, options: SimulatorOptions) -> Opening:
    feed = RecordedFeed(bars, options.source)
    stocks = feed.trading_dates(stocks=True)
    everything = sorted({*stocks, *feed.trading_dates(stocks=False)})
    wanted = options.date or (stocks or everything)[-1]
    if wanted not in everything:
        raise FeedError(f"{bars}: has no bars on {wanted}; it has bars on {_ranges(everything)}")
    calendar = Calendar(everything[0], everything[-1])
    has_stocks = wanted in stocks and calendar.on(wanted) is not None
    return Opening(feed, calendar, options.start or _first_moment(wanted, has_stocks=has_stocks))


def _first_moment(day: date, *, has_stocks: bool) -> datetime:
    return before_the_open(day) if has_stocks else midnight(day)


def _ranges(days: list[date]) -> str:
    """'2026-03-12, 2026-03-16..2026-03-19' for ascending dates."""
    runs: list[list[date]] = []
    for day in days:
        if runs and day - runs[-1][-1] == timedelta(days=1):
            runs[-1].append(day)
        else:
            runs.append([day])
    return ", ".join(str(run[0]) if len(run) == 1 else f"{run[0]}..{run[-1]}" for run in runs)
