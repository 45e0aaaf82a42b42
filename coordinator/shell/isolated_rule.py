"""A user's rule for the core: a rule like any other, whose steps run in a process of their own.

A step asks the process, and raises a StrategyFault if the strategy raised, did not answer in time,
ended, outgrew its memory limit, or answered no signal. The loop waits for the answer, as for a
built-in strategy, while the streams' messages queue up. So a strategy that hangs costs the others
at most its time budget, once: it is never asked again. Its explanations do not block the loop
(`explain_requests.py`), but a bar that arrives meanwhile waits for them, EXPLAIN_S at most.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, NoReturn

from coordinator.core.lane import FarStep, StrategySpec
from coordinator.core.together import JointStep
from coordinator.core.values import Bar
from coordinator.shell.cell import Budget, Cell
from coordinator.shell.rehearsal import Rehearsal, TakeUp
from coordinator.shell.strategy_process import (
    BY_TICKER,
    StrategyFault,
    StrategyMisanswered,
    StrategyProcess,
)
from coordinator.shell.worker_process import Request, bar_values

SIGNALS = (1, -1, 0)


class IsolatedRule:
    """A rule whose steps run in another process; one object for all strategies that share it.

    No code of the user's runs here: the rule's window was read before, and equality is identity.
    `fork` makes a process that has the rule. All lanes of the start share a cell; lanes that join
    later get a cell of their own, so that their history does not occupy the running one.
    """

    def __init__(
        self, specs: Sequence[StrategySpec], fork: Callable[[], StrategyProcess], budget: Budget
    ) -> None:
        self.longest_window = specs[0].rule.longest_window
        self.history_bars = specs[0].history_bars
        self._fork = fork
        self._budget = budget
        self._name = ""
        self._cells = [self._cell(self.lanes_of(specs))]
        self._guest: Cell | None = None
        self._rehearsal: Rehearsal | None = None
        self.rename([spec.name for spec in specs])

    def start(self) -> Callable[[Bar], int]:
        """A fresh step in the strategy's process; if it cannot be had, one that raises the fault.

        After a rehearsal the step goes on from the rehearsed state.
        """
        step: Callable[[Bar], int] = self._start(None, self._fresh)
        return step

    @staticmethod
    def lanes_of(specs: Iterable[StrategySpec]) -> set[Hashable]:
        """The keys of these strategies' lanes: their tickers."""
        return {ticker for spec in specs for ticker in spec.tickers}

    def rename(self, names: Iterable[str]) -> None:
        """Set the names of the strategies that share it, for the log."""
        self._name = ", ".join(names)
        for cell in self._all():
            cell.name = self._name

    @contextmanager
    def rehearsing(self, specs: Collection[StrategySpec], take_up: TakeUp) -> Iterator[Rehearsal]:
        """Lanes that are started and fed within are those that the session takes over later.

        They are in a cell of their own. A second rehearsal goes on from the state of the first. A
        lane that cannot be started raises its StrategyFault.
        """
        if self._rehearsal is None:
            self._guest = self._cell(self.lanes_of(specs))
            self._rehearsal = Rehearsal(take_up)
        rehearsal = self._rehearsal
        rehearsal.begin()
        try:
            yield rehearsal
        finally:
            rehearsal.end()

    def forget_rehearsal(self) -> None:
        """Drop the rehearsed lanes: lanes that start from now on start fresh."""
        guest, self._guest, self._rehearsal = self._guest, None, None
        if guest is not None:
            guest.retire()

    def take_in(self, specs: Collection[StrategySpec]) -> None:
        """Serve exactly these strategies: keep the rehearsed lanes, and end unused cells."""
        if self._guest is not None:
            self._cells.append(self._guest)
        self._guest = self._rehearsal = None
        wanted, unused = self.lanes_of(specs), []
        for cell in reversed(self._cells):  # of several cells with a lane, the newest serves it
            cell.serves &= wanted
            wanted = wanted - cell.serves
            if not cell.serves:
                unused.append(cell)
        left = [cell for cell in self._cells if cell.serves]
        self._cells = left or [self._cell(())]
        self.rename(sorted(spec.name for spec in specs))
        for cell in unused:
            cell.retire()

    def retire(self) -> None:
        """End its processes for good: no strategy needs them any more."""
        for cell in self._all():
            cell.retire()

    def end(self) -> None:
        """End its processes."""
        for cell in self._all():
            cell.end()

    async def wait_for_explanations(self) -> None:
        """Wait, without blocking the loop, for the requested explanations, EXPLAIN_S at most."""
        await asyncio.gather(*(cell.wait_for_explanations() for cell in self._all()))

    def _start(self, key: Hashable, fresh: Callable[[], Callable[[Any], Any]]) -> Any:
        if self._rehearsal is not None:
            return self._rehearsal.start(key, fresh)
        try:
            return fresh()
        except StrategyFault as fault:
            return partial(_refuse, fault)

    def _fresh(self) -> Callable[[Bar], int]:
        cell = self._guest or self._cells[0]
        return _Step(cell, cell.begin(None)).step

    def _cell(self, serves: Collection[Hashable]) -> Cell:
        return Cell(self._fork, self._budget, serves, self._name)

    def _all(self) -> list[Cell]:
        return [*self._cells, *([self._guest] if self._guest is not None else [])]


