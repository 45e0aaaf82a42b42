"""A user's rule as the core sees it: like any other, but its steps run in a process of its own.

A step asks the process, and raises a StrategyFault when the strategy raised, gave no answer in
time, ended, grew without end, or answered no signal. The loop waits for an answer, as it does for a
strategy of ours, and what the streams receive meanwhile waits in line. So the most that a strategy
that hangs can cost the others is its budget, once: after that it is never asked again. What it says
in explanation is waited for beside the loop (`explain_requests.py`); a bar that comes meanwhile
waits until the process has said it, EXPLAIN_S at most.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, NoReturn

from coordinator.core.lane import StrategySpec
from coordinator.core.together import JointStep
from coordinator.core.values import Bar
from coordinator.shell.cell import Budget, Cell
from coordinator.shell.rehearsal import Rehearsal, TakeUp
from coordinator.shell.strategy_process import (
    StrategyFault,
    StrategyMisanswered,
    StrategyProcess,
)
from coordinator.shell.worker_process import bar_values

SIGNALS = (1, -1, 0)


class IsolatedRule:
    """A rule whose steps run elsewhere; one object for all strategies that share the rule.

    No code of the user's runs here: how far it looks back was asked before, and equality is the
    object's own. `fork` gives a process that has the rule. All lanes of a start are in one cell;
    those that join are in one of their own, so that what runs is not asked for their sake.
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
        self.is_known_as([spec.name for spec in specs])

    def start(self) -> Callable[[Bar], int]:
        """A fresh step, in a process of the strategy's; if it cannot be had, one that says why.

        After a rehearsal it is one that goes on from what was rehearsed.
        """
        step: Callable[[Bar], int] = self._begun(None, self._fresh)
        return step

    @staticmethod
    def lanes_of(specs: Iterable[StrategySpec]) -> set[Hashable]:
        """What the lanes of these are on."""
        return {ticker for spec in specs for ticker in spec.tickers}

    def is_known_as(self, names: Iterable[str]) -> None:
        """The strategies that it serves from now on."""
        self._name = ", ".join(names)
        for cell in self._all():
            cell.name = self._name

    @contextmanager
    def rehearsing(self, specs: Collection[StrategySpec], take_up: TakeUp) -> Iterator[Rehearsal]:
        """Lanes that are made and fed meanwhile are those that are taken up later.

        They are in a cell of their own. Rehearsed again, they go on from where they stand. One
        that cannot be had raises its StrategyFault.
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
        """Who was rehearsed does not come; lanes that begin from now on begin by themselves."""
        guest, self._guest, self._rehearsal = self._guest, None, None
        if guest is not None:
            guest.retire()

    def take_in(self, specs: Collection[StrategySpec]) -> None:
        """It serves these strategies: who was rehearsed has come, and cells of nobody's end."""
        if self._guest is not None:
            self._cells.append(self._guest)
        self._guest = self._rehearsal = None
        wanted, unused = self.lanes_of(specs), []
        for cell in reversed(self._cells):  # what was rehearsed last is what serves
            cell.serves &= wanted
            wanted = wanted - cell.serves
            if not cell.serves:
                unused.append(cell)
        left = [cell for cell in self._cells if cell.serves]
        self._cells = left or [self._cell(())]
        self.is_known_as(sorted(spec.name for spec in specs))
        for cell in unused:
            cell.retire()

    def retire(self) -> None:
        """End its processes for good: nobody is served by them any more."""
        for cell in self._all():
            cell.retire()

    def end(self) -> None:
        """End its processes."""
        for cell in self._all():
            cell.end()

    async def hear(self) -> None:
        """Wait beside the loop until what was asked is answered, EXPLAIN_S at most."""
        await asyncio.gather(*(cell.hear() for cell in self._all()))

    def _begun(self, key: Hashable, fresh: Callable[[], Callable[[Any], Any]]) -> Any:
        if self._rehearsal is not None:
            return self._rehearsal.start(key, fresh)
        try:
            return fresh()
        except StrategyFault as fault:
            return partial(_refuse, fault)

    def _fresh(self) -> Callable[[Bar], int]:
        cell = self._begins_in()
        return _Step(cell, cell.begin(None)).step

    def _begins_in(self) -> Cell:
        return self._guest or self._cells[0]

    def _cell(self, serves: Collection[Hashable]) -> Cell:
        return Cell(self._fork, self._budget, serves, self._name)

    def _all(self) -> list[Cell]:
        return [*self._cells, *([self._guest] if self._guest is not None else [])]


class IsolatedJointRule(IsolatedRule):
    """The same of a rule that looks at several tickers at once."""

    def start_together(self, tickers: tuple[str, ...]) -> JointStep:
        """As `start`, of a step for all of these tickers."""
        step: JointStep = self._begun(tickers, partial(self._fresh_together, tickers))
        return step

    @staticmethod
    def lanes_of(specs: Iterable[StrategySpec]) -> set[Hashable]:
        """What the lanes of these are on: their tickers together."""
        return {spec.tickers for spec in specs}

    def _fresh_together(self, tickers: tuple[str, ...]) -> JointStep:
        cell = self._begins_in()
        return _JointStep(cell, cell.begin(tickers)).step


@dataclass(frozen=True, slots=True)
class _Step:
    """A step in a process of the strategy's."""

    cell: Cell
    lane: int

    def step(self, bar: Bar) -> int:
        """The signal at a bar's close, within the budget."""
        match self.cell.at(bar.start, self.lane, {"bar": bar_values(bar)}):
            case "signal", int() as signal if signal in SIGNALS:
                return signal
            case _, value:
                raise StrategyMisanswered(f"it answered {value}; it must answer 1, -1 or 0")

    def explain(self) -> dict[str, object]:
        return self.cell.explain(self.lane)


@dataclass(frozen=True, slots=True)
class _JointStep:
    """A step of several tickers in a process of the strategy's."""

    cell: Cell
    lane: int

    def step(self, bars: Mapping[str, Bar]) -> dict[str, int]:
        """The signals by ticker at a minute's close, within the budget."""
        start = next(iter(bars.values())).start
        request = {"bars": [bar_values(bar) for bar in bars.values()]}
        match self.cell.at(start, self.lane, request):
            case "signals", dict() as signals if all(one in SIGNALS for one in signals.values()):
                return signals
            case _, value:
                raise StrategyMisanswered(
                    f"it answered {value}; it must answer 1, -1 or 0 by ticker"
                )

    def explain(self, ticker: str) -> dict[str, object]:
        return self.cell.explain(self.lane, ticker)


def _refuse(fault: StrategyFault, _bars: Any) -> NoReturn:
    raise fault
