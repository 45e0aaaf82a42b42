"""What a user's strategy says that it saw, asked of its process beside the loop.

Whoever explains asks first, waits without the loop, and looks again: `explain` sends a question the
first time and tells its answer the second, `hear` waits in between. All questions between two bars
of a strategy have EXPLAIN_S together, which its process heeds as well. A bar goes first: what was
asked before it and not answered is forgotten, because the step has seen more by then.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Protocol

from coordinator.core.lane import SAYS_NOTHING
from coordinator.shell.strategy_process import StrategyFault
from coordinator.shell.worker_process import EXPLAIN_S

GRACE_S = 0.1
"""Local seconds for the word that an explanation took too long."""
LATE = f"no answer within {EXPLAIN_S:g} s; ask again after its next bar"
ENDED = "not asked: its process has ended"
PENDING = "no answer yet; ask again"
SPENT = f"not asked: {EXPLAIN_S:g} s went into others since its last bar; ask again after the next"

Question = tuple[int, str]
"""A lane, and of one that looks at several tickers which of them."""


class Channel(Protocol):
    """The process that is asked."""

    def fileno(self) -> int:
        """What becomes readable when it answers."""

    def post(self, number: int, request: Sequence[object]) -> None:
        """Ask, and do not wait; raises a StrategyFault if it has ended."""

    def answers(self) -> list[tuple[int, str, object]]:
        """Number, kind and value of what it has answered by now; raises a StrategyFault."""


class ExplainRequests:
    """The questions of one strategy's process since its last bar, and what was answered."""

    def __init__(self, number: Callable[[], int]) -> None:
        self._number = number
        self._asked: dict[int, Question] = {}
        self._told: dict[Question, dict[str, object]] = {}
        self._left_s, self._began_s = EXPLAIN_S, 0.0
        self._woken: asyncio.Event | None = None

    def begin_bar(self) -> None:
        """A bar is on its way to the process: what it was asked before is of no interest."""
        if self._asked or self._told or self._left_s < EXPLAIN_S:
            self._asked.clear()
            self._told.clear()
            self._left_s = EXPLAIN_S
            if self._woken is not None:
                self._woken.set()

    def explain(self, channel: Channel, question: Question) -> dict[str, object]:
        """The answer, if there is one; else why not yet, and it is asked if it was not."""
        if question not in self._told and question not in self._asked.values():
            if self._left_s <= 0:
                return {SAYS_NOTHING: SPENT}
            self._ask(channel, question)
        return self._told.get(question, {SAYS_NOTHING: PENDING})

    async def hear(self, channel: Channel) -> None:
        """Wait for the answers to what was asked, as long as there is time; call on the loop."""
        while self._asked:
            left_s = self._began_s + self._left_s + GRACE_S - time.monotonic()
            if left_s <= 0:
                self._give_up()
                return
            with suppress(TimeoutError):
                async with asyncio.timeout(left_s):
                    await self._readable(channel)
            self._take(channel)

    def _ask(self, channel: Channel, question: Question) -> None:
        if not self._asked:
            self._began_s = time.monotonic()
        number, (lane, ticker) = self._number(), question
        until_s = self._began_s + self._left_s
        try:
            channel.post(number, [lane, {"explain": ticker, "until_s": until_s}])
        except StrategyFault as fault:  # the next bar finds it, and ends the process
            self._told[question] = {SAYS_NOTHING: str(fault) or ENDED}
        else:
            self._asked[number] = question

    async def _readable(self, channel: Channel) -> None:
        """Wait until something is answered, or a bar came; who waits first listens for all."""
        if self._woken is not None:
            await self._woken.wait()
            return
        loop, woken, door = asyncio.get_running_loop(), asyncio.Event(), channel.fileno()
        self._woken = woken
        loop.add_reader(door, woken.set)
        try:
            await woken.wait()
        finally:
            self._woken = None
            loop.remove_reader(door)
            woken.set()

    def _take(self, channel: Channel) -> None:
        waiting = bool(self._asked)
        try:
            for number, kind, value in channel.answers():
                question = self._asked.pop(number, None)
                if question is not None and kind == "explained" and isinstance(value, dict):
                    self._told[question] = value
        except StrategyFault as fault:
            self._tell_all(str(fault) or ENDED)
        if waiting and not self._asked:
            self._left_s -= time.monotonic() - self._began_s

    def _give_up(self) -> None:
        """Time is over until the next bar; what still comes is passed over."""
        self._tell_all(LATE)
        self._left_s = 0.0

    def _tell_all(self, words: str) -> None:
        self._told |= {question: {SAYS_NOTHING: words} for question in self._asked.values()}
        self._asked.clear()
