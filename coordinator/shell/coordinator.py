"""The session's loop. For each message of one inbox: decide, record, act.

Everything reaches the loop through the inbox: bars, order updates, the broker's answers, clock
readings, requests to stop. The engine decides, the journal makes its records durable, and only then
are its commands carried out. Nothing here waits for the broker.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta

from coordinator.core import messages as m
from coordinator.core import records as r
from coordinator.core.engine import Engine
from coordinator.core.lane import tickers_of
from coordinator.core.values import Bar
from coordinator.errors import BrokerUnavailable
from coordinator.shell.broker import Broker
from coordinator.shell.clerk import Clerk
from coordinator.shell.clock import BrokerClock
from coordinator.shell.errand_queue import ErrandQueue
from coordinator.shell.errands import Errands
from coordinator.shell.gap_repair import GapRepair
from coordinator.shell.inbox import ConfigChange, Inbox, Item, OperatorRequest, Stop
from coordinator.shell.intake import BarIntake
from coordinator.shell.journal import Journal
from coordinator.shell.journal_rows import Entry
from coordinator.shell.narrator import Narrator
from coordinator.shell.pace import Pace
from coordinator.shell.ports import Ports
from coordinator.shell.questions import Questions
from coordinator.shell.shadows import NO_SHADOWS, Following, Shadows
from coordinator.shell.stream_handlers import StreamHandlers
from coordinator.shell.ticks import Ticks
from coordinator.shell.watchdog import Watchdog

log = logging.getLogger("coordinator")
CLOSE_GRACE_S = 10.0
"""Broker seconds after the session's end in which the last bars may still come."""
DRAIN_S = 60.0
"""Broker seconds in which open orders may still end."""
CLOCK_POLL_S, LEAST_POLL_S = 15.0, 0.05
"""Broker seconds between two questions for its time, and at least so many local seconds."""
SKEW_S = 2.0
"""Seconds by which the broker's clock may differ from the expected time before it is logged."""
_HALTS = r.Killed | r.Paused | r.FlattenRequested


