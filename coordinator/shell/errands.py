"""Errands to the broker: orders in line for one worker, questions on another.

The loop never waits for them: each answer comes back to it as messages. An entry that is still in
line when its ticker's next bar is due is not sent any more. An order that was sent and stays open
is looked up again and again, ever more rarely, until the broker's evidence ends it; only after
several look-ups in a row that do not find it does it count as never arrived.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

from coordinator.core import messages as m
from coordinator.core.books import Books
from coordinator.core.orders import Order
from coordinator.core.records import Origin
from coordinator.core.values import MINUTE, Bar, Side, is_crypto
from coordinator.errors import BrokerError, BrokerRejected, BrokerUnavailable
from coordinator.shell.broker import Broker
from coordinator.shell.budget import Urgency
from coordinator.shell.clock import BrokerClock
from coordinator.shell.evidence import successor
from coordinator.shell.fields import Malformed
from coordinator.shell.line import Deliver, Errand, Line, Work
from coordinator.shell.look import Looks
from coordinator.shell.lookout import Depth
from coordinator.shell.pace import Pace, impatient, patient
from coordinator.shell.ports import Ports

log = logging.getLogger("coordinator")
DUPLICATE_ID, CONFLICT = "client_order_id must be unique", 409
"""Either says that the order may stand already; only a look at it tells."""
KEYS_REFUSED = (401, 403)
"""Answers to a question that are about who asks."""
ORDER_DEADLINE_S = 10.0
"""Broker seconds after which an order that is still open is looked up."""
LONGEST_WAIT_S = 60.0
"""Broker seconds between two look-ups of one order, at most."""
LEAST_WAIT_S = 0.5
"""Local seconds between two look-ups of one order, at least, however fast the broker's clock."""
GAP_TRIES = 5
"""Requests for missed bars, GAP_WAIT_S broker seconds apart, before they are done without."""
GAP_WAIT_S = 2.0
ABSENT_AFTER, QUIET = 5, timedelta(seconds=60)
"""Look-ups in a row that must not find an order, and broker time since it was sent, before it
counts as never arrived: longer than a request can be under way."""
STUCK = timedelta(minutes=2)
"""Broker time after which an order that neither fills nor ends is told of, once."""
PATIENCE_S = 15.0
"""Local seconds that a question waits for its turn; what still matters then is asked again."""
STANDSTILL_S = 10.0
"""Local seconds for which an entry may stand in line however fast the broker's clock, at least."""


@dataclass(slots=True)
class _Pursuit:
    """How often an open order was looked up, and when to do it next (local time).

    `sent_at` is the broker's time at which it had been sent at the latest, as far as is known.
    """

    due_s: float
    sent_at: datetime
    tries: int = 0
    not_found: int = 0
    told: bool = False


