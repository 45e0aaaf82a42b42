"""Users' strategies run in processes of their own, so that one that fails stops alone.

Each kind of strategy that is not ours gets a process; `shell/isolated_rule.py` asks it. What joins
a session that trades, a further ticker too, gets one of its own beside the loop; one that serves
nobody any more is ended.
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
    """Walls around each kind of these strategies that is not of a `trusted` type.

    Enter it before threads, connections and settings exist, because processes are forked from
    what is there. Equal rules share a process, as they share lanes, but never with one of the
    strategies `beside`, whose faults are not to be the others'. `restless` keeps this process awake
    while it waits, for a simulator that paces itself by whether its clients are at work. Whoever
    joins is made by `load`, in its process.

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
    """A rule behind its wall; `names` are the strategies that it serves, `kind` what it is."""

    kind: Hashable
    rule: IsolatedRule
    names: set[str] = field(default_factory=set)


class Walls:
    """The rules of one session that have processes of their own; `specs` as it began."""

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
        """Give each of the groups `alike` a process; the n-th is the nursery's n-th rule."""
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
        """Somebody who looks at what a configuration says of users' strategies."""
        return Scout(partial(self._nursery.fork, None, restless=False))

    def joining(self) -> Joining:
        """What takes strategies of an edited configuration in."""
        return Joining(self)

    def end(self) -> None:
        """End every process."""
        for room in self._rooms:
            room.rule.end()

    def room_of(self, spec: StrategySpec, *, beside: bool) -> _Room | None:
        """Where the rule of a strategy runs already: in its own room, if there is one."""
        kind = _kind(spec, beside=beside)
        fitting = [room for room in self._rooms if room.kind == kind]
        return next((room for room in fitting if spec.name in room.names), None) or next(
            iter(fitting), None
        )

    def build(
        self, spec: StrategySpec, wanted: str, told: Mapping[str, Any], *, beside: bool
    ) -> _Room:
        """A room for a rule that was told of; its process is there once it is asked for a lane."""
        fork = partial(self._loaded, wanted, told)
        kind, together = _kind(spec, beside=beside), bool(told["together"])
        return self._room([spec], kind, fork, together=together)

    def forget_rehearsals(self) -> None:
        """Nobody joins after all."""
        for room in self._rooms:
            room.rule.forget_rehearsal()

    def take_in(self, rooms: Sequence[_Room], every: Collection[StrategySpec]) -> None:
        """The session goes on with these strategies: end whoever serves none of them."""
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
        """A process that has made its rule, if that still is what was told of it."""
        process = self._nursery.fork(None, restless=self._restless)
        if process.load(wanted) != told:
            process.end()
            raise StrategyDied("its file was changed while it was loaded")
        return process


class Scout:
    """One process, of a moment, that loads what a configuration names and tells what it is."""

    def __init__(self, fork: Callable[[], StrategyProcess]) -> None:
        self._fork = fork
        self._process: StrategyProcess | None = None

    def ask(self, wanted: str, what: str) -> dict[str, Any]:
        """What is told of a strategy; `what` names it, with its file and line.

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
            raise OperatorError(f"{what}: its process told {told!r}; {REPAIR}")
        return told

    def end(self) -> None:
        """It has seen enough."""
        if self._process is not None:
            self._process.end()


class Joining:
    """Strategies of an edited configuration on their way into a session."""

    def __init__(self, walls: Walls) -> None:
        self._walls = walls
        self._rooms: list[_Room] = []
        self._take_up = TakeUp()

    def walled(
        self, spec: StrategySpec, wanted: str, told: Mapping[str, Any], *, beside: bool
    ) -> StrategySpec:
        """The strategy as it runs: in the process of its kind, or in one that it will get."""
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
        """Feed the rules of these that have processes what a session feeds them; blocking.

        Such a rule may serve the session already, on other tickers: what runs is not asked. Fed
        again with more bars, they go on from where they stand.

        Raises:
            OperatorError: one cannot be loaded, or fails at a bar.
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
        """By name, why some have failed."""
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
        """The session runs these strategies; blocking."""
        self._walls.take_in(self._rooms, every)

    def give_back(self) -> None:
        """It does not; blocking."""
        self._walls.forget_rehearsals()
        for room in self._rooms:
            room.rule.retire()


def _by_table(
    rule: IsolatedRule, served: Sequence[StrategySpec], so_far: Mapping[str, Sequence[Bar]]
) -> Iterator[tuple[Sequence[StrategySpec], Mapping[str, Sequence[Bar]]]]:
    """Who is fed together, with the bars that they can be rehearsed with.

    Of those that look at several tickers, the newest minute is left out: others of its bars may
    still come.
    """
    if not isinstance(rule, IsolatedJointRule):
        yield served, so_far
        return
    for spec in {spec.tickers: spec for spec in served}.values():
        own = {ticker: so_far.get(ticker, ()) for ticker in spec.tickers}
        newest = max((bar.start for bars in own.values() for bar in bars), default=None)
        yield [spec], {t: [bar for bar in bars if bar.start != newest] for t, bars in own.items()}


def _kind(spec: StrategySpec, *, beside: bool) -> Hashable:
    """Who is equal in this may share a process: same code and parameters, on the same side."""
    params = json.dumps(spec.params, sort_keys=True, default=str)
    return beside, spec.strategy_type, params, spec.code


def _identity(rule: Rule) -> Hashable:
    try:
        hash(rule)
    except TypeError:  # parameters without a hash, such as a dictionary: like no other
        return id(rule)
    return rule
