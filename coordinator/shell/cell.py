"""One process of a user's rule: each answer has a time budget, and a fault ends it for good.

Cells are independent: the faults and the time of one never affect another.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
from collections.abc import Callable, Collection, Hashable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NoReturn

from coordinator.core.lane import SAYS_NOTHING
from coordinator.shell.explain_requests import ExplainRequests
from coordinator.shell.strategy_process import (
    StrategyDied,
    StrategyFault,
    StrategyHung,
    StrategyLeaked,
    StrategyMisanswered,
    StrategyProcess,
    StrategyRaised,
)
from coordinator.shell.work_ahead import Asking, WorkAhead

log = logging.getLogger("coordinator")


@dataclass(frozen=True, slots=True)
class Budget:
    """What one strategy may use, in local seconds and in bytes of memory.

    While an event loop waits, `answer_s` is for one bar (or, for a rule that gets the bars of a
    minute together, for all of them) and `minute_s` for the bars of one minute on all tickers.
    Before the session no loop waits, and first answers load and compile a lot: there `start_s` is
    for the start of each lane, and for what all answers take beyond `answer_s` each. `growth_bytes`
    counts from when it was ready.
    """

    answer_s: float = 1.0
    minute_s: float = 10.0
    start_s: float = 30.0
    growth_bytes: int = 512 * 2**20


class Cell:
    """A process that is forked at its first request.

    `serves` has the tickers of its lanes, or the tuples of tickers of joint lanes. `name` has the
    names of its strategies, for the log.
    """

    def __init__(
        self,
        fork: Callable[[], StrategyProcess],
        budget: Budget,
        serves: Collection[Hashable],
        name: str,
    ) -> None:
        self.serves, self.name = set(serves), name
        self._fork, self._budget = fork, budget
        self._process: StrategyProcess | None = None
        self._fault: StrategyFault | None = None
        self._lanes = itertools.count()
        self._minute: datetime | None = None
        self._left_s = 0.0
        self._spare_s = budget.start_s
        numbers = itertools.count()
        self._explains = ExplainRequests(lambda: next(numbers))
        self._requests = WorkAhead(lambda: next(numbers))

    def begin(self, tickers: Sequence[str] | None) -> int:
        """The number of a new lane; a joint lane names its tickers. Raises a StrategyFault."""
        lane = next(self._lanes)
        budget_s = self._budget.answer_s if _a_loop_waits() else self._budget.start_s
        kind, value = self._ask(lane, lambda: {"begin": tickers}, budget_s, "not ready")
        if kind != "begun":
            raise StrategyMisanswered(f"it answered {value} when it should begin")
        if self._process is not None:
            self._process.limit_growth(self._budget.growth_bytes)
        return lane

    def retire(self) -> None:
        """End its process for good: no strategy needs it any more."""
        self._fault = StrategyDied(f"its process {self.end() or 'has ended'}")

    def end(self) -> str:
        """End its process, if it has one; returns how it ended."""
        process, self._process = self._process, None
        return process.end() if process is not None else ""

    def explain(self, lane: int, ticker: str = "") -> dict[str, object]:
        """A lane's explanation of its last bar; the first call only requests it."""
        if self._fault is not None:
            return {SAYS_NOTHING: f"not asked: {self._fault}"}
        if self._process is None:
            return {}
        return self._explains.explain(self._process, (lane, ticker))

    async def wait_for_explanations(self) -> None:
        """Wait, without blocking the loop, for the requested explanations, EXPLAIN_S at most."""
        if self._process is not None:
            await self._explains.wait(self._process)

    def foresee(self, lane: int, request: Asking) -> None:
        """Let the process work ahead on what `step` will ask after what was foreseen before it.

        Only before the session: while a loop waits, each bar is asked for once it is there.
        """
        if self._fault is None and not _a_loop_waits():
            self._requests.foresee(lane, request)

    def step(self, start: datetime, lane: int, request: Asking) -> tuple[str, object]:
        """Kind and value of a lane's answer to the bars of minute `start`, within its budget."""
        if not _a_loop_waits():
            return self._ask_before_the_session(lane, request)
        self._explains.begin_bar()
        if start != self._minute:
            self._minute, self._left_s = start, self._budget.minute_s
        began_s = time.monotonic()
        answer = self._ask(lane, request, min(self._budget.answer_s, self._left_s))
        self._left_s = max(0.0, self._left_s - (time.monotonic() - began_s))
        return answer

    def _ask_before_the_session(self, lane: int, request: Asking) -> tuple[str, object]:
        began_s = time.monotonic()
        answer = self._ask(lane, request, self._budget.answer_s + self._spare_s)
        late_s = max(0.0, time.monotonic() - began_s - self._budget.answer_s)
        self._spare_s = max(0.0, self._spare_s - late_s)
        return answer

    def _ask(
        self, lane: int, request: Asking, budget_s: float, hung: str = ""
    ) -> tuple[str, object]:
        """Kind and value of the answer; `hung` describes a late one in the fault's text."""
        if self._fault is not None:
            raise self._fault
        try:
            self._process = self._process or self._fork()
            kind, value, said = self._requests.ask(self._process, lane, request, budget_s)
        except StrategyFault as fault:
            self._give_up(fault, hung, budget_s)
        for text in said:
            log.info("[%s] says: %s", self.name, text)
        if kind == "raised":
            raise StrategyRaised(str(value))
        return kind, value

    def _give_up(self, fault: StrategyFault, hung: str, budget_s: float) -> NoReturn:
        """End the process for good; raises the fault with a text that is the same every time."""
        how = self.end()
        match fault:
            case StrategyHung() if hung:
                text = f"{hung} within {budget_s:g} s"
            case StrategyHung() if budget_s > self._budget.answer_s:
                text = (
                    f"its answers before the session took {self._budget.start_s:g} s more than"
                    f" {self._budget.answer_s:g} s each"
                )
            case StrategyHung() if budget_s < self._budget.answer_s:
                text = f"it took more than {self._budget.minute_s:g} s for the bars of one minute"
            case StrategyHung():
                text = f"no answer within {budget_s:g} s"
            case StrategyLeaked():
                text = f"it has grown by more than {self._budget.growth_bytes / 2**20:g} MiB"
            case StrategyDied() if how:
                text = f"its process {how}"
            case _:
                text = str(fault)
        self._fault = type(fault)(text)
        raise self._fault from None


def _a_loop_waits() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
