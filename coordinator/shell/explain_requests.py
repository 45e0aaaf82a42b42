"""Explanations of a user's strategy, requested from its process without blocking the loop.

The first call of `explain` sends a question, `wait` awaits the answers, and the second call returns
its answer. All questions between two bars of a strategy share EXPLAIN_S, which its process enforces
as well. A bar has precedence: questions still unanswered then are dropped, because the strategy's
state is no longer the one that was asked about.
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
"""Local seconds for the process's message that an explanation took too long."""
LATE = f"no answer within {EXPLAIN_S:g} s; ask again after its next bar"
ENDED = "not asked: its process has ended"
PENDING = "no answer yet; ask again"
SPENT = f"not asked: {EXPLAIN_S:g} s went into others since its last bar; ask again after the next"

Question = tuple[int, str]
"""A lane, and for a joint lane one of its tickers."""


class Channel(Protocol):
    """The connection to the process."""

    def fileno(self) -> int:
        """A file descriptor that becomes readable when the process answers."""

    def post(self, number: int, request: Sequence[object]) -> None:
        """Send a request without waiting; raises a StrategyFault if the process has ended."""

    def answers(self) -> list[tuple[int, str, object]]:
        """Number, kind and value of each answer received by now; raises a StrategyFault."""


class ExplainRequests:
    """The questions to one process since its last bar, and their answers.

    `next_number` gives each request its number.
    """

    def __init__(self, next_number: Callable[[], int]) -> None:
        self._next_number = next_number
        self._asked: dict[int, Question] = {}
        self._answers: dict[Question, dict[str, object]] = {}
        self._left_s, self._began_s = EXPLAIN_S, 0.0
        self._woken: asyncio.Event | None = None

    def begin_bar(self) -> None:
        """A bar is about to be sent: drop questions and answers from before it."""
        if self._asked or self._answers or self._left_s < EXPLAIN_S:
            self._asked.clear()
            self._answers.clear()
            self._left_s = EXPLAIN_S
            if self._woken is not None:
                self._woken.set()

    def explain(self, channel: Channel, question: Question) -> dict[str, object]:
        """The answer if there is one; else the reason why not, and the question is sent."""
        if question not in self._answers and question not in self._asked.values():
            if self._left_s <= 0:
                return {SAYS_NOTHING: SPENT}
            self._ask(channel, question)
        return self._answers.get(question, {SAYS_NOTHING: PENDING})

    async def wait(self, channel: Channel) -> None:
        """Wait for the answers to all questions, as long as there is time; call on the loop."""
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
        number, (lane, ticker) = self._next_number(), question
        until_s = self._began_s + self._left_s
        try:
            channel.post(number, [lane, {"explain": ticker, "until_s": until_s}])
        except StrategyFault as fault:  # the next bar meets it too, and ends the process
            self._answers[question] = {SAYS_NOTHING: str(fault) or ENDED}
        else:
            self._asked[number] = question

    async def _readable(self, channel: Channel) -> None:
        """Wait until an answer or a bar arrives; the first waiter registers the reader for all."""
        if self._woken is not None:
            await self._woken.wait()
            return
        loop, woken, file = asyncio.get_running_loop(), asyncio.Event(), channel.fileno()
        self._woken = woken
        loop.add_reader(file, woken.set)
        try:
            await woken.wait()
        finally:
            self._woken = None
            loop.remove_reader(file)
            woken.set()

    def _take(self, channel: Channel) -> None:
        waiting = bool(self._asked)
        try:
            for number, kind, value in channel.answers():
                question = self._asked.pop(number, None)
                if question is not None and kind == "explained" and isinstance(value, dict):
                    self._answers[question] = value
        except StrategyFault as fault:
            self._answer_all(str(fault) or ENDED)
        if waiting and not self._asked:
            self._left_s -= time.monotonic() - self._began_s

    def _give_up(self) -> None:
        """No time is left until the next bar; answers that still come are ignored."""
        self._answer_all(LATE)
        self._left_s = 0.0

    def _answer_all(self, reason: str) -> None:
        self._answers |= {question: {SAYS_NOTHING: reason} for question in self._asked.values()}
        self._asked.clear()