class LiveSession:
    """Runs an engine on the broker's messages until the session is over."""

    def __init__(
        self,
        engine: Engine,
        journal: Journal,
        session_id: str,
        ports: Ports,
        clock: BrokerClock,
        make_broker: Callable[[Pace], Broker],
        narrator: Narrator,
        shadows: Shadows = NO_SHADOWS,
    ) -> None:
        self.engine = engine
        self._journal = journal
        self._session_id = session_id
        self._monotonic = ports.monotonic
        self._clock = clock
        self._narrator, self.shadows = narrator, shadows
        self._following = Following(shadows)
        self._inbox = Inbox()
        books = engine.books
        self.watchdog = Watchdog(engine.plan, clock, ports.monotonic)
        self._queue = ErrandQueue(ports.workers.one("orders"), ports.monotonic, self._inbox.wake)
        to_ask = ports, make_broker, clock, books, self._deliver
        self._questions = Questions(*to_ask, self._queue.holds, self.watchdog.refused)
        self._errands = Errands(*to_ask, self._queue, self._questions)
        self.intake = BarIntake(
            engine.specs, engine.plan, books.last_bar, clock, ports.monotonic, shadows.specs
        )
        self.gap_repair = GapRepair(books, self._questions, self.watchdog, self.intake)
        lost_bar, lost_fill = self.gap_repair.after_a_lost_bar, self.gap_repair.after_a_lost_fill
        self.handlers = StreamHandlers(self._inbox.put, clock, ports.monotonic, lost_bar, lost_fill)
        self._ticks = Ticks(ports.tick_s, ports.monotonic)
        self._clock_due_s = ports.monotonic()
        """Local time at which the broker's clock is to be read next."""
        self._sight = True, frozenset[str]()
        """What the engine was told last: whether orders are seen, and tickers without a stream."""
        self.clerk = Clerk(engine, shadows, clock, self.watchdog, self._ticks, self._inbox)
        self._alarms = self.clerk.alarms
        self._stop: Stop | None = None
        self._over = False

    def on_stream_end(self, name: str) -> None:
        """A stream ended for good; the session ends with it."""
        self._inbox.put(Stop(name))

    def request_stop(self) -> None:
        """End the session early, in an orderly way."""
        self._inbox.put(Stop())

    def resume(self, unsent: Sequence[str]) -> None:
        """Go on where an earlier process stopped: send its `unsent` orders, look up the open ones,
        and fetch the bars missed since."""
        self._hear_others()  # an operator may have killed while it started
        self._commit(self.engine.resume(unsent, self._clock.now()))
        self.gap_repair.ask_for_orders()
        self.gap_repair.ask_for_bars()

    async def run(self, done: Callable[[], bool] = lambda: False) -> r.SessionEnd:
        """Trade until everything has closed, a stop is asked for or `done`; returns the status.

        Raises:
            BrokerUnavailable: a stream ended for good.
            StorageError: the journal cannot be written; nothing was sent after that.
        """
        try:
            await self._pump(lambda: self._over or self._stop is not None or done())
            self._take_bars(self.intake.flush())
            self._commit(self.engine.close(self._clock.now()))
            deadline_s = self._monotonic() + self._clock.local_s(DRAIN_S, least_s=2.0)
            orders = self.engine.books.orders
            await self._pump(
                lambda: not orders.open() or self._monotonic() >= deadline_s, deadline_s
            )
            self._queue.close()
            await self._pump(lambda: not self._inbox)
        finally:
            await self._queue.stop()
            await self._questions.stop()
            self._following.catch_up()
            self.handlers.tell_rest()
        if self._stop is not None and self._stop.lost:
            raise BrokerUnavailable(
                f"the {self._stop.lost} stream ended: the account's plan does not include it."
                ' Change the plan, or set "feed": "iex", and start again to go on'
            )
        return r.SessionEnd.COMPLETED if self._over else r.SessionEnd.STOPPED_EARLY

    async def _pump(self, done: Callable[[], bool], deadline_s: float | None = None) -> None:
        while not done():
            item = await self._next_item(deadline_s)
            if item is not None:
                self._take(item)
                if self._ticks.is_due:  # however busy the loop is
                    self._do_what_is_due()
                continue
            self._take_bars(self.intake.ripe())
            self._do_what_is_due()

    async def _next_item(self, deadline_s: float | None) -> Item | None:
        """The next message; None when a timer is due first."""
        if self._inbox:
            return self._inbox.take()
        idle = self._queue.is_empty and not self.intake.awaits_rest
        self._following.catch_up(at_rest=idle)
        self._journal.tidy(at_rest=idle)
        if idle:
            self.engine.lanes.rest()
        timers = (
            deadline_s,
            self.intake.due_s,
            self._queue.due_s,
            self._questions.due_s,
            self._ticks.due_s,
            self._clock_due_s,
        )
        due_s = min((timer for timer in timers if timer is not None), default=None)
        timeout_s = None if due_s is None else max(due_s - self._monotonic(), 0.0)
        return await self._inbox.wait(timeout_s)

    def _take(self, item: Item) -> None:
        match item:
            case tuple():
                self.watchdog.heard(*[bar.symbol for bar in item])
                for minute in self.intake.take(item):
                    self._take_bars(minute)
            case Stop():
                self._stop = item
            case m.ClockRead():
                self._take_clock(item)
            case m.BarsArrived():
                self._hear_others()  # an operator may have taken what these would spend
                if item.origin is r.Origin.BACKFILL:
                    self.watchdog.repaired(self.intake.unseen(item.bars))
                if self.engine.crosses:  # what is matched inside cannot be dropped any more
                    self._decide_informed(item)
                else:
                    self._commit(self.engine.handle(item))
                self._narrator.warmth(self.engine.lanes)
                if item.origin is r.Origin.BACKFILL:
                    for minute in self.intake.close_gap():
                        self._take_bars(minute)
                    self.gap_repair.answered(item.now)
            case OperatorRequest():
                outcome = self._decide_informed(item.message)
                if outcome.answer is not None and not item.answer.done():
                    item.answer.set_result(outcome.answer)
            case ConfigChange():
                self._reconfigure(item)
            case m.AccountSeen():
                self.watchdog.confirmed()
                self._decide_informed(item)
            case m.OrderUpdate():
                self._decide_informed(item)  # another coordinator may have booked a split before it
            case _:
                self._commit(self.engine.handle(item))

    def _take_clock(self, reading: m.ClockRead) -> None:
        if abs(step_s := self._clock.step_s(reading.now)) > SKEW_S:
            log.warning(
                "⚠ the broker's clock stepped by %.1f s; %s"
                " (if it is a simulator's that runs fast, give --clock-speed)",
                step_s,
                "it is followed"
                if step_s > 0
                else "time goes on here, for it is never turned back",
            )
        self._clock.advance(reading.now)
        self._commit(self.engine.handle(reading))
        self._do_what_is_due()
        self._over = reading.now >= self.engine.plan.end + timedelta(seconds=CLOSE_GRACE_S)

    def _reconfigure(self, change: ConfigChange) -> None:
        """Go on with another configuration, and fetch the bars of its new tickers."""
        answer: m.Answer | None = m.Answer(False, "Nothing was changed: the session ends.")
        if self._stop is None and not self._over:
            reload, before = change.complete(self._clock.now()), tickers_of(self.clerk.specs)
            answer = self._decide_informed(reload).answer
            if answer is not None and answer.done:
                self._narrator.follow(self.engine.specs)
                self._following.take_up(reload.beside)
                self.watchdog.follow(reload.setup.tickers)
                self.intake.follow(self.engine.specs, reload.setup.shadows)
                fresh = [ticker for ticker in reload.setup.tickers if ticker not in before]
                self.gap_repair.ask_for_bars(fresh, alone=True)
        if answer is not None and not change.answer.done():
            change.answer.set_result(answer)

    def _decide_informed(self, message: m.Message) -> m.Outcome:
        """Decide and record in one transaction, on all that other coordinators wrote before."""
        outcome = m.Outcome()

        def decided(others: Sequence[Entry]) -> Sequence[r.Record]:
            nonlocal outcome
            self._take_foreign(others)
            outcome = self.engine.handle(message)
            return outcome.records

        self._journal.append_decided(self._session_id, decided)
        self._carry_out(outcome)
        return outcome

    def _take_foreign(self, entries: Iterable[Entry]) -> None:
        records = [entry.record for entry in entries]
        for record in records:
            self.engine.books.apply_foreign(record)
        self._narrator.tell_others(records)
        self._alarms.on_foreign_records(records)
        if any(isinstance(record, _HALTS) for record in records):
            self._inbox.put(m.ClockRead(self._clock.now()))

    def _do_what_is_due(self) -> None:
        """Send and look up the orders that are due, ask for the time, and look around."""
        self._queue.go_on()
        self._questions.look_up_due()
        if self._monotonic() >= self._clock_due_s:
            wait_s = self._clock.local_s(CLOCK_POLL_S, least_s=LEAST_POLL_S)
            self._clock_due_s = self._monotonic() + wait_s
            self._questions.read_clock()
            for symbol in self.engine.without_rules():
                self._questions.read_asset(symbol)
        self._look_around()

    def _look_around(self) -> None:
        """Check the journal for others' records, the streams' states, and if the account is due."""
        self._ticks.tick()
        self._alarms.on_streams(self.watchdog.states(), self._clock.now())
        self._hear_others()
        sight = self.watchdog.sees_orders(), self.watchdog.blind()
        if sight != self._sight:
            self._sight = sight
            self._commit(self.engine.handle(m.SightChanged(self._clock.now(), *sight)))
        depth = self.watchdog.next_look(suspicious=self.engine.reconciler.is_suspicious)
        if depth is not None:
            self._questions.look(depth)
        if not self.intake.repairs:
            self.gap_repair.ask_for_bars(self.watchdog.tickers_to_ask())
        self.gap_repair.ask_again(self._clock.now())

    def _hear_others(self) -> None:
        if self._journal.has_news():
            self._take_foreign(self._journal.append(self._session_id, ()))

    def _take_bars(self, bars: tuple[Bar, ...]) -> None:
        if bars:
            self._clock.advance(bars[0].end)
            self._take(m.BarsArrived(self._clock.now(), bars, r.Origin.LIVE))

    def _commit(self, outcome: m.Outcome) -> None:
        if outcome.records:
            others = self._journal.append(self._session_id, outcome.records)
            self._take_foreign(others)
            if others and outcome.commands:
                outcome = self._reconsidered(outcome)
        self._carry_out(outcome)

    def _reconsidered(self, decided: m.Outcome) -> m.Outcome:
        """What others wrote just before may have taken what a decision would spend or sell."""
        again = self.engine.reconsider(decided.commands, self._clock.now())
        if again.records:
            self._take_foreign(self._journal.append(self._session_id, again.records))
        records = [*decided.records, *again.records]
        return m.Outcome(records, again.commands, decided.answer)

    def _carry_out(self, outcome: m.Outcome) -> None:
        """Start the commands of an outcome whose records are durable, and report the records."""
        self._hand_over(outcome)
        self._narrator.tell(outcome.records)
        self._alarms.on_records(outcome.records)
        self._following.saw(outcome.records)

    def _hand_over(self, outcome: m.Outcome) -> None:
        if outcome.commands:
            self._errands.carry_out(outcome.commands)

    def _deliver(self, messages: Iterable[m.Message]) -> None:
        for message in messages:
            self._inbox.put(message)
