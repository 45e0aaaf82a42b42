"""Bars on their way to a decision: gathered by minute, and held back while a gap is repaired.

While the bars of a gap are being fetched, the streams' newer bars wait, so that each ticker's bars
are decided on oldest first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from itertools import product, starmap

from coordinator.core.lane import StrategySpec, tickers_of
from coordinator.core.session import Markets, SessionPlan
from coordinator.core.values import MINUTE, Bar, is_unseen
from coordinator.shell.clock import BrokerClock
from coordinator.shell.gather import Gatherer

QUIET_S, LEAST_QUIET_S = 0.5, 0.02
"""Broker seconds without a bar after which a minute is complete, and the least local seconds."""

Minute = tuple[Bar, ...]
_NOBODY: frozenset[str] = frozenset()


class BarIntake:
    """The bars of one session; `last_bar` has the start of each ticker's newest decided bar.

    `watching` are the shadows: tickers that only they trade delay no decision.
    """

    def __init__(
        self,
        specs: Iterable[StrategySpec],
        plan: SessionPlan,
        last_bar: Mapping[str, datetime],
        clock: BrokerClock,
        monotonic: Callable[[], float],
        watching: Sequence[StrategySpec] = (),
    ) -> None:
        self.follow(specs, watching)
        self._plan, self._last_bar = plan, last_bar
        self._clock, self._monotonic = clock, monotonic
        quiet_s = clock.local_s(QUIET_S, least_s=LEAST_QUIET_S)
        self._gatherer = Gatherer(self._expected, quiet_s, self._watched)
        self._gaps: list[frozenset[str] | None] = []
        self._held: list[Bar] = []

    @property
    def due_s(self) -> float | None:
        """Local time at which a minute counts as complete; None while nothing is gathered."""
        return self._gatherer.due_s

    @property
    def repairs(self) -> bool:
        """Whether a gap's bars are being fetched."""
        return bool(self._gaps)

    @property
    def awaits_rest(self) -> bool:
        """Whether a minute was decided on, and bars of it for shadows may still arrive."""
        return self._gatherer.awaits_rest

    def join(self, tickers: Iterable[str]) -> None:
        """Ignore these tickers' bars until `follow`: they join then, and REST has these bars."""
        self._joining = frozenset(tickers)

    def follow(self, specs: Iterable[StrategySpec], watching: Sequence[StrategySpec] = ()) -> None:
        """Gather the bars of these strategies' tickers from now on, and of the shadows'."""
        deciding = tickers_of(specs)
        self._only_watched = frozenset(tickers_of(watching)) - frozenset(deciding)
        self._tickers = list(dict.fromkeys((*deciding, *tickers_of(watching))))
        self._open = {
            markets: frozenset(t for t in self._tickers if markets.of(t))
            for markets in starmap(Markets, product((False, True), repeat=2))
        }
        self._joining = frozenset[str]()

    def take(self, bars: Sequence[Bar]) -> list[Minute]:
        """Take bars of a stream; returns the minutes that they complete, oldest first."""
        if self._joining or self._gaps:
            bars = [bar for bar in bars if bar.symbol not in self._joining]
            self._held += [bar for bar in bars if self._waits(bar.symbol)]
            bars = [bar for bar in bars if not self._waits(bar.symbol)]
        return self._gatherer.add(bars, self._monotonic()) if bars else []

    def ripe(self) -> Minute:
        """The minute that is complete because nothing more has arrived; empty if there is none."""
        due_s = self._gatherer.due_s
        return self.flush() if due_s is not None and self._monotonic() >= due_s else ()

    def flush(self) -> Minute:
        """End the minute and return what has been gathered of it."""
        return self._gatherer.flush()

    def open_gap(
        self, tickers: Iterable[str] | None = None, *, alone: bool = False
    ) -> dict[str, datetime]:
        """Open a gap; returns from when on each ticker (None: all) may lack bars, {} if none may.

        With `alone` only these tickers' bars wait for the repair. Gaps are closed in the order in
        which they were opened.
        """
        asked = self._tickers if tickers is None else sorted(tickers)
        starts = {t: start for t in asked if (start := self._next_start(t)) is not None}
        if starts:
            self._gaps.append(frozenset(starts) if alone else None)
        return starts

    def close_gap(self) -> list[Minute]:
        """Close the oldest gap; returns the minutes that waited for it."""
        self._gaps.pop(0)
        held, self._held = self._held, []
        return self.take(held)

    def unseen(self, bars: Iterable[Bar]) -> list[Bar]:
        """Those of the bars that no decision has seen."""
        return [bar for bar in bars if is_unseen(bar, self._last_bar)]

    def lacking(self, start: datetime) -> list[str]:
        """The tickers in session of which neither this minute's bar is decided on nor a later."""
        open_then = self._open[self._plan.open_at(start)]
        return sorted(
            t for t in open_then if (seen := self._last_bar.get(t)) is None or seen < start
        )

    def _waits(self, ticker: str) -> bool:
        return any(gap is None or ticker in gap for gap in self._gaps)

    def _expected(self, start: datetime) -> frozenset[str]:
        """The tickers that can have a bar of this minute and do not wait for a gap."""
        open_now = self._open[self._plan.open_at(start)]
        return frozenset(t for t in open_now if not self._waits(t)) if self._gaps else open_now

    def _watched(self, start: datetime) -> frozenset[str]:
        return self._expected(start) & self._only_watched if self._only_watched else _NOBODY

    def _next_start(self, ticker: str) -> datetime | None:
        first, now = self._plan.first_bar(ticker), self._clock.now()
        last = self._last_bar.get(ticker)
        if first is None or first >= now:
            return None
        return first if last is None or last < first else last + MINUTE