class IsolatedJointRule(IsolatedRule):
    """An isolated rule that looks at several tickers at once."""

    def start_together(self, tickers: tuple[str, ...]) -> JointStep:
        """Like `start`, for one step on all of these tickers."""
        step: JointStep = self._start(tickers, partial(self._fresh_together, tickers))
        return step

    @staticmethod
    def lanes_of(specs: Iterable[StrategySpec]) -> set[Hashable]:
        """The keys of these strategies' lanes: for each its tuple of tickers."""
        return {spec.tickers for spec in specs}

    def _fresh_together(self, tickers: tuple[str, ...]) -> JointStep:
        cell = self._guest or self._cells[0]
        return _JointStep(cell, cell.begin(tickers)).step


@dataclass(frozen=True, slots=True)
class _Step(FarStep):
    """A step that runs in a cell."""

    cell: Cell
    lane: int

    def foresee(self, bar: Bar) -> None:
        """Let the process work ahead on a bar that is stepped after those foreseen before it."""
        self.cell.foresee(self.lane, partial(_of_bar, bar))

    def step(self, bar: Bar) -> int:
        """The signal at a bar's close, within the budget."""
        match self.cell.step(bar.start, self.lane, partial(_of_bar, bar)):
            case "signal", int() as signal if signal in SIGNALS:
                return signal
            case _, value:
                raise StrategyMisanswered.by(value)

    def explain(self) -> dict[str, object]:
        return self.cell.explain(self.lane)


@dataclass(frozen=True, slots=True)
class _JointStep:
    """A step on several tickers that runs in a cell."""

    cell: Cell
    lane: int

    def step(self, bars: Mapping[str, Bar]) -> dict[str, int]:
        """The signals by ticker at a minute's close, within the budget."""
        start = next(iter(bars.values())).start
        match self.cell.step(start, self.lane, partial(_of_bars, bars)):
            case "signals", dict() as signals if all(one in SIGNALS for one in signals.values()):
                return signals
            case _, value:
                raise StrategyMisanswered.by(value, each=BY_TICKER)

    def explain(self, ticker: str) -> dict[str, object]:
        return self.cell.explain(self.lane, ticker)


def _of_bar(bar: Bar) -> Request:
    return {"bar": bar_values(bar)}


def _of_bars(bars: Mapping[str, Bar]) -> Request:
    return {"bars": [bar_values(bar) for bar in bars.values()]}


def _refuse(fault: StrategyFault, _bars: Any) -> NoReturn:
    raise fault
