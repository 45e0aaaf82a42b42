"""A recording's bars as arrays: of each ticker those that count, cut for one session after another.

What is known of a session is known whole, before it is played; who plays it looks no further than
its own minute.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cached_property, partial

import numpy as np
from numpy.typing import NDArray

from coordinator.backtest.as_bars import Beads
from coordinator.core.series import Prices, Series
from coordinator.core.session import SessionPlan
from coordinator.core.values import MINUTE, Bar, is_crypto
from coordinator.shell.history import FURTHEST
from simulator.calendar import Calendar
from simulator.columns import Columns, whole_steps
from simulator.recorded import RecordedFeed

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICRO = timedelta(microseconds=1)
_NANO_PLACES = 9
_SURE = 1e6
"""A volume below this has its billionths in its float."""
Places = NDArray[np.int64]


def micros(moment: datetime) -> int:
    """Microseconds since 1970 UTC."""
    return (moment - EPOCH) // MICRO


class Reel:
    """One ticker's bars of one session, and the `history` before it; a place is a bar's number.

    `minutes` are the places' minutes among all of the session's, `place` is the reverse (-1 where
    the ticker has no bar), and `last` the last place that is decided on.
    """

    def __init__(
        self,
        bars: Columns,
        history: Columns,
        volumes: Places | None,
        beads: Callable[[], list[Bar]],
    ) -> None:
        self.symbol = bars.symbol
        self.bars = bars
        self.history = history
        self.beads = beads
        """All of both as objects."""
        self.closes: list[int] = bars.close.tolist()
        self._volumes = volumes
        self.minutes: list[int] = []
        self.place: list[int] = []
        self.before = 0
        self.marks: Places = np.zeros(0, np.int64)
        self.last = -1

    @cached_property
    def series(self) -> Series:
        """History and session, for rules that judge both at once."""
        past, now = self.history, self.bars
        pairs = (past.close, now.close), (past.high, now.high), (past.low, now.low)
        prices = Prices(*map(np.concatenate, pairs))
        return Series.of_whole(prices, self._volumes, now.decimals)

    def close(self, place: int) -> Decimal:
        """The close at a place, dollars."""
        return self.bars.price(self.closes[place])

    def mark(self, minute: int) -> Decimal | None:
        """The newest close at the end of a minute, dollars; None where there was none yet."""
        steps = int(self.marks[minute])
        return self.bars.price(steps) if steps else None

    def line_up(self, axis: Places, mark: Decimal | None, last_end: int) -> None:
        """Find the bars' places among the session's minutes.

        `mark` is the last close before it; nothing is decided on the bar that ends at `last_end`.
        """
        found = np.searchsorted(axis, self.bars.starts)
        self.minutes = found.tolist()
        place = np.full(len(axis), -1, np.int64)
        place[found] = np.arange(len(found))
        self.place = place.tolist()
        self.before = 0 if mark is None else int(mark.scaleb(self.bars.decimals))
        newest = np.maximum.accumulate(place)
        closes = np.append(self.bars.close, self.before)  # which is where place -1 points
        self.marks = closes[newest]
        whole_minute = MINUTE // MICRO
        decided = np.flatnonzero(self.bars.starts + whole_minute != last_end)
        self.last = int(decided[-1]) if len(decided) else -1


@dataclass(frozen=True, slots=True)
class Strip:
    """All bars of a ticker that count, and their volumes in billionths, None where finer."""

    bars: Columns
    volumes: Places | None


class Reels:
    """The recording's tickers, each read once.

    Raises OverflowError for prices that 64 bits do not hold.
    """

    def __init__(self, feed: RecordedFeed, calendar: Calendar) -> None:
        self._feed, self._calendar = feed, calendar
        self._strips: dict[str, Strip] = {}
        self._beads: dict[str, Beads] = {}

    def cut(self, symbol: str, plan: SessionPlan, history: int) -> Reel:
        """A ticker's bars of a session, and as many before it as there are up to `history`."""
        strip = self.strip(symbol)
        first, end = plan.first_bar(symbol), plan.last_end(symbol)
        assert first is not None, f"{symbol} is not traded"
        assert end is not None, f"{symbol} is not traded"
        starts = strip.bars.starts
        low, high = np.searchsorted(starts, [micros(first), micros(end)]).tolist()
        oldest = int(np.searchsorted(starts, micros(first - FURTHEST)))
        before = max(low - history, oldest)
        volumes = None if strip.volumes is None else strip.volumes[before:high]
        past, now = strip.bars.take(slice(before, low)), strip.bars.take(slice(low, high))
        return Reel(now, past, volumes, partial(self._beads[symbol].bars, before, high))

    def strip(self, symbol: str) -> Strip:
        """All bars of a ticker."""
        if symbol not in self._strips:
            bars = self._feed.columns(symbol)
            if not is_crypto(symbol):
                bars = bars.take(self._in_sessions(bars.starts))
            volume = bars.volume
            volumes = whole_steps(volume, _NANO_PLACES)
            fine = (volumes / 10.0**_NANO_PLACES == volume) & (volume < _SURE)
            exact = bool(np.all(fine | (volume == np.rint(volume))))
            self._strips[symbol] = Strip(bars, volumes if exact else None)
            self._beads[symbol] = Beads(bars)
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
    """The starts of all minutes in which one of them has a bar."""
    return np.unique(np.concatenate([reel.bars.starts for reel in reels]))
