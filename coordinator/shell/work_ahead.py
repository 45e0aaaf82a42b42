"""The requests to one process of a user's rule, some of which are sent before they are asked.

A process that is asked bar by bar waits for us after each bar, and we for it: over a history that
takes longer than all its answers. What is foreseen is sent in advance, about a minute's bars at a
time. Each answer is still awaited for itself, with its own budget, when it is asked for.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

from coordinator.shell.strategy_process import (
    UNREADABLE,
    StrategyDied,
    StrategyMisanswered,
    StrategyProcess,
)
from coordinator.shell.worker_process import FAULTY, Request, line

Asking = Callable[[], Request]
"""Makes a request, once it is sent."""


class _Sent(NamedTuple):
    number: int
    lane: int
    size: int


class WorkAhead:
    """The requests to one process, in the order in which they are asked.

    `next_number` gives each its number.
    """

    def __init__(self, next_number: Callable[[], int]) -> None:
        self._next_number = next_number
        self._foreseen = deque[tuple[int, Asking]]()
        self._sent = deque[_Sent]()
        self._under_way = 0
        """Bytes of what is sent and not answered."""
        self._failed = set[int]()
        """Lanes that a faulty answer has ended; their process steps them no more."""

    def foresee(self, lane: int, request: Asking) -> None:
        """Note a request of a lane that will be asked after those noted before it."""
        self._foreseen.append((lane, request))

    def ask(
        self, process: StrategyProcess, lane: int, request: Asking, budget_s: float
    ) -> tuple[str, object, list[object]]:
        """Kind and value of the answer, and what the strategy printed meanwhile.

        Raises:
            StrategyFault: the process is to be ended.
        """
        if not (self._sent or self._foreseen):
            self.foresee(lane, request)
        self._send(process)
        if self._sent[0].lane != lane:
            raise StrategyMisanswered(UNREADABLE)
        kind, value, said = self._next_answer(process, budget_s)
        if kind in FAULTY:
            self._failed.add(lane)
            self._foreseen = deque(one for one in self._foreseen if one[0] != lane)
        while self._sent and self._sent[0].lane in self._failed:
            self._next_answer(process, budget_s)
        return kind, value, said

    def _send(self, process: StrategyProcess) -> None:
        """Send what is foreseen, as much as may be under way, once half of that is answered."""
        most = process.room_bytes
        if self._under_way > most // 2:
            return
        requests = []
        while self._foreseen and (not self._sent or self._under_way < most):
            lane, request = self._foreseen.popleft()
            sent = _Sent(self._next_number(), lane, 0)
            requests.append(line([sent.number, lane, request()]))
            self._sent.append(sent._replace(size=len(requests[-1])))
            self._under_way += len(requests[-1])
        if requests:
            with suppress(StrategyDied):  # what it answered before that is read first, and tells
                process.send(b"".join(requests))

    def _next_answer(
        self, process: StrategyProcess, budget_s: float
    ) -> tuple[str, object, list[object]]:
        sent = self._sent.popleft()
        self._under_way -= sent.size
        match process.answer(budget_s, more=bool(self._sent)):
            case [answered, str(kind), value, list(said)] if answered == sent.number:
                return kind, value, said
        raise StrategyMisanswered(UNREADABLE)
