"""The recorded bars as a session sees them: history before it, and its own bars minute by minute.

The file is read by the simulator's reader, so that both play the same prices to the last digit.
There is no look-ahead: every query names the moment up to which bars may be known.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path

from coordinator.backtest.reels import Reels
from coordinator.core.session import Hours, SessionPlan
from coordinator.core.values import Bar, is_crypto
from coordinator.errors import OperatorError
from coordinator.shell.history import FURTHEST, Need
from simulator.calendar import Calendar, before_the_open
from simulator.errors import SimulatorError
from simulator.feed import Feed, midnight
from simulator.recorded import RecordedFeed
from simulator.values import Bar as TapeBar

Minutes = dict[datetime, list[tuple[TapeBar, Bar]]]
"""Bars by the start of their minute, each in the venue's and in the engine's type."""
ONE_DAY = timedelta(days=1)
KEPT_DAYS = timedelta(days=14)
"""How far back bars stay in memory before the session that is played."""


class Tape:
    """Bars from `feed`, and the exchange's `calendar` around them."""

    def __init__(self, feed: Feed, calendar: Calendar) -> None:
        self.feed = feed
        self.calendar = calendar
        self.hours = [Hours(s.date, s.open, s.close) for s in calendar.sessions]
        self._ours: dict[tuple[str, date], list[Bar]] = {}

    def minutes(self, tickers: Iterable[str], start: datetime, end: datetime) -> Minutes:
        """The bars that start in [start, end), by minute; within a minute in order of `tickers`."""
        found: Minutes = {}
        for ticker in tickers:
            for day in self.feed.days(ticker, start.date(), end.date()):
                held = self.feed.day(ticker, day)
                span = slice(bisect_left(held.starts, start), bisect_left(held.starts, end))
                for pair in zip(held.bars[span], self._day(ticker, day)[span], strict=True):
                    found.setdefault(pair[0].start, []).append(pair)
        return found

    def history(self, needs: Sequence[Need]) -> dict[str, list[Bar]]:
        """Each ticker's last bars before a session, as many as it needs, oldest first."""
        return {need.symbol: self._newest(need) for need in needs}

    def so_far(self, tickers: Iterable[str], plan: SessionPlan, now: datetime) -> list[Bar]:
        """The session's bars that had ended by `now`, when the backtest joins it."""
        bars = [
            bar
            for ticker in tickers
            if (first := plan.first_bar(ticker)) is not None and first < now
            for pairs in self.minutes([ticker], first, now).values()
            for _, bar in pairs
            if bar.end <= now
        ]
        return sorted(bars, key=lambda bar: (bar.start, bar.symbol))

    def counted(self, ticker: str, days: Iterable[date]) -> list[Bar]:
        """The bars of some UTC dates; of a stock, only those of regular sessions."""
        return [
            bar
            for day in days
            for bar in self._counted(ticker, day, midnight(day), midnight(day) + ONE_DAY)
        ]

    def forget_before(self, day: date) -> None:
        """Free the bars of earlier days."""
        for key in [key for key in self._ours if key[1] < day]:
            del self._ours[key]

    def _newest(self, need: Need) -> list[Bar]:
        """For a stock, only the bars of regular sessions, none of which crosses midnight UTC."""
        found: list[Bar] = []
        oldest = need.before - FURTHEST
        days = self.feed.days(need.symbol, oldest.date(), need.before.date())
        for day in reversed(days):
            if len(found) >= need.count:
                break
            found = self._counted(need.symbol, day, oldest, need.before) + found
        return found[len(found) - need.count :] if len(found) > need.count else found

    def _counted(self, ticker: str, day: date, start: datetime, end: datetime) -> list[Bar]:
        if not is_crypto(ticker):
            session = self.calendar.on(day)
            if session is None:
                return []
            start, end = max(start, session.open), min(end, session.close)
        starts = self.feed.day(ticker, day).starts
        return self._day(ticker, day)[bisect_left(starts, start) : bisect_left(starts, end)]

    def _day(self, ticker: str, day: date) -> list[Bar]:
        """The day's bars in the core's type, made once."""
        bars = self._ours.get((ticker, day))
        if bars is None:
            bars = [as_ours(bar) for bar in self.feed.day(ticker, day).bars]
            self._ours[ticker, day] = bars
        return bars


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
        self.reels = Reels(self.feed, self.tape.calendar)

    def starts(self, first: date | None, last: date | None) -> list[datetime]:
        """When each session between two dates (both included) begins, in order.

        With stocks, ten minutes before the exchange opens, also if crypto is traded too; with
        crypto alone, or on a day without a stock session, at 00:00 UTC.

        Raises:
            OperatorError: there are none.
        """
        dates = self._dates(first or self.first, last or self.last)
        found = [start for day in dates if (start := self._start(day)) is not None]
        if found:
            return found
        within = "".join(f" {at} {day}" for at, day in (("from", first), ("to", last)) if day)
        bars = f"{self.path}: has no bars of {', '.join(self.tickers)}{within}"
        if dates:
            raise OperatorError(
                f"{bars} in a session of the exchange: those from {dates[0]} to {dates[-1]} start"
                " outside of its hours. Times are UTC, the start of each minute."
            )
        raise OperatorError(
            f"{bars}; it has them from {self.first} to {self.last}. Give --start and --end within"
            " these."
        )

    def missing(self, starts: Sequence[datetime]) -> int:
        """How many days from the first of these sessions to the last were traded without bars."""
        first, last = starts[0].date(), starts[-1].date()
        if any(map(is_crypto, self.tickers)):
            return (last - first).days + 1 - len(starts)
        return sum(first <= one.date <= last for one in self.tape.calendar.sessions) - len(starts)

    def forget_before(self, moment: datetime) -> None:
        """Free the bars of days that no coming session reads."""
        self.feed.forget_before(moment.date() - KEPT_DAYS)
        self.tape.forget_before(moment.date() - KEPT_DAYS)

    def _dates(self, first: date, last: date) -> list[date]:
        return sorted({day for t in self.tickers for day in self.feed.days(t, first, last)})

    def _start(self, day: date) -> datetime | None:
        """When the day's session begins; a stock's bars outside exchange hours do not make one."""
        session = self.tape.calendar.on(day)
        for ticker in self.tickers:
            if session is None or is_crypto(ticker):
                continue
            if self.feed.has_bars(ticker, session.open, session.close):
                return before_the_open(day)
        coins = any(is_crypto(t) and self.feed.days(t, day, day) for t in self.tickers)
        return midnight(day) if coins else None

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
    """A bar of the tape in the core's type."""
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
