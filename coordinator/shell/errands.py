"""Errands to the broker: orders in line for one worker, questions on another.

The loop never waits for them: each answer comes back to it as messages. An entry that is still in
line when its ticker's next bar is due is not sent any more. An order that was sent and stays open
is looked up again and again (`pursuits.py`), until the broker's evidence ends it.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from coordinator.core import messages as m
from coordinator.core.books import Books
from coordinator.core.orders import Order
from coordinator.core.values import MINUTE, Side
from coordinator.errors import BrokerRejected, BrokerUnavailable
from coordinator.shell.broker import Broker
from coordinator.shell.budget import Urgency
from coordinator.shell.clock import BrokerClock
from coordinator.shell.evidence import successor
from coordinator.shell.fields import Malformed
from coordinator.shell.line import Deliver, Errand, Line, Work
from coordinator.shell.look import Looks
from coordinator.shell.lookout import Depth
from coordinator.shell.missed_bars import MissedBars
from coordinator.shell.pace import Pace, impatient, patient
from coordinator.shell.ports import Ports
from coordinator.shell.pursuits import Pursuits

log = logging.getLogger("coordinator")
DUPLICATE_ID, CONFLICT = "client_order_id must be unique", 409
"""Either says that the order may stand already; only a look at it tells."""
KEYS_REFUSED = (401, 403)
"""Answers to a question that are about who asks."""
PATIENCE_S = 15.0
"""Local seconds that a question waits for its turn; what still matters then is asked again."""
STANDSTILL_S = 10.0
"""Local seconds for which an entry may stand in line however fast the broker's clock, at least."""


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
        self._monotonic = ports.monotonic
        self._clock = clock
        self._books = books
        self._looking = False
        self._deliver = deliver
        self._keys_refused = keys_refused
        self._pursuits = Pursuits(books, clock, ports.monotonic)
        self._missed_bars = MissedBars(self._for_questions, clock, ports.sleep)

    @property
    def due_s(self) -> float | None:
        """Local time at which `pursue` has something to do next; None while it has nothing."""
        times = (self._pursuits.due_s, self._line.due_s)
        return min((one for one in times if one is not None), default=None)

    @property
    def all_sent(self) -> bool:
        """Whether no order or cancellation is in line, or on its way just now."""
        return self._line.is_empty

    def carry_out(self, commands: Iterable[m.Command]) -> None:
        """Start commands, in their order; returns at once."""
        deadlines_s: dict[datetime, float] = {}
        for command in commands:
            match command:
                case m.SubmitOrder():
                    self._line.add(self._sending(command, deadlines_s))
                case m.CancelOrder(client_order_id=order_id):
                    work = partial(self._cancel, command)
                    cancel = Errand(Urgency.EXIT, order_id, work, self._deliver, cancels=True)
                    self._line.add(cancel)
                case m.LookUpOrder():
                    self.look_up(command.client_order_id)

    def look_up(self, client_order_id: str) -> None:
        """Ask for an order soon: at once the first time, then at its own pace.

        One that has not left yet is not asked for.
        """
        order = self._books().orders.get(client_order_id)
        if order is None or self._line.holds(client_order_id):
            return
        self._pursuits.hasten(order)
        self.pursue()

    def pursue(self) -> None:
        """Send what may be sent now, and look up the open orders that are due."""
        self._line.go_on()
        for order in self._pursuits.due():
            self._ask(partial(self._find, order))

    def fetch_bars(self, starts: Mapping[str, datetime]) -> None:
        """Fetch the bars of each ticker that start at its time in `starts` or later.

        One BarsArrived of origin BACKFILL comes back, without bars if the broker does not answer.
        """
        self._ask(lambda: [self._missed_bars.since(starts)])

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

    def _sending(self, command: m.SubmitOrder, deadlines_s: dict[datetime, float]) -> Errand:
        """An order's errand; `deadlines_s` knows those of entries by their time of decision."""
        order_id, deadline_s = command.client_order_id, math.inf
        is_exit = command.side is Side.SELL
        if not is_exit and (order := self._books().orders.get(order_id)) is not None:
            decided_at = order.decided_at
            if decided_at not in deadlines_s:
                deadlines_s[decided_at] = self._deadline_s(decided_at)
            deadline_s = deadlines_s[decided_at]
        return Errand(
            Urgency.EXIT if is_exit else Urgency.ENTRY,
            order_id,
            partial(self._submit, command),
            partial(self._sent, order_id),
            partial(self._absent, order_id),
            deadline_s,
        )

    def _absent(self, order_id: str) -> list[m.Message]:
        """What follows for an order that was never sent."""
        return [m.OrderAbsent(order_id, self._clock.now())]

    def _deadline_s(self, decided_at: datetime) -> float:
        """Local time at which the next bar after an entry's decision is due.

        A clock that is faster than ours may stand still, so there the bar need not come so soon.
        """
        next_bar = decided_at.replace(second=0, microsecond=0) + MINUTE
        left_s = max((next_bar - self._clock.now()).total_seconds(), 0.0)
        least_s = 0.0 if self._clock.speed == 1 else STANDSTILL_S
        return self._monotonic() + self._clock.local_s(left_s, least_s=least_s)

    def _sent(self, order_id: str, messages: Iterable[m.Message]) -> None:
        """An order has left: from now on it is pursued until it has ended."""
        self._pursuits.begin(order_id)
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
            now = self._clock.now()
            return [m.OrderAbsent(order_id, now)] if self._pursuits.missed(order_id, now) else []
        self._pursuits.found(order_id)
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

    def _ask(self, work: Work) -> None:
        self._question_worker.submit(work, self._deliver, _not_asked)


def _not_asked(error: BaseException) -> None:
    log.warning("the broker could not be asked: %s", error)
