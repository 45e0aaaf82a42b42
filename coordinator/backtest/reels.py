"""A recording's bars as arrays: each ticker's regular bars, cut for one session after another.

A session's bars are known as a whole before it is played; deciding on a minute, nothing reads later
ones.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from coordinator.backtest.lazy_bars import BarObjects
from coordinator.core.session import SessionPlan
from coordinator.core.values import MINUTE, Bar, is_crypto
from coordinator.shell.history import FURTHEST
from coordinator.strategies.series import Prices, Series
from simulator.calendar import Calendar
from simulator.columns import Columns, whole_steps
from simulator.recorded import RecordedFeed

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICRO = timedelta(microseconds=1)
_NANO_PLACES = 9
_SURE = 1e6
"""Floats below this are exact to a billionth."""
_MOST_STEPS = 2.0**62
Places = NDArray[np.int64]


def micros(moment: datetime) -> int:
    """Microseconds since 1970 UTC."""
    return (moment - EPOCH) // MICRO


class Reel:
    """One ticker's bars of one session, and the `history` before it; a place is a bar's index.

    `minutes` maps places to the session's minutes, `place` minutes to places (-1 where the ticker
    has no bar); `last` is the last place that is decided on.
    """

    def __init__(
        self,
        bars: Columns,
        history: Columns,
        series: Callable[[], Series],
        objects: Callable[[], list[Bar]],
    ) -> None:
        self.symbol = bars.symbol
        self.bars = bars
        self.history = history
        self.series = series
        """History and bars as arrays, for rules that judge both at once."""
        self.objects = objects
        """History and bars as objects."""
        self.closes: list[int] = bars.close.tolist()
        self.minutes: list[int] = []
        self.place: list[int] = []
        self.before = 0
        self.marks: Places = np.zeros(0, np.int64)
        self.last = -1

    def close(self, place: int) -> Decimal:
        """The close at a place, dollars."""
        return self.bars.price(self.closes[place])

    def mark(self, minute: int) -> Decimal | None:
        """The last close at the end of a minute, dollars; None if there was none yet."""
        steps = int(self.marks[minute])
        return self.bars.price(steps) if steps else None

    def line_up(self, axis: Places, mark: Decimal | None, last_end: int) -> None:
        """Map the bars to `axis`, the session's minutes.

        `mark` is the last close before the session; the bar that ends at `last_end` is not decided
        on.
        """
        found = np.searchsorted(axis, self.bars.starts)
        self.minutes = found.tolist()
        place = np.full(len(axis), -1, np.int64)
        place[found] = np.arange(len(found))
        self.place = place.tolist()
        self.before = 0 if mark is None else int(mark.scaleb(self.bars.decimals))
        newest = np.maximum.accumulate(place)
        closes = np.append(self.bars.close, self.before)  # place -1 reads the mark before
        self.marks = closes[newest]
        whole_minute = MINUTE // MICRO
        decided = np.flatnonzero(self.bars.starts + whole_minute != last_end)
        self.last = int(decided[-1]) if len(decided) else -1


@dataclass(frozen=True)
class Strip:
    """A ticker's regular bars, and their volumes in billionths; None if one is finer than that."""

    bars: Columns
    volumes: Places | None

    @cached_property
    def series(self) -> Series:
        """The same as a Series."""
        bars = self.bars
        return Series.of(Prices(bars.close, bars.high, bars.low), self.volumes, bars.decimals)


class Reels:
    """The recording's tickers, each read once.

    Raises OverflowError for prices that 64 bits do not hold.
    """

    def __init__(self, feed: RecordedFeed, calendar: Calendar) -> None:
        self._feed, self._calendar = feed, calendar
        self._strips: dict[str, Strip] = {}
        self._objects: dict[str, BarObjects] = {}

    def cut(self, symbol: str, plan: SessionPlan, history: int) -> Reel:
        """A ticker's bars of a session, and up to `history` bars before it."""
        strip = self.strip(symbol)
        first, end = plan.first_bar(symbol), plan.last_end(symbol)
        assert first is not None, f"{symbol} is not traded"
        assert end is not None, f"{symbol} is not traded"
        starts = strip.bars.starts
        low, high = np.searchsorted(starts, [micros(first), micros(end)]).tolist()
        oldest = int(np.searchsorted(starts, micros(first - FURTHEST)))
        before = max(low - history, oldest)
        past, now = strip.bars.take(slice(before, low)), strip.bars.take(slice(low, high))
        objects = self._objects[symbol]
        return Reel(
            now, past, lambda: strip.series.part(before, high), lambda: objects.bars(before, high)
        )

    def strip(self, symbol: str) -> Strip:
        """All regular bars of a ticker."""
        if symbol not in self._strips:
            bars = self._feed.columns(symbol)
            if not is_crypto(symbol):
                bars = bars.take(self._in_sessions(bars.starts))
            volume = bars.volume
            volumes = whole_steps(volume, _NANO_PLACES)
            fine = (volumes / 10.0**_NANO_PLACES == volume) & (volume < _SURE)
            if np.any(np.abs(bars.vwap) * 10.0**bars.decimals > _MOST_STEPS):
                raise OverflowError("a vwap does not fit 64 bits")
            exact = bool(np.all(fine | (volume == np.rint(volume))))
            self._strips[symbol] = Strip(bars, volumes if exact else None)
            self._objects[symbol] = BarObjects(bars)
        return self._strips[symbol]

    def _in_sessions(self, starts: Places) -> NDArray[np.bool_]:
        """Which bars start inside one of the exchange's sessions."""
        opens, closes = self._hours
        newest = np.searchsorted(opens, starts, side="right") - 1
        inside: NDArray[np.bool_] = (newest >= 0) & (starts < closes[newest])
        return inside

    @cached_property
    def _hours(self) -> tuple[Places, Places]:
        sessions = self._calendar.sessions
        opens = np.array([micros(session.open) for session in sessions])
        return opens, np.array([micros(session.close) for session in sessions])


def axis_of(reels: Sequence[Reel]) -> Places:
    """The starts of all minutes in which any of them has a bar."""
    return np.unique(np.concatenate([reel.bars.starts for reel in reels]))
