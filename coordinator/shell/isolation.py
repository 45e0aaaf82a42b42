"""Runs users' strategies in processes of their own, so that one that fails stops alone.

Strategies that are not built in and have the same code and parameters share a process, which
`shell/isolated_rule.py` asks. A strategy, or a ticker, that joins a running session gets a new
process, made without blocking the loop; a process that no strategy needs any more is ended.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from coordinator.core.lane import Rule, StrategySpec
from coordinator.core.lanes import Lanes
from coordinator.core.together import starts_together
from coordinator.core.values import Bar
from coordinator.errors import OperatorError
from coordinator.shell.cell import Budget
from coordinator.shell.isolated_rule import IsolatedJointRule, IsolatedRule
from coordinator.shell.rehearsal import TakeUp
from coordinator.shell.strategy_process import (
    Nursery,
    StrategyDied,
    StrategyFault,
    StrategyProcess,
)
from coordinator.shell.worker_process import Load, load_nothing

REPAIR = "repair it, and ask again"


@contextmanager
def walls(
    specs: Sequence[StrategySpec],
    trusted: Collection[type],
    *,
    beside: Collection[str] = (),
    budget: Budget | None = None,
    restless: bool = False,
    load: Load = load_nothing,
) -> Iterator[Walls]:
    """Isolate the rules of these strategies that are not of a `trusted` type.

    Enter it before threads, connections and settings exist: processes are forked from this one's
    state. Equal rules share a process, as they share lanes, but strategies named in `beside` (the
    shadows) never share one with the others, which their faults must not reach. `restless` keeps
    this process awake while it waits, for a simulator that paces itself by whether its clients are
    at work. Rules that join later are made by `load`, in their process.

    Raises:
        OperatorError: no process can be started.
    """
    groups: dict[Hashable, list[StrategySpec]] = {}
    for spec in specs:
        if type(spec.rule) not in trusted:
            side = spec.name in beside
            groups.setdefault((side, _identity(spec.rule)), []).append(spec)
    alike = list(groups.values())
    with Nursery([same[0].rule for same in alike], load) as nursery:
        made = Walls(nursery, budget or Budget(), restless=restless)
        try:
            made.raise_around(specs, alike, beside)
            yield made
        finally:
            made.end()


@dataclass(slots=True)
class _Room:
    """An isolated rule, and the `names` of its strategies; only those of its `kind` share it."""

    kind: Hashable
    rule: IsolatedRule
    names: set[str] = field(default_factory=set)


class Walls:
    """The isolated rules of one session; `specs` are its strategies at the start, with them."""

    def __init__(self, nursery: Nursery, budget: Budget, *, restless: bool) -> None:
        self.specs: list[StrategySpec] = []
        self._nursery, self._budget, self._restless = nursery, budget, restless
        self._rooms: list[_Room] = []

    def raise_around(
        self,
        specs: Sequence[StrategySpec],
        alike: Sequence[Sequence[StrategySpec]],
        beside: Collection[str],
    ) -> None:
        """Isolate the rule of each group in `alike`; the n-th is the nursery's n-th rule."""
        walled: dict[str, Rule] = {}
        for number, same in enumerate(alike):
            fork = partial(self._nursery.fork, number, restless=self._restless)
            together = starts_together(same[0].rule)
            kind = _kind(same[0], beside=same[0].name in beside)
            room = self._room(same, kind, fork, together=together)
            self._rooms.append(room)
            walled |= dict.fromkeys(room.names, room.rule)
        self.specs = [replace(spec, rule=walled.get(spec.name, spec.rule)) for spec in specs]

    def scout(self) -> Scout:
        """A short-lived process that examines a configuration's user strategies."""
        return Scout(partial(self._nursery.fork, None, restless=False))

    def joining(self) -> Joining:
        """The strategies of an edited configuration, on their way into the session."""
        return Joining(self)

    def end(self) -> None:
        """End every process."""
        for room in self._rooms:
            room.rule.end()

    def room_of(self, spec: StrategySpec, *, beside: bool) -> _Room | None:
        """The room where a strategy's rule runs already, preferably the strategy's own."""
        kind = _kind(spec, beside=beside)
        fitting = [room for room in self._rooms if room.kind == kind]
        return next((room for room in fitting if spec.name in room.names), None) or next(
            iter(fitting), None
        )

    def build(
        self, spec: StrategySpec, wanted: str, told: Mapping[str, Any], *, beside: bool
    ) -> _Room:
        """A room for a new rule, whose process is forked at its first lane.

        `wanted` says what to load, and `told` is what a scout was told about it.
        """
        fork = partial(self._loaded, wanted, told)
        kind, together = _kind(spec, beside=beside), bool(told["together"])
        return self._room([spec], kind, fork, together=together)

    def forget_rehearsals(self) -> None:
        """Drop the lanes rehearsed for a reload that was given up."""
        for room in self._rooms:
            room.rule.forget_rehearsal()

    def take_in(self, rooms: Sequence[_Room], every: Collection[StrategySpec]) -> None:
        """Serve exactly the strategies `every`, and end the processes that none of them needs."""
        self._rooms += rooms
        for room in self._rooms:
            served = [spec for spec in every if spec.rule is room.rule]
            room.names = {spec.name for spec in served}
            if served:
                room.rule.take_in(served)
        unused = [room for room in self._rooms if not room.names]
        self._rooms = [room for room in self._rooms if room.names]
        for room in unused:
            room.rule.retire()

    def _room(
        self,
        same: Sequence[StrategySpec],
        kind: Hashable,
        fork: Callable[[], StrategyProcess],
        *,
        together: bool,
    ) -> _Room:
        made = IsolatedJointRule if together else IsolatedRule
        return _Room(kind, made(same, fork, self._budget), {spec.name for spec in same})

    def _loaded(self, wanted: str, told: Mapping[str, Any]) -> StrategyProcess:
        """A process that has made its rule, unless the rule's file has changed meanwhile."""
        process = self._nursery.fork(None, restless=self._restless)
        if process.load(wanted) != told:
            process.end()
            raise StrategyDied("its file was changed while it was loaded")
        return process


