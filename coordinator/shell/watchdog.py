"""Watches the broker: which streams bring data, and when order states were last confirmed.

A stream that is connected but silent is told apart from a quiet market by asking REST: bars that
the stream should have brought prove it mute. Nothing here connects or asks; it says when to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import Enum

from coordinator.core.session import SessionPlan
from coordinator.core.values import Bar, is_crypto, of_market
from coordinator.shell.clock import BrokerClock
from coordinator.shell.stream_watch import StreamState, StreamWatch

SILENCE = timedelta(seconds=78)
"""Broker time without a bar of any ticker of a stream after which REST is asked: long enough that
the next minute's bar should surely have come."""
SURELY_SENT = timedelta(seconds=15)
"""A bar that ended so long ago should have come over the stream."""
STILL_MUTE = timedelta(seconds=5)
"""The same for a stream that was found mute, and has been connected anew."""
CONFIRMED, LEAST_CONFIRMED_S = timedelta(seconds=10), 1.0
"""Broker time, and at least so many local seconds, for which confirmed order states count."""
LOOKS, SUSPICIOUS_LOOKS, LEAST_LOOK_S = timedelta(seconds=20), timedelta(seconds=4), 0.25
"""Broker time between two looks at the account, and at least so many local seconds."""
DEEP_LOOKS = timedelta(minutes=10)
"""Broker time between two looks that ask for fees, dividends and the like as well."""
BLIND_BARS = timedelta(seconds=30)
"""Broker time between two requests for bars while their stream does not bring them."""


class Depth(Enum):
    """How much a look at the account asks for."""

    ORDERS = "open orders and executions"
    ACCOUNT = "cash and positions as well"
    ACTIVITIES = "fees, dividends and splits as well"


@dataclass(frozen=True, slots=True)
class _Moment:
    """One moment by the broker's clock and by ours."""

    broker: datetime
    local_s: float


NEVER = _Moment(datetime.min.replace(tzinfo=UTC), float("-inf"))


@dataclass(slots=True)
class _Market:
    """A market stream, with when it last brought bars and REST was asked for them (broker time)."""

    watch: StreamWatch
    tickers: frozenset[str]
    heard: datetime
    restart: Callable[[], None]
    asked: datetime | None = None
    mute: bool = False

    @property
    def brings_bars(self) -> bool:
        return self.watch.state is StreamState.LIVE and not self.mute


@dataclass(slots=True)
class Watchdog:
    """Watches over the streams of one session. Times ending in `_s` are local seconds."""

    plan: SessionPlan
    clock: BrokerClock
    monotonic: Callable[[], float]
    _orders: StreamWatch | None = None
    _markets: list[_Market] = field(default_factory=list)
    _confirmed: _Moment = field(default_factory=lambda: NEVER)
    _looked: _Moment = field(default_factory=lambda: NEVER)
    _deep: _Moment = field(default_factory=lambda: NEVER)
    _refused: bool = False

    def watch_orders(self, watch: StreamWatch) -> None:
        """Watch over the stream of order updates."""
        self._orders = watch

    def is_orders(self, watch: StreamWatch) -> bool:
        """Whether this is the stream of order updates."""
        return watch is self._orders

    def watch_market(
        self, watch: StreamWatch, tickers: Iterable[str], restart: Callable[[], None]
    ) -> None:
        """Watch over a stream of bars; `restart` makes it connect anew."""
        self._markets.append(_Market(watch, frozenset(tickers), self.clock.now(), restart))

    def follow(self, tickers: Iterable[str]) -> None:
        """Expect the bars of these tickers from now on, on the existing streams."""
        wanted = list(tickers)
        for market in self._markets:
            crypto = any(map(is_crypto, market.tickers))
            market.tickers = frozenset(of_market(wanted, crypto=crypto))

    def tickers_of(self, watch: StreamWatch) -> frozenset[str]:
        """The tickers of a stream of bars; none of the order stream."""
        return frozenset().union(*(m.tickers for m in self._markets if m.watch is watch))

    def heard(self, *tickers: str) -> None:
        """A stream brought bars of these tickers."""
        for market in self._markets:
            if not market.tickers.isdisjoint(tickers):
                market.heard, market.mute = self.clock.now(), False

    def repaired(self, fresh: Sequence[Bar]) -> None:
        """REST brought bars that no stream had: restart a silent stream that they prove mute."""
        now = self.clock.now()
        for market in self._markets:
            sent = STILL_MUTE if market.mute else SURELY_SENT
            missed = [b for b in fresh if b.symbol in market.tickers and now - b.end > sent]
            silent = market.asked is not None and now - market.heard > SILENCE
            if missed and silent and market.watch.state is StreamState.LIVE:
                market.mute, market.heard = True, now
                market.watch.muted()
                market.restart()

    def confirmed(self) -> None:
        """REST has returned the states of the open orders."""
        self._confirmed, self._refused = self._now(), False

    def refused(self) -> None:
        """REST refuses our keys, and so would our orders, until it answers again."""
        self._refused = True

    def sees_orders(self) -> bool:
        """Whether the stream or REST has confirmed order states lately, and takes our keys."""
        if self._refused:
            return False
        return self._streams_orders() or not self._passed(
            self._confirmed, CONFIRMED, LEAST_CONFIRMED_S
        )

    def blind(self) -> frozenset[str]:
        """Tickers whose stream does not bring their bars now."""
        return frozenset().union(*(m.tickers for m in self._markets if not m.brings_bars))

    def states(self) -> dict[str, str]:
        """Each stream's state in a word, by its name."""
        watches = [self._orders] if self._orders else []
        watches += [market.watch for market in self._markets]
        return {watch.name: watch.state.value for watch in watches}

    def look_soon(self) -> None:
        """Make the next look at the account due now."""
        self._looked = NEVER

    def next_look(self, *, suspicious: bool) -> Depth | None:
        """The depth of the look that is due, if one is; it then counts as taken.

        While `suspicious` all is asked for: what passes for rounding must be no fee or deposit.
        """
        if self._passed(self._looked, SUSPICIOUS_LOOKS if suspicious else LOOKS, LEAST_LOOK_S):
            self._looked = self._now()
            if not suspicious and not self._passed(self._deep, DEEP_LOOKS, LEAST_LOOK_S):
                return Depth.ACCOUNT
            self._deep = self._looked
            return Depth.ACTIVITIES
        if self._streams_orders():
            return None
        due = self._passed(self._confirmed, CONFIRMED / 2, LEAST_CONFIRMED_S / 2)
        return Depth.ORDERS if due else None

    def tickers_to_ask(self) -> set[str]:
        """Tickers whose bars REST is to be asked for: of streams that are silent or lost."""
        now, found = self.clock.now(), set[str]()
        for market in self._markets:
            waited = BLIND_BARS if not market.brings_bars else SILENCE
            since = max(filter(None, (market.heard, market.asked)))
            if now - since <= waited:
                continue
            trading = {t for t in market.tickers if self.plan.is_open(t, now)}
            if trading:
                market.asked = now
                found |= trading
        return found

    def _streams_orders(self) -> bool:
        return self._orders is None or self._orders.state is StreamState.LIVE

    def _now(self) -> _Moment:
        return _Moment(self.clock.now(), self.monotonic())

    def _passed(self, since: _Moment, broker: timedelta, local_s: float) -> bool:
        """Whether so much time has passed by both clocks; the broker's may stand still."""
        now = self._now()
        return now.broker - since.broker >= broker and now.local_s - since.local_s >= local_s
