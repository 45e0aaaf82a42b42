"""The recorded bars as a session sees them: what was before it, and its own, minute by minute.

The file is read by the simulator's reader, so that both play the same prices to the last digit.
Nobody looks ahead: every question names the moment up to which bars may be known.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path

from coordinator.core.session import Hours, SessionPlan
from coordinator.core.values import Bar, is_crypto
from coordinator.errors import OperatorError
from coordinator.shell.history import FURTHEST, Need
from simulator.calendar import Calendar, new_york_time
from simulator.errors import SimulatorError
from simulator.feed import Feed, bars_between, midnight
from simulator.recorded import RecordedFeed
from simulator.values import Bar as TapeBar

Minutes = dict[datetime, list[TapeBar]]
"""Bars by the start of their minute."""
KEPT_DAYS = timedelta(days=14)
"""So many days of bars stay in memory behind the session that is played."""


class Tape:
    """Bars from `feed`, and the exchange's `calendar` around them."""

    def __init__(self, feed: Feed, calendar: Calendar) -> None:
        self.feed = feed
        self.calendar = calendar
        self.hours = [Hours(s.date, s.open, s.close) for s in calendar.sessions]

    def minutes(self, tickers: Iterable[str], start: datetime, end: datetime) -> Minutes:
        """The bars that start in [start, end), by minute, each minute's in order of `tickers`."""
        found: Minutes = {}
        for ticker in tickers:
            for bar in bars_between(self.feed, ticker, start, end):
                found.setdefault(bar.start, []).append(bar)
        return found

    def history(self, needs: Sequence[Need]) -> dict[str, list[Bar]]:
        """The newest bars before a session, as many as each ticker needs, oldest first."""
        return {need.symbol: self._newest(need) for need in needs}

    def so_far(self, tickers: Iterable[str], plan: SessionPlan, now: datetime) -> list[Bar]:
        """The session's bars that ended before anybody came to decide on them."""
        bars = [
            as_ours(bar)
            for ticker in tickers
            if (first := plan.first_bar(ticker)) is not None and first < now
            for bar in bars_between(self.feed, ticker, first, now)
        ]
        return sorted((b for b in bars if b.end <= now), key=lambda bar: (bar.start, bar.symbol))

    def _newest(self, need: Need) -> list[Bar]:
        found: list[Bar] = []
        oldest = need.before - FURTHEST
        backwards = bars_between(self.feed, need.symbol, oldest, need.before, newest_first=True)
        for bar in backwards:
            if len(found) == need.count:
                break
            if is_crypto(bar.symbol) or self.calendar.at(bar.start) is not None:
                found.append(as_ours(bar))
        return found[::-1]


class Recording:
    """A file of bars, and the sessions in it that a set of tickers has bars for.

    Raises:
        OperatorError: the file cannot be used, or has no bars of a ticker.
    """

    def __init__(self, path: Path, source: str | None, tickers: Sequence[str]) -> None:
        self.path = path
        self.tickers = tuple(tickers)
        try:
            self.feed = RecordedFeed(path, source)
        except SimulatorError as error:
            raise OperatorError(str(error)) from None
        self._refuse_unknown(source)
        dates = self._dates(date.min, date.max)
        self.first, self.last = dates[0], dates[-1]
        self.tape = Tape(self.feed, Calendar(self.first, self.last))

    def starts(self, first: date | None, last: date | None) -> list[datetime]:
        """When each session between two dates (both included) begins, in order.

        Stocks: ten minutes before the exchange opens, also where crypto stands beside them;
        crypto alone, or on a day without a stock session: 00:00 UTC.

        Raises:
            OperatorError: there are none.
        """
        found = [
            start
            for day in self._dates(first or self.first, last or self.last)
            if (start := self._start(day)) is not None
        ]
        if not found:
            asked = f"from {first or self.first} to {last or self.last}"
            raise OperatorError(
                f"{self.path}: has no bars of {', '.join(self.tickers)} {asked}; it has them from"
                f" {self.first} to {self.last}. Give --start and --end within these."
            )
        return found

    def forget_before(self, moment: datetime) -> None:
        """Give back the memory of days that no coming session looks at."""
        self.feed.forget_before(moment.date() - KEPT_DAYS)

    def _dates(self, first: date, last: date) -> list[date]:
        return sorted({day for t in self.tickers for day in self.feed.days(t, first, last)})

    def _start(self, day: date) -> datetime | None:
        traded = [t for t in self.tickers if self.feed.days(t, day, day)]
        stocks = any(not is_crypto(t) for t in traded)
        if stocks and self.tape.calendar.on(day) is not None:
            return new_york_time(day, 9, 20)
        return midnight(day) if any(is_crypto(t) for t in traded) else None

    def _refuse_unknown(self, source: str | None) -> None:
        known = self.feed.symbols()
        unknown = [ticker for ticker in self.tickers if ticker not in known]
        if unknown:
            of = f" of source {source}" if source else ""
            raise OperatorError(
                f"{self.path}: has no bars{of} of {', '.join(unknown)}; it holds"
                f" {', '.join(known)}. Correct the configuration's tickers, or give another file."
            )


def as_ours(bar: TapeBar) -> Bar:
    """A bar of the tape in the core's own type."""
    return Bar(
        bar.symbol,
        bar.start,
        bar.open,
        bar.high,
        bar.low,
        bar.close,
        bar.volume,
        bar.trade_count,
        bar.vwap,
    )
