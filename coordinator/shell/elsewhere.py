"""A user's rule as the core sees it: like any other, but its steps run in a process of its own.

A step asks the process, and raises a StrategyFault when the strategy raised, gave no answer in
time, ended, grew without end, or answered no signal. The loop waits for an answer, as it does for a
strategy of ours, and what the streams receive meanwhile waits in line. So the most that a strategy
that hangs can cost the others is its budget, once: after that it is never asked again. What it says
in explanation is waited for beside the loop (`asking.py`); a bar that comes meanwhile waits until
the process has said it, EXPLAIN_S at most.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, NoReturn

from coordinator.core.explanation import SAYS_NOTHING
from coordinator.core.lanes import StrategySpec
from coordinator.core.together import JointStep
from coordinator.core.values import Bar
from coordinator.shell.asking import Asking
from coordinator.shell.rehearsal import Rehearsal
from coordinator.shell.strategy_process import (
    UNREADABLE,
    StrategyDied,
    StrategyFault,
    StrategyHung,
    StrategyLeaked,
    StrategyMisanswered,
    StrategyProcess,
    StrategyRaised,
)
from coordinator.shell.worker_process import Request, bar_values

log = logging.getLogger("coordinator")
SIGNALS = (1, -1, 0)


@dataclass(frozen=True, slots=True)
class Budget:
    """What one strategy may take, in local seconds and in bytes of memory.

    `answer_s` is for one bar and `minute_s` for those of one minute on all its tickers together,
    while a loop waits; who sees them together has `answer_s` for them all. Before the session no
    loop waits, and first answers load and compile a lot: there `start_s` holds, for getting ready
    on a ticker and for each answer. `growth_bytes` counts from when it was ready.
    """

    answer_s: float = 1.0
    minute_s: float = 10.0
    start_s: float = 30.0
    growth_bytes: int = 512 * 2**20


class Elsewhere:
    """A rule whose steps run elsewhere; one object for all strategies that share the rule.

    No code of the user's runs here: how far it looks back was asked before, and equality is the
    object's own. `fork` gives its process, which has the rule.
    """

    def __init__(
        self, specs: Sequence[StrategySpec], fork: Callable[[], StrategyProcess], budget: Budget
    ) -> None:
        self.longest_window = specs[0].rule.longest_window
        self.history_bars = specs[0].history_bars
        self.is_known_as([spec.name for spec in specs])
        self._fork = fork
        self._one = threading.Lock()
        self._begin_s = budget.start_s
        self._budget = budget
        self._process: StrategyProcess | None = None
        self._fault: StrategyFault | None = None
        self._lanes = itertools.count()
        self._requests = itertools.count()
        self._minute: datetime | None = None
        self._left_s = 0.0
        self._asking = Asking(lambda: next(self._requests))
        self._rehearsal: Rehearsal | None = None

    def start(self) -> Callable[[Bar], int]:
        """A fresh step, in the strategy's process; if it cannot be had, one that says why.

        After a rehearsal it is one that goes on from what was rehearsed.
        """
        return self._begun(self._fresh)

    def is_known_as(self, names: Iterable[str]) -> None:
        """The strategies that it serves from now on."""
        self._name = ", ".join(names)

    @contextmanager
    def rehearsing(self, *, beside_a_loop: bool) -> Iterator[None]:
        """Lanes that are made and fed meanwhile are those that are taken up later.

        One that cannot be had raises its StrategyFault. `beside_a_loop` that asks it too, none of
        its answers may take longer than that loop would wait.
        """
        self._rehearsal = Rehearsal()
        self._begin_s = self._budget.answer_s if beside_a_loop else self._budget.start_s
        try:
            yield
        finally:
            self._rehearsal.end()
            self._begin_s = self._budget.start_s

    def forget_rehearsal(self) -> None:
        """Lanes that begin from now on begin by themselves."""
        self._rehearsal = None

    def retire(self) -> None:
        """End its process for good: nobody is served by it any more."""
        self._fault = StrategyDied(f"its process {self.end() or 'has ended'}")

    def _begun(self, fresh: Callable[[], Callable[[Any], Any]]) -> Callable[[Any], Any]:
        if self._rehearsal is not None:
            return self._rehearsal.start(fresh)
        try:
            return fresh()
        except StrategyFault as fault:
            return partial(_refuse, fault)

    def _fresh(self) -> Callable[[Bar], int]:
        lane = next(self._lanes)
        self._begin(lane, None)
        return _Step(self, lane).step

    def end(self) -> str:
        """End its process, if it has one; how that ended."""
        process, self._process = self._process, None
        return process.end() if process is not None else ""

    def step(self, lane: int, bar: Bar) -> int:
        """The signal at a bar's close, within the budget."""
        match self._at(bar.start, lane, {"bar": bar_values(bar)}):
            case "signal", int() as signal if signal in SIGNALS:
                return signal
            case _, value:
                raise StrategyMisanswered(f"it answered {value}; it must answer 1, -1 or 0")

    def explain(self, lane: int, ticker: str = "") -> dict[str, object]:
        """What a lane's step said that it saw at its last bar; the first time it is only asked."""
        if self._fault is not None:
            return {SAYS_NOTHING: f"not asked: {self._fault}"}
        if self._process is None:
            return {}
        return self._asking.explain(_Beside(self._process, self._one), (lane, ticker))

    async def hear(self) -> None:
        """Wait beside the loop until what was asked is answered, EXPLAIN_S at most."""
        if self._process is not None:
            await self._asking.hear(_Beside(self._process, self._one))

    def _begin(self, lane: int, tickers: Sequence[str] | None) -> None:
        """Have a lane begun; one that looks at several tickers names them."""
        budget_s = self._budget.answer_s if _a_loop_waits() else self._begin_s
        kind, value = self._ask(lane, {"begin": tickers}, budget_s, "not ready")
        if kind != "begun":
            raise StrategyMisanswered(f"it answered {value} when it should begin")
        if self._process is not None:
            self._process.limit_growth(self._budget.growth_bytes)

    def _at(self, start: datetime, lane: int, request: Request) -> tuple[str, object]:
        """Kind and value of the answer at the bars of a minute, within what is left of it."""
        if not _a_loop_waits():
            return self._ask(lane, request, self._begin_s)
        self._asking.begin_bar()
        if start != self._minute:
            self._minute, self._left_s = start, self._budget.minute_s
        began_s = time.monotonic()
        answer = self._ask(lane, request, min(self._budget.answer_s, self._left_s))
        self._left_s = max(0.0, self._left_s - (time.monotonic() - began_s))
        return answer

    def _ask(
        self, lane: int, request: Request, budget_s: float, hung: str = ""
    ) -> tuple[str, object]:
        """Kind and value of an answer that is due; `hung` says what it did not do in time."""
        if self._fault is not None:
            raise self._fault
        with self._one:
            try:
                kind, value, said = self._exchange(lane, request, budget_s)
            except StrategyFault as fault:
                self._give_up(fault, hung, budget_s)
        for text in said:
            log.info("[%s] says: %s", self._name, text)
        if kind == "raised":
            raise StrategyRaised(str(value))
        return kind, value

    def _exchange(
        self, lane: int, request: Request, budget_s: float
    ) -> tuple[str, object, list[object]]:
        """Kind, value and what the strategy printed meanwhile."""
        number = next(self._requests)
        if self._process is None:
            self._process = self._fork()
        match self._process.ask(number, [lane, request], budget_s):
            case [answered, str(kind), value, list(said)] if answered == number:
                return kind, value, said
        raise StrategyMisanswered(UNREADABLE)

    def _give_up(self, fault: StrategyFault, hung: str, budget_s: float) -> NoReturn:
        """End the process for good; raises in words that are the same in every such case."""
        how = self.end()
        match fault:
            case StrategyHung() if hung:
                text = f"{hung} within {budget_s:g} s"
            case StrategyHung() if budget_s not in (self._budget.answer_s, self._budget.start_s):
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


