"""Users' strategies run in processes of their own, so that one that fails stops alone.

The core sees a Rule like any other. Its step asks the process, and raises a StrategyFault when the
strategy raised, gave no answer in time, ended, grew without end, or answered no signal. The loop
waits for an answer, as it does for a strategy of ours, and what the streams receive meanwhile
waits in line. So the most that a strategy that hangs can cost the others is its budget, once:
after that it is never asked again.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
from collections.abc import Callable, Collection, Hashable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from coordinator.core.lanes import Rule, StrategySpec
from coordinator.core.values import Bar
from coordinator.shell.strategy_process import (
    UNREADABLE,
    Nursery,
    StrategyDied,
    StrategyFault,
    StrategyHung,
    StrategyLeaked,
    StrategyMisanswered,
    StrategyProcess,
    StrategyRaised,
)
from coordinator.shell.worker_process import EXPLAIN, bar_values

__all__ = [
    "Budget",
    "StrategyDied",
    "StrategyFault",
    "StrategyHung",
    "StrategyLeaked",
    "StrategyMisanswered",
    "StrategyRaised",
    "isolated",
]

log = logging.getLogger("coordinator")


@dataclass(frozen=True, slots=True)
class Budget:
    """What one strategy may take, in local seconds and in bytes of memory.

    `answer_s` is for one bar and `minute_s` for those of one minute on all its tickers together,
    while a loop waits. Before the session none does, and first answers load and compile a lot:
    there `start_s` holds, for getting ready on a ticker and for each answer. `growth_bytes` counts
    from when it was ready.
    """

    answer_s: float = 1.0
    minute_s: float = 10.0
    start_s: float = 30.0
    growth_bytes: int = 512 * 2**20


@contextmanager
def isolated(
    specs: Sequence[StrategySpec],
    trusted: Collection[type],
    *,
    beside: Collection[str] = (),
    budget: Budget | None = None,
    restless: bool = False,
) -> Iterator[list[StrategySpec]]:
    """The same strategies, each kind that is not of a `trusted` type in a process of its own.

    Enter it before threads, connections and settings exist, because processes are forked from
    what is there. Equal rules share a process, as they share lanes, but never with one of the
    strategies `beside`, whose faults are not to be the others'. `restless` keeps this process awake
    while it waits, for a simulator that paces itself by whether its clients are at work.

    Raises:
        OperatorError: no process can be started.
    """
    groups: dict[Hashable, list[StrategySpec]] = {}
    for spec in specs:
        if type(spec.rule) not in trusted:
            side = spec.name in beside
            groups.setdefault((side, _identity(spec.rule)), []).append(spec)
    if not groups:
        yield list(specs)
        return
    alike = list(groups.values())
    with Nursery([same[0].rule for same in alike]) as nursery, ExitStack() as ending:
        walled: dict[str, Rule] = {}
        for number, same in enumerate(alike):
            fork = partial(nursery.fork, number, restless=restless)
            rule = _Isolated(same, fork, budget or Budget())
            ending.callback(rule.end)
            walled |= {spec.name: rule for spec in same}
        yield [replace(spec, rule=walled.get(spec.name, spec.rule)) for spec in specs]


def _identity(rule: Rule) -> Hashable:
    try:
        hash(rule)
    except TypeError:  # parameters without a hash, such as a dictionary: like no other
        return id(rule)
    return rule


class _Isolated:
    """A rule whose steps run elsewhere; one object for all strategies that share the rule.

    No code of the user's runs here: how far it looks back was asked before, and equality is the
    object's own.
    """

    def __init__(
        self, specs: Sequence[StrategySpec], fork: Callable[[], StrategyProcess], budget: Budget
    ) -> None:
        self.longest_window = specs[0].rule.longest_window
        self._name = ", ".join(spec.name for spec in specs)
        self._fork = fork
        self._budget = budget
        self._process: StrategyProcess | None = None
        self._fault: StrategyFault | None = None
        self._lanes = itertools.count()
        self._requests = itertools.count()
        self._minute: datetime | None = None
        self._left_s = 0.0

    def start(self) -> Callable[[Bar], int]:
        """A fresh step, in the strategy's process; if it cannot be had, one that says why."""
        lane = next(self._lanes)
        try:
            self._ask(lane, None, self._budget.start_s)
        except StrategyFault as fault:
            return partial(_refuse, fault)
        return _Elsewhere(self, lane).step

    def end(self) -> str:
        """End its process, if it has one; how that ended."""
        process, self._process = self._process, None
        return process.end() if process is not None else ""

    def step(self, lane: int, bar: Bar) -> int:
        """The signal at a bar's close, within the budget."""
        if not _a_loop_waits():
            return self._ask(lane, bar, self._budget.start_s)
        if bar.start != self._minute:
            self._minute, self._left_s = bar.start, self._budget.minute_s
        began_s = time.monotonic()
        signal = self._ask(lane, bar, min(self._budget.answer_s, self._left_s))
        self._left_s = max(0.0, self._left_s - (time.monotonic() - began_s))
        return signal

    def explain(self, lane: int) -> dict[str, object]:
        """What a lane's step says that it saw at its last bar; nothing once it has failed."""
        if self._fault is not None or self._process is None:
            return {}
        budget_s = self._budget.answer_s
        try:
            kind, values, _ = self._exchange(lane, EXPLAIN, budget_s)
        except StrategyFault as fault:
            self._fault = self._given_up(fault, EXPLAIN, budget_s)
            raise self._fault from None
        return dict(values) if kind == "explained" and isinstance(values, dict) else {}

    def _ask(self, lane: int, bar: Bar | None, budget_s: float) -> int:
        """A signal; 0 for a lane that is only begun."""
        if self._fault is not None:
            raise self._fault
        try:
            kind, value, said = self._exchange(lane, bar, budget_s)
        except StrategyFault as fault:
            self._fault = self._given_up(fault, bar, budget_s)
            raise self._fault from None
        for text in said:
            log.info("[%s] says: %s", self._name, text)
        match kind, value:
            case "signal", int() if value in (1, -1, 0):
                return value
            case "begun", _:
                return 0
            case "raised", _:
                raise StrategyRaised(str(value))
            case _:
                raise StrategyMisanswered(f"it answered {value}; it must answer 1, -1 or 0")

    def _exchange(
        self, lane: int, what: Bar | str | None, budget_s: float
    ) -> tuple[str, object, list[object]]:
        """Kind, value and what the strategy printed meanwhile."""
        number = next(self._requests)
        if self._process is None:
            self._process = self._fork()
        request = (number, lane, bar_values(what) if isinstance(what, Bar) else what)
        match self._process.ask(request, budget_s):
            case [answered, str(kind), value, list(said)] if answered == number:
                if what is None:
                    self._process.limit_growth(self._budget.growth_bytes)
                return kind, value, said
        raise StrategyMisanswered(UNREADABLE)

    def _given_up(
        self, fault: StrategyFault, what: Bar | str | None, budget_s: float
    ) -> StrategyFault:
        """End the process for good; the fault, in words that are the same in every such case."""
        how = self.end()
        match fault:
            case StrategyHung() if what is None:
                text = f"not ready within {budget_s:g} s"
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
        return type(fault)(text)


@dataclass(frozen=True, slots=True)
class _Elsewhere:
    """A step in the strategy's process."""

    rule: _Isolated
    lane: int

    def step(self, bar: Bar) -> int:
        return self.rule.step(self.lane, bar)

    def explain(self) -> dict[str, object]:
        return self.rule.explain(self.lane)


def _a_loop_waits() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _refuse(fault: StrategyFault, bar: Bar) -> int:
    raise fault