class Errands:
    """Carries out commands. `deliver` is called on the loop with what comes back.

    `make_broker` gives each worker a REST session of its own; `keys_refused` is called when the
    broker will not show the account to us.
    """

    def __init__(
        self,
        ports: Ports,
        make_broker: Callable[[Pace], Broker],
        clock: BrokerClock,
        books: Callable[[], Books],
        deliver: Deliver,
        keys_refused: Callable[[], None] = lambda: None,
    ) -> None:
        self._for_orders = make_broker(impatient(ports.turn))
        self._for_questions = make_broker(patient(ports.turn, ports.sleep, patience_s=PATIENCE_S))
        self._looks = Looks(self._for_questions, books, clock.now())
        self._line = Line(ports.workers.one("orders"), ports.monotonic)
        self._question_worker = ports.workers.one("questions")
        self._monotonic, self._sleep = ports.monotonic, ports.sleep
        self._clock = clock
        self._books = books
        self._looking = False
        self._deliver = deliver
        self._keys_refused = keys_refused
        self._pursuits: dict[str, _Pursuit] = {}

    @property
    def due_s(self) -> float | None:
        """Local time at which `pursue` has something to do next; None while it has nothing."""
        times = [pursuit.due_s for pursuit in self._pursuits.values()]
        if (line_s := self._line.due_s) is not None:
            times.append(line_s)
        return min(times, default=None)

    @property
    def all_sent(self) -> bool:
        """Whether no order or cancellation is in line, or on its way just now."""
        return self._line.is_empty

    def carry_out(self, command: m.Command) -> None:
        """Start a command; returns at once."""
        match command:
            case m.SubmitOrder():
                self._line.add(self._sending(command))
            case m.CancelOrder(client_order_id=order_id):
                work = partial(self._cancel, command)
                self._line.add(Errand(Urgency.EXIT, order_id, work, self._deliver, cancels=True))
            case m.LookUpOrder():
                self.look_up(command.client_order_id)

    def look_up(self, client_order_id: str) -> None:
        """Ask for an order soon: at once the first time, then at its own pace.

        One that has not left yet is not asked for.
        """
        order = self._books().orders.get(client_order_id)
        if order is None or self._line.holds(client_order_id):
            return
        pursuit = self._pursuits.setdefault(client_order_id, _Pursuit(0.0, order.decided_at))
        if not pursuit.tries:
            pursuit.due_s = 0.0
        self.pursue()

    def pursue(self) -> None:
        """Send what may be sent now, and look up the open orders that are due.

        Each look-up of an order waits longer than the one before.
        """
        self._line.go_on()
        now_s = self._monotonic()
        for client_order_id, pursuit in list(self._pursuits.items()):
            order = self._books().orders.get(client_order_id)
            if order is None or not order.is_open:
                del self._pursuits[client_order_id]
            elif now_s >= pursuit.due_s:
                self._tell_if_stuck(order, pursuit)
                wait_s = min(2.0 ** min(pursuit.tries, 10), LONGEST_WAIT_S)
                pursuit.tries += 1
                pursuit.due_s = now_s + self._clock.local_s(
                    wait_s, least_s=min(wait_s, LEAST_WAIT_S)
                )
                self._ask(partial(self._find, order))

    def _tell_if_stuck(self, order: Order, pursuit: _Pursuit) -> None:
        if not pursuit.told and self._clock.now() - order.decided_at > STUCK:
            pursuit.told = True
            log.warning(
                "[%s] ⚠ order %s is %s since %s: it is asked for until the broker says more",
                order.strategy,
                order.client_order_id,
                order.status.value,
                order.decided_at,
            )

    def fetch_bars(self, starts: Mapping[str, datetime]) -> None:
        """Fetch the bars of each ticker that start at its time in `starts` or later.

        One BarsArrived of origin BACKFILL comes back, without bars if the broker does not answer.
        """
        self._ask(lambda: self._gap(starts))

    def look(self, depth: Depth) -> None:
        """Take a look at the account, unless one is under way."""
        if not self._looking:
            self._looking, version = True, self._books().posted.version
            work = partial(self._look, version, depth)
            self._question_worker.submit(work, self._deliver, self._not_looked)

    def read_clock(self) -> None:
        """Ask for the broker's time."""
        self._ask(lambda: [m.ClockRead(self._for_questions.clock())])

    def close(self) -> None:
        """Send no order any more; those in line come back as never sent."""
        self._line.close()

    async def stop(self) -> None:
        """Finish what is under way and end both workers."""
        await self._line.stop()
        await self._question_worker.stop()

    def _sending(self, command: m.SubmitOrder) -> Errand:
        order_id = command.client_order_id
        return Errand(
            Urgency.EXIT if command.side is Side.SELL else Urgency.ENTRY,
            order_id,
            partial(self._submit, command),
            partial(self._sent, order_id),
            unsent=lambda: [m.OrderAbsent(order_id, self._clock.now())],
            deadline_s=self._deadline_s(command),
        )

    def _deadline_s(self, command: m.SubmitOrder) -> float:
        """Local time at which the next bar after an entry's decision is due.

        A clock that is faster than ours may stand still, so there the bar need not come so soon.
        """
        order = self._books().orders.get(command.client_order_id)
        if order is None or order.side is Side.SELL:
            return math.inf
        next_bar = order.decided_at.replace(second=0, microsecond=0) + MINUTE
        left_s = max((next_bar - self._clock.now()).total_seconds(), 0.0)
        least_s = 0.0 if self._clock.speed == 1 else STANDSTILL_S
        return self._monotonic() + self._clock.local_s(left_s, least_s=least_s)

    def _sent(self, order_id: str, messages: Iterable[m.Message]) -> None:
        """An order has left: from now on it is pursued until it has ended."""
        wait_s = self._clock.local_s(ORDER_DEADLINE_S, least_s=LEAST_WAIT_S)
        self._pursuits[order_id] = _Pursuit(self._monotonic() + wait_s, self._clock.now())
        self._deliver(messages)

    def _submit(self, command: m.SubmitOrder) -> list[m.Message]:
        order_id, now = command.client_order_id, self._clock.now()
        try:
            return [self._for_orders.submit(command)]
        except BrokerRejected as refusal:
            if refusal.status == CONFLICT or DUPLICATE_ID in refusal.message:
                return [m.SubmitUnclear(order_id, now, refusal.message)]
            return [m.SubmitRefused(order_id, now, refusal.message)]
        except (BrokerUnavailable, Malformed) as error:
            return [m.SubmitUnclear(order_id, now, str(error))]

    def _cancel(self, command: m.CancelOrder) -> list[m.Message]:
        broker_order_id = command.broker_order_id
        if not broker_order_id:
            found = self._for_orders.order(command.client_order_id, urgency=Urgency.EXIT)
            if found is None:
                return []
            broker_order_id = found.broker_order_id
        try:
            self._for_orders.cancel(broker_order_id)
        except BrokerRejected as refusal:
            log.info("cancel of %s refused: %s", command.client_order_id, refusal.message)
        return []

    def _find(self, order: Order) -> list[m.Message]:
        """What the broker knows of an order, an update for each of its executions."""
        order_id = order.client_order_id
        found = self._for_questions.order(order_id)
        if found is None:
            return self._missed(order)
        if (pursuit := self._pursuits.get(order_id)) is not None:
            pursuit.not_found = 0
        if (order.symbol, order.side, order.qty) != (found.symbol, found.side, found.qty):
            return [m.SubmitRefused(order_id, found.at, "another order stands under this id")]
        instead = successor(found, self._for_questions)
        if not found.filled_qty:
            return [found, *instead]
        since = (found.submitted_at or found.at) - timedelta(minutes=1)
        executions = self._for_questions.executions(found.broker_order_id, since)
        told = [replace(found, execution=execution) for execution in executions] or [found]
        return [*told, *instead]

    def _look(self, version: int, depth: Depth) -> list[m.Message]:
        try:
            return [self._looks.take(version, depth)]
        finally:
            self._looking = False

    def _not_looked(self, error: BaseException) -> None:
        _not_asked(error)
        if isinstance(error, BrokerRejected) and error.status in KEYS_REFUSED:
            self._keys_refused()

    def _missed(self, order: Order) -> list[m.Message]:
        pursuit, now = self._pursuits.get(order.client_order_id), self._clock.now()
        if pursuit is None:
            return []
        pursuit.not_found += 1
        if pursuit.not_found < ABSENT_AFTER or now - pursuit.sent_at < QUIET:
            return []
        return [m.OrderAbsent(order.client_order_id, now)]

    def _gap(self, starts: Mapping[str, datetime]) -> list[m.Message]:
        for attempt in range(GAP_TRIES):
            if attempt:
                self._sleep(self._clock.local_s(GAP_WAIT_S, least_s=0.1))
            try:
                return self._bars_since(starts)
            except BrokerError as error:
                log.warning("missed bars could not be fetched: %s", error)
        return [m.BarsArrived(self._clock.now(), (), Origin.BACKFILL)]

    def _bars_since(self, starts: Mapping[str, datetime]) -> list[m.Message]:
        broker = self._for_questions
        now = broker.clock()
        found: list[Bar] = []
        for crypto in (False, True):
            tickers = [ticker for ticker in starts if is_crypto(ticker) is crypto]
            if tickers:
                first = min(starts[ticker] for ticker in tickers)
                page = broker.bars(tickers, first, now)
                found += [bar for bars in page.values() for bar in bars if bar.end <= now]
        return [m.BarsArrived(now, tuple(found), Origin.BACKFILL)]

    def _ask(self, work: Work) -> None:
        self._question_worker.submit(work, self._deliver, _not_asked)


def _not_asked(error: BaseException) -> None:
    log.warning("the broker could not be asked: %s", error)
