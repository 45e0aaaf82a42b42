"""Sends the engine's orders and cancellations to the broker, through a queue with one worker.

The loop never waits for them: answers come back to it as messages. An entry that is still queued
when its ticker's next bar is due is not sent any more. An order that was sent is looked up
(`questions.py`) until it has ended.
"""

from __future__ import annotations

import logging
import math
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import datetime
from decimal import Decimal
from functools import partial

from coordinator.core import messages as m
from coordinator.core.books import Books
from coordinator.core.values import MINUTE, Side
from coordinator.errors import BrokerBusy, BrokerRejected, BrokerUnavailable
from coordinator.shell.broker import Broker
from coordinator.shell.budget import Urgency
from coordinator.shell.clock import BrokerClock
from coordinator.shell.errand_queue import Deliver, Errand, ErrandQueue
from coordinator.shell.fields import Malformed, parse_qty
from coordinator.shell.pace import NotYet, Pace, impatient
from coordinator.shell.ports import Ports
from coordinator.shell.questions import Questions

log = logging.getLogger("coordinator")
DUPLICATE_ID, CONFLICT = "client_order_id must be unique", 409
"""Either refusal means that the order may exist already; only looking it up can tell."""
BUSY_S, LEAST_BUSY_S = 2.0, 0.1
"""Broker seconds, and local seconds at least, until an order that was answered with 429 is sent
again. Alpaca says of a 429 to wait and to retry; and it takes an id only once, so that an order
whose 429 were wrong would be found and not be doubled."""
MOST_BUSY = 30
"""How often an order is sent again for that; then its fate is unknown, and it is looked up."""
STANDSTILL_S = 10.0
"""Local seconds for which an entry may be queued, at least, under a clock faster than ours."""


class Errands:
    """Carries out commands; `deliver` is called on the loop with the resulting messages.

    Orders and cancellations go through `queue`, whose worker gets a REST session of its own from
    `make_broker`. `questions` looks orders up, and those that were sent until they have ended.
    """

    def __init__(
        self,
        ports: Ports,
        make_broker: Callable[[Pace], Broker],
        clock: BrokerClock,
        books: Books,
        deliver: Deliver,
        queue: ErrandQueue,
        questions: Questions,
    ) -> None:
        self._broker = make_broker(impatient(ports.turn))
        self._monotonic = ports.monotonic
        self._clock = clock
        self._books = books
        self._deliver = deliver
        self._queue = queue
        self._questions = questions
        self._busy = Counter[str]()
        """How often each order was answered with 429."""

    def carry_out(self, commands: Iterable[m.Command]) -> None:
        """Start commands in order; returns at once."""
        deadlines_s: dict[datetime, float] = {}
        for command in commands:
            match command:
                case m.SubmitOrder():
                    self._queue.add(self._sending(command, deadlines_s))
                case m.CancelOrder(client_order_id=order_id):
                    work = partial(self._cancel, command)
                    cancel = Errand(Urgency.EXIT, order_id, work, self._deliver, cancels=True)
                    self._queue.add(cancel)
                case m.LookUpOrder():
                    self._questions.look_up(command.client_order_id)

    def _sending(self, command: m.SubmitOrder, deadlines_s: dict[datetime, float]) -> Errand:
        """An order's errand; `deadlines_s` caches entries' deadlines by their time of decision."""
        order_id, deadline_s = command.client_order_id, math.inf
        is_exit = command.side is Side.SELL
        if not is_exit and (order := self._books.orders.get(order_id)) is not None:
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
        """The messages for an order that was never sent, or only answered with 429."""
        if order_id in self._busy:
            said = "the broker was busy, and its time was over before it could be sent again"
            return [m.SubmitUnclear(order_id, self._clock.now(), said)]
        return [m.OrderAbsent(order_id, self._clock.now())]

    def _deadline_s(self, decided_at: datetime) -> float:
        """Local time at which the next bar after an entry's decision is due.

        A broker's clock that is faster than ours may stand still, so its next bar may be later.
        """
        next_bar = decided_at.replace(second=0, microsecond=0) + MINUTE
        left_s = max((next_bar - self._clock.now()).total_seconds(), 0.0)
        least_s = 0.0 if self._clock.speed == 1 else STANDSTILL_S
        return self._monotonic() + self._clock.local_s(left_s, least_s=least_s)

    def _sent(self, order_id: str, messages: Iterable[m.Message]) -> None:
        """Deliver what came of sending an order, and have it looked up from now on."""
        self._questions.sent(order_id)
        self._deliver(messages)

    def _submit(self, command: m.SubmitOrder) -> list[m.Message]:
        order_id, now = command.client_order_id, self._clock.now()
        try:
            return [self._broker.submit(command)]
        except BrokerRejected as refusal:
            if refusal.status == CONFLICT or DUPLICATE_ID in refusal.message:
                return [m.SubmitUnclear(order_id, now, refusal.message)]
            return [m.SubmitRefused(order_id, now, refusal.message, _available(command, refusal))]
        except BrokerBusy as error:
            self._busy[order_id] += 1
            if self._busy[order_id] <= MOST_BUSY:
                raise NotYet(self._clock.local_s(BUSY_S, least_s=LEAST_BUSY_S)) from None
            return [m.SubmitUnclear(order_id, now, str(error))]
        except (BrokerUnavailable, Malformed) as error:
            return [m.SubmitUnclear(order_id, now, str(error))]

    def _cancel(self, command: m.CancelOrder) -> list[m.Message]:
        broker_order_id = command.broker_order_id
        if not broker_order_id:
            found = self._broker.order(command.client_order_id, urgency=Urgency.EXIT)
            if found is None:
                return []
            broker_order_id = found.broker_order_id
        try:
            self._broker.cancel(broker_order_id)
        except BrokerRejected as refusal:
            log.info("cancel of %s refused: %s", command.client_order_id, refusal.message)
        return []


def _available(refused: m.SubmitOrder, refusal: BrokerRejected) -> Decimal | None:
    """The units of which the broker would take a sale instead of this one; None if it says none."""
    said = refusal.body.get("available")
    if refused.side is not Side.SELL or said is None:
        return None  # of a buy it may be dollars
    with suppress(Malformed):
        return parse_qty(said, "a refusal")
    return None