class TogetherElsewhere(Elsewhere):
    """The same of a rule that looks at several tickers at once."""

    def start_together(self, tickers: tuple[str, ...]) -> JointStep:
        """As `start`, of a step for all of these tickers."""
        return self._begun(partial(self._fresh_together, tickers))

    def _fresh_together(self, tickers: tuple[str, ...]) -> JointStep:
        lane = next(self._lanes)
        self._begin(lane, tickers)
        return _JointStep(self, lane).step

    def step_together(self, lane: int, bars: Mapping[str, Bar]) -> dict[str, int]:
        """The signals by ticker at a minute's close, within the budget."""
        start = next(iter(bars.values())).start
        request = {"bars": [bar_values(bar) for bar in bars.values()]}
        match self._at(start, lane, request):
            case "signals", dict() as signals if all(one in SIGNALS for one in signals.values()):
                return signals
            case _, value:
                raise StrategyMisanswered(
                    f"it answered {value}; it must answer 1, -1 or 0 by ticker"
                )


@dataclass(frozen=True, slots=True)
class _Beside:
    """A strategy's process for questions beside the loop: not while another thread asks it."""

    process: StrategyProcess
    one: threading.Lock

    def fileno(self) -> int:
        return self.process.fileno()

    def post(self, number: int, request: Sequence[object]) -> None:
        if not self.one.acquire(blocking=False):
            raise StrategyFault("not asked: it takes its history; ask again after its next bar")
        try:
            self.process.post(number, request)
        finally:
            self.one.release()

    def answers(self) -> list[tuple[int, str, object]]:
        if not self.one.acquire(blocking=False):
            return []
        try:
            return self.process.answers()
        finally:
            self.one.release()


@dataclass(frozen=True, slots=True)
class _Step:
    """A step in the strategy's process."""

    rule: Elsewhere
    lane: int

    def step(self, bar: Bar) -> int:
        return self.rule.step(self.lane, bar)

    def explain(self) -> dict[str, object]:
        return self.rule.explain(self.lane)


@dataclass(frozen=True, slots=True)
class _JointStep:
    """A step of several tickers in the strategy's process."""

    rule: TogetherElsewhere
    lane: int

    def step(self, bars: Mapping[str, Bar]) -> dict[str, int]:
        return self.rule.step_together(self.lane, bars)

    def explain(self, ticker: str) -> dict[str, object]:
        return self.rule.explain(self.lane, ticker)


def _a_loop_waits() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _refuse(fault: StrategyFault, _bars: Any) -> NoReturn:
    raise fault