class Scout:
    """A short-lived process that loads the rules that a configuration names, and describes them."""

    def __init__(self, fork: Callable[[], StrategyProcess]) -> None:
        self._fork = fork
        self._process: StrategyProcess | None = None

    def ask(self, wanted: str, what: str) -> dict[str, Any]:
        """The description of the rule `wanted`; `what` names it in errors, with its file and line.

        Raises:
            OperatorError: it raised, hung, or ended its process.
        """
        try:
            self._process = self._process or self._fork()
            told = self._process.load(wanted)
        except StrategyFault as fault:
            self._process = None
            raise OperatorError(f"{what}: {fault}; {REPAIR}") from None
        if not isinstance(told, dict):
            raise OperatorError(f"{what}: its process answered {told!r}; {REPAIR}")
        return told

    def end(self) -> None:
        """End the process, if there is one."""
        if self._process is not None:
            self._process.end()


class Joining:
    """The strategies of an edited configuration, on their way into a session."""

    def __init__(self, walls: Walls) -> None:
        self._walls = walls
        self._rooms: list[_Room] = []
        self._take_up = TakeUp()

    def walled(
        self, spec: StrategySpec, wanted: str, told: Mapping[str, Any], *, beside: bool
    ) -> StrategySpec:
        """The strategy with an isolated rule: one that runs already, or a new one."""
        room = self._walls.room_of(spec, beside=beside)
        if room is None:
            kind = _kind(spec, beside=beside)
            room = next((one for one in self._rooms if one.kind == kind), None)
        if room is None:
            room = self._walls.build(spec, wanted, told, beside=beside)
            self._rooms.append(room)
        return replace(spec, rule=room.rule)

    def get_warm(
        self,
        begins: Sequence[StrategySpec],
        history: Mapping[str, Sequence[Bar]],
        so_far: Mapping[str, Sequence[Bar]],
    ) -> None:
        """Feed the isolated rules among these the bars that a session would feed them; blocking.

        A rule that serves the session on other tickers already is fed in a separate process. Called
        again with more bars, it goes on from where it stands.

        Raises:
            OperatorError: a rule cannot be loaded, or fails at a bar.
        """
        for rule in dict.fromkeys(spec.rule for spec in begins):
            if not isinstance(rule, IsolatedRule):
                continue
            served = [spec for spec in begins if spec.rule is rule]
            try:
                failed = self._rehearse(rule, served, history, so_far)
            except StrategyFault as fault:
                raise OperatorError(f"{served[0].name} cannot join: {fault}; {REPAIR}") from None
            for name, why in failed.items():
                raise OperatorError(f"{name} cannot join: {why}; {REPAIR}")

    def _rehearse(
        self,
        rule: IsolatedRule,
        served: Sequence[StrategySpec],
        history: Mapping[str, Sequence[Bar]],
        so_far: Mapping[str, Sequence[Bar]],
    ) -> dict[str, str]:
        """The reasons of those that failed, by name."""
        failed: dict[str, str] = {}
        with rule.rehearsing(served, self._take_up) as rehearsal:
            for group, bars in _by_table(rule, served, so_far):
                lanes = Lanes(())
                lanes.change(group, history, bars)
                failed |= {spec.name: why for spec in group if (why := lanes.fault(spec))}
        if not rehearsal.differs:
            return failed
        rule.forget_rehearsal()
        return self._rehearse(rule, served, history, so_far)

    def keep(self, every: Collection[StrategySpec]) -> None:
        """The session runs exactly these strategies from now on; blocking."""
        self._walls.take_in(self._rooms, every)

    def give_back(self) -> None:
        """They do not join after all; blocking."""
        self._walls.forget_rehearsals()
        for room in self._rooms:
            room.rule.retire()


def _by_table(
    rule: IsolatedRule, served: Sequence[StrategySpec], so_far: Mapping[str, Sequence[Bar]]
) -> Iterator[tuple[Sequence[StrategySpec], Mapping[str, Sequence[Bar]]]]:
    """The strategies that are fed together, with the bars that they can be rehearsed with.

    For a joint rule the newest minute is left out: more of its bars may still arrive.
    """
    if not isinstance(rule, IsolatedJointRule):
        yield served, so_far
        return
    for spec in {spec.tickers: spec for spec in served}.values():
        own = {ticker: so_far.get(ticker, ()) for ticker in spec.tickers}
        newest = max((bar.start for bars in own.values() for bar in bars), default=None)
        yield [spec], {t: [bar for bar in bars if bar.start != newest] for t, bars in own.items()}


def _kind(spec: StrategySpec, *, beside: bool) -> Hashable:
    """Strategies with equal kinds may share a process: same code and parameters, same `beside`."""
    params = json.dumps(spec.params, sort_keys=True, default=str)
    return beside, spec.strategy_type, params, spec.code


def _identity(rule: Rule) -> Hashable:
    try:
        hash(rule)
    except TypeError:  # a parameter that cannot be hashed, such as a dictionary: equal to no other
        return id(rule)
    return rule
