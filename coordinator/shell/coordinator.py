"""The loop: one inbox, one message at a time; decide, record, act.

Everything that happens reaches the inbox: bars, order updates, answers to errands, the clock, the
wish to stop. The engine decides, the journal makes its records durable, and only then are
commands handed on. Nothing here waits for the broker.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from coordinator.core import messages as m
from coordinator.core import records as r
from coordinator.core.engine import Engine, tickers_of
from coordinator.core.orders import OrderStatus
from coordinator.core.values import MINUTE, Bar
from coordinator.errors import BrokerUnavailable
from coordinator.shell import wire
from coordinator.shell.broker import Broker
from coordinator.shell.clock import BrokerClock
from coordinator.shell.errands import Errands
from coordinator.shell.gather import Gatherer
from coordinator.shell.journal import Journal
from coordinator.shell.narrator import Narrator
from coordinator.shell.ports import Ports

log = logging.getLogger("coordinator")
QUIET_S = 0.5
"""Broker seconds without a bar after which a minute counts as complete."""
LEAST_QUIET_S = 0.02
CLOSE_GRACE_S = 10.0
"""Broker seconds after the end in which the last bars may still come."""
DRAIN_S = 60.0
"""Broker seconds in which open orders may still end."""
CLOCK_POLL_S = 15.0


@dataclass(frozen=True, slots=True)
class _Stop:
    """The session shall end; `lost` names a stream that ended by itself."""

    lost: str = ""


_Item = Bar | m.Message | _Stop


class LiveSession:
    """Runs an engine on the broker's messages until its session is over."""

    def __init__(
        self,
        engine: Engine,
        journal: Journal,
        session_id: str,
        ports: Ports,
        clock: BrokerClock,
        make_broker: Callable[[], Broker],
        narrator: Narrator,
    ) -> None:
        self.engine = engine
        self.malformed = 0
        self._journal = journal
        self._session_id = session_id
        self._monotonic = ports.monotonic
        self._clock = clock
        self._narrator = narrator
        self._inbox: asyncio.Queue[_Item] = asyncio.Queue()
        books = engine.books
        self._errands = Errands(ports, make_broker, clock, lambda: books.orders, self._deliver)
        quiet_s = clock.local_s(QUIET_S, least_s=LEAST_QUIET_S)
        self._gatherer = Gatherer(self._expected, quiet_s)
        self._tickers = tickers_of(engine.specs)
        self._gaps = 0
        self._held: list[Bar] = []
        self._stop: _Stop | None = None
        self._over = False

    # handed in by the streams, on the loop; these never raise

    def on_bar(self, raw: wire.Raw) -> None:
        """A raw bar of a market stream."""
        try:
            self._inbox.put_nowait(wire.parse_bar(raw))
        except wire.Malformed as error:
            self.malformed += 1
            log.warning("bar dropped: %s", error)

    def on_order_update(self, raw: wire.Raw) -> None:
        """A raw envelope of the order stream."""
        try:
            self._inbox.put_nowait(wire.parse_trade_update(raw))
        except wire.Malformed as error:
            self.malformed += 1
            log.error("order update not understood, asking the broker instead: %s", error)
            self.resume_orders()

    def on_stream_end(self, name: str) -> None:
        """A stream ended that should not have."""
        self._inbox.put_nowait(_Stop(name))

    def request_stop(self) -> None:
        """End the session early, in order."""
        self._inbox.put_nowait(_Stop())

    def resume(self, unsent: Sequence[str]) -> None:
        """Go on where an earlier process stopped: its unsent orders, its open ones, the gap."""
        self._commit(self.engine.resume(unsent, self._clock.now()))
        self.resume_orders()
        self.repair_gap()

    def resume_orders(self) -> None:
        """Ask what became of the orders that are open: after a restart, or a lost connection."""
        for order in self.engine.books.orders.open():
            if order.status is not OrderStatus.WAITING:
                self._errands.look_up(order.client_order_id)

    def repair_gap(self) -> None:
        """Ask for the bars since the last ones seen; those of the stream wait for the answer."""
        starts = {t: start for t in self._tickers if (start := self._next_start(t)) is not None}
        if starts:
            self._gaps += 1
            self._errands.fetch_bars(starts)

    async def run(self) -> str:
        """Trade until everything has closed or a stop is asked for; returns the status.

        Raises:
            BrokerUnavailable: a stream ended for good.
            sqlite3.Error: the journal cannot be written; nothing was sent after that.
        """
        poll = asyncio.create_task(self._poll_clock())
        try:
            await self._pump(lambda: self._over or self._stop is not None)
            self._take_bars(self._gatherer.flush())
            self._commit(self.engine.close(self._clock.now()))
            deadline_s = self._monotonic() + self._clock.local_s(DRAIN_S, least_s=2.0)
            orders = self.engine.books.orders
            await self._pump(
                lambda: not orders.open() or self._monotonic() >= deadline_s, deadline_s
            )
        finally:
            poll.cancel()
            await asyncio.gather(poll, return_exceptions=True)
            await self._errands.stop()
        if self._stop is not None and self._stop.lost:
            raise BrokerUnavailable(f"the {self._stop.lost} stream ended; start again to go on")
        return "Completed" if self._over else "StoppedEarly"

    async def _pump(self, done: Callable[[], bool], deadline_s: float | None = None) -> None:
        while not done():
            item = await self._next_item(deadline_s)
            if item is not None:
                self._take(item)
                continue
            due_s = self._gatherer.due
            if due_s is not None and self._monotonic() >= due_s:
                self._take_bars(self._gatherer.flush())
            self._errands.pursue()

    async def _next_item(self, deadline_s: float | None) -> _Item | None:
        """The next message; None when a timer is due first."""
        if not self._inbox.empty():
            return self._inbox.get_nowait()
        timers = (deadline_s, self._gatherer.due, self._errands.due_s)
        due_s = min((timer for timer in timers if timer is not None), default=None)
        timeout_s = None if due_s is None else max(due_s - self._monotonic(), 0.0)
        try:
            async with asyncio.timeout(timeout_s):
                return await self._inbox.get()
        except TimeoutError:
            return None

    def _take(self, item: _Item) -> None:
        match item:
            case Bar() if self._gaps:
                self._held.append(item)
            case Bar():
                for minute in self._gatherer.add(item, self._monotonic()):
                    self._take_bars(minute)
            case _Stop():
                self._stop = item
            case m.ClockRead():
                self._clock.heard(item.now)
                self._commit(self.engine.handle(item))
                self._errands.pursue()
                grace = timedelta(seconds=CLOSE_GRACE_S)
                self._over = item.now >= self.engine.plan.end + grace
            case m.BarsArrived():
                self._commit(self.engine.handle(item))
                self._narrator.warmth(self.engine.lanes)
                if item.origin is r.Origin.BACKFILL:
                    self._close_gap()
            case m.OrderUpdate() if item.client_order_id not in self.engine.books.orders:
                self._catch_up()  # whose order it is, another coordinator may just have written
                self._commit(self.engine.handle(item))
            case _:
                self._commit(self.engine.handle(item))

    def _catch_up(self) -> None:
        for entry in self._journal.append(self._session_id, ()):
            self.engine.books.apply_foreign(entry.record)

    def _close_gap(self) -> None:
        """A gap is repaired, as far as it can be: the bars that came meanwhile follow it."""
        self._gaps -= 1
        if not self._gaps:
            held, self._held = self._held, []
            for bar in held:
                self._take(bar)

    def _take_bars(self, bars: tuple[Bar, ...]) -> None:
        if bars:
            self._clock.heard(bars[0].end)
            self._take(m.BarsArrived(self._clock.now(), bars, r.Origin.LIVE))

    def _commit(self, outcome: m.Outcome) -> None:
        if outcome.records:
            for entry in self._journal.append(self._session_id, outcome.records):
                self.engine.books.apply_foreign(entry.record)
            self._narrator.tell(outcome.records)
        for command in outcome.commands:
            self._errands.carry_out(command)

    def _deliver(self, messages: Iterable[m.Message]) -> None:
        for message in messages:
            self._inbox.put_nowait(message)

    def _expected(self, start: datetime) -> set[str]:
        """The tickers that can have a bar of this minute."""
        plan = self.engine.plan
        return {
            ticker
            for ticker in self._tickers
            if (first := plan.first_bar(ticker)) is not None
            and (last := plan.last_end(ticker)) is not None
            and first <= start < last
        }

    def _next_start(self, ticker: str) -> datetime | None:
        first, now = self.engine.plan.first_bar(ticker), self._clock.now()
        last = self.engine.books.last_bar.get(ticker)
        if first is None or first >= now:
            return None
        return first if last is None or last < first else last + MINUTE

    async def _poll_clock(self) -> None:
        while True:
            self._errands.read_clock()
            await asyncio.sleep(self._clock.local_s(CLOCK_POLL_S, least_s=0.05))
