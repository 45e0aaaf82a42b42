"""The queue of errands for one worker: exits before entries, first in first out within each.

The queue lives on the loop; only the work of an errand runs on the worker. Two errands about one
order never change places: a cancellation whose order is still queued removes it, and neither is
sent. The orders on a ticker need no more than that: the core never has opposite ones out together,
and those of one side have the same urgency.
"""

from __future__ import annotations

import logging
import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from coordinator.core import messages as m
from coordinator.errors import BrokerError
from coordinator.shell.budget import Urgency
from coordinator.shell.pace import NotYet
from coordinator.shell.workers import Worker

log = logging.getLogger("coordinator")
Deliver = Callable[[Iterable[m.Message]], None]
Work = Callable[[], list[m.Message]]


def _nothing() -> list[m.Message]:
    return []


@dataclass(frozen=True, slots=True)
class Errand:
    """A request to the broker about one order.

    `work` raises NotYet if the request budget is used up, or the broker busy; it is then run again
    from its start.
    `deliver` is called once on the loop, with the messages that `work` returned, or with those of
    `unsent` if it was never begun: removed by a cancellation, or still queued at `deadline_s` of
    local time.
    """

    urgency: Urgency
    order_id: str
    work: Work
    deliver: Deliver
    unsent: Work = _nothing
    deadline_s: float = math.inf
    cancels: bool = False


class ErrandQueue:
    """The errands of one worker; `go_on` must be called at `due_s`.

    `wake` is called when the end of an errand may have made `due_s` earlier.
    """

    def __init__(
        self, worker: Worker, monotonic: Callable[[], float], wake: Callable[[], None]
    ) -> None:
        self._worker = worker
        self._monotonic = monotonic
        self._wake = wake
        self._waiting: dict[Urgency, deque[Errand]] = {urgency: deque() for urgency in Urgency}
        self._admitted_s = dict.fromkeys(Urgency, -math.inf)
        self._soonest_s = math.inf
        """A lower bound of the queued deadlines: the errand that had it may have left."""
        self._under_way: Errand | None = None
        self._stopped = False

    @property
    def due_s(self) -> float | None:
        """Local time at which an errand may be begun or expires; None if there is none."""
        times = [self._soonest_s] if self._soonest_s < math.inf else []
        if self._under_way is None:
            first = next(self._queued(), None)
            times += [self._admitted_s[first.urgency]] if first is not None else []
        return min(times, default=None)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is queued or under way."""
        return self._under_way is None and next(self._queued(), None) is None

    def add(self, errand: Errand) -> None:
        """Queue an errand; it is begun at once if the worker is idle."""
        if errand.cancels and (order := self._take_out(errand.order_id)) is not None:
            order.deliver(order.unsent())
            return
        if errand.cancels and self._cancellations(errand.order_id):
            return
        if self._stopped:
            errand.deliver(errand.unsent())
            return
        self._waiting[errand.urgency].append(errand)
        self._soonest_s = min(self._soonest_s, errand.deadline_s)
        if self._under_way is None:
            self.go_on()

    def holds(self, order_id: str) -> bool:
        """Whether an order is queued, or being sent just now."""
        known = [self._under_way] if self._under_way is not None else []
        return any(e.order_id == order_id and not e.cancels for e in (*known, *self._queued()))

    def go_on(self) -> None:
        """Drop expired errands, and begin the first one if the worker is idle and it may."""
        if self._stopped:
            return
        now_s = self._monotonic()
        if self._soonest_s <= now_s:
            self._drop_late(now_s)
        first = next(self._queued(), None)
        idle = self._under_way is None
        if idle and first is not None and self._admitted_s[first.urgency] <= now_s:
            self._under_way = self._waiting[first.urgency].popleft()
            self._worker.submit(first.work, self._done, self._failed)

    def _drop_late(self, now_s: float) -> None:
        late = [errand for errand in self._queued() if errand.deadline_s <= now_s]
        for errand in late:
            self._waiting[errand.urgency].remove(errand)
        self._soonest_s = min((errand.deadline_s for errand in self._queued()), default=math.inf)
        for errand in late:
            log.warning("%s is not sent: its time was over before its turn", errand.order_id)
            errand.deliver(errand.unsent())

    def close(self) -> None:
        """Begin no errand any more, queued or added later; the one under way finishes."""
        self._stopped, self._soonest_s = True, math.inf
        for errand in list(self._queued()):
            self._waiting[errand.urgency].remove(errand)
            errand.deliver(errand.unsent())

    async def stop(self) -> None:
        """Finish what is under way, drop the queue, and end the worker."""
        self._stopped, self._soonest_s = True, math.inf
        for line in self._waiting.values():
            line.clear()
        await self._worker.stop()

    def _queued(self) -> Iterator[Errand]:
        """The queued errands, the most urgent first."""
        for urgency in Urgency:
            yield from self._waiting[urgency]

    def _take_out(self, order_id: str) -> Errand | None:
        """Remove an order from the queue and return it, if it is there."""
        for errand in self._queued():
            if errand.order_id == order_id and not errand.cancels:
                self._waiting[errand.urgency].remove(errand)
                return errand
        return None

    def _cancellations(self, order_id: str) -> list[Errand]:
        return [e for e in self._queued() if e.cancels and e.order_id == order_id]

    def _done(self, messages: Iterable[m.Message]) -> None:
        self._ended().deliver(messages)
        self._begin_next()

    def _failed(self, error: BaseException) -> None:
        errand = self._ended()
        if isinstance(error, NotYet):
            self._admitted_s[errand.urgency] = self._monotonic() + error.wait_s
            self._put_back(errand)
        else:
            bug = None if isinstance(error, BrokerError) else error
            text = "the broker could not be asked about %s: %s"
            log.warning(text, errand.order_id, error, exc_info=bug)
            errand.deliver(())
        self._begin_next()

    def _ended(self) -> Errand:
        errand, self._under_way = self._under_way, None
        assert errand is not None, "only what is under way can end"
        return errand

    def _begin_next(self) -> None:
        self.go_on()
        if self.due_s is not None:
            self._wake()

    def _put_back(self, errand: Errand) -> None:
        """Make it the first of its urgency again, unless it was cancelled meanwhile."""
        cancels = self._cancellations(errand.order_id)
        if not self._stopped and (errand.cancels or not cancels):
            self._waiting[errand.urgency].appendleft(errand)
            self._soonest_s = min(self._soonest_s, errand.deadline_s)
            return
        for cancel in cancels:
            self._waiting[cancel.urgency].remove(cancel)
        errand.deliver(errand.unsent())
