"""Users' strategies run in processes of their own, so that one that fails stops alone.

Each kind of strategy that is not ours gets a process; `shell/elsewhere.py` asks it. What joins a
session that trades, a further ticker too, gets one of its own beside the loop; one that serves
nobody any more is ended.
"""

from __future__ import annotations

import json
import logging
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
from coordinator.shell.elsewhere import Elsewhere, TogetherElsewhere
from coordinator.shell.rehearsal import TakeUp
from coordinator.shell.stand_in import StandIn
from coordinator.shell.strategy_process import (
    Nursery,
    StrategyDied,
    StrategyFault,
    StrategyProcess,
)
from coordinator.shell.worker_process import Load, load_nothing

log = logging.getLogger("coordinator")
REPAIR = "repair it, and ask again"


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

    As `walls`, where nobody joins.

    Raises:
        OperatorError: no process can be started.
    """
    rules = [spec.rule for spec in specs if type(spec.rule) not in trusted]
    if not rules:
        yield list(specs)
        return
    with walls(rules, trusted, budget=budget, restless=restless) as made:
        yield made.around(specs, beside=beside)


@contextmanager
def walls(
    rules: Sequence[Rule],
    trusted: Collection[type],
    *,
    budget: Budget | None = None,
    restless: bool = False,
    load: Load = load_nothing,
) -> Iterator[Walls]:
    """What puts walls around each kind of strategy that is not of a `trusted` type.

    Enter it before threads, connections and settings exist, because processes are forked from
    what is there: the `rules`, which are objects of this process. Whoever else there is, from the
    start on or later, is made by `load`, in its process. `restless` keeps this process awake
    while it waits, for a simulator that paces itself by whether its clients are at work.

    Raises:
        OperatorError: no process can be started.
    """
    with Nursery(rules, load) as nursery:
        made = Walls(nursery, rules, trusted, budget or Budget(), restless=restless)
        try:
            yield made
        finally:
            made.end()


@dataclass(slots=True)
class _Room:
    """A rule behind its wall; `names` are the strategies that it serves, `kind` what it is."""

    kind: Hashable
    rule: Elsewhere
    names: set[str] = field(default_factory=set)


class Walls:
    """The rules of one session that have processes of their own."""

    def __init__(
        self,
        nursery: Nursery,
        rules: Sequence[Rule],
        trusted: Collection[type],
        budget: Budget,
        *,
        restless: bool,
    ) -> None:
        self._nursery, self._budget, self._restless = nursery, budget, restless
        self._numbers = {id(rule): number for number, rule in enumerate(rules)}
        self._trusted = trusted
        self._rooms: list[_Room] = []

    def around(
        self, specs: Sequence[StrategySpec], *, beside: Collection[str]
    ) -> list[StrategySpec]:
        """The strategies that a session begins with, as they run.

        Equal rules share a process, as they share lanes, but never with one of the strategies
        `beside`, whose faults are not to be the others'.
        """
        groups: dict[tuple[bool, Hashable], list[StrategySpec]] = {}
        for spec in specs:
            if type(spec.rule) not in self._trusted:
                alike = spec.name in beside, _identity(spec)
                groups.setdefault(alike, []).append(spec)
        walled: dict[str, Rule] = {}
        for (side, _), same in groups.items():
            room = self._room(same, beside=side)
            self._rooms.append(room)
            walled |= dict.fromkeys(room.names, room.rule)
        return [replace(spec, rule=walled.get(spec.name, spec.rule)) for spec in specs]

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

    def build(self, spec: StrategySpec, *, beside: bool) -> _Room:
        """A room for a strategy that joins; its process is there once it is asked for a lane."""
        return self._room([spec], beside=beside)

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

    def _room(self, same: Sequence[StrategySpec], *, beside: bool) -> _Room:
        rule = same[0].rule
        match rule:
            case StandIn():
                fork, together = (
                    partial(self._loaded, rule.wanted, rule.told),
                    rule.told["together"],
                )
            case _:
                number = self._numbers[id(rule)]
                fork = partial(self._nursery.fork, number, restless=self._restless)
                together = starts_together(rule)
        made = TogetherElsewhere if together else Elsewhere
        kind, names = _kind(same[0], beside=beside), {spec.name for spec in same}
        return _Room(kind, made(same, fork, self._budget), names)

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
            told = self._process.load(wanted, partial(log.info, "%s says: %s", what))
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

    def walled(self, spec: StrategySpec, *, beside: bool) -> StrategySpec:
        """The strategy as it runs: in this process, in the one of its kind, or in a new one.

        A shadow, `beside` the others, shares no process with them.
        """
        if not isinstance(spec.rule, StandIn):
            return spec
        room = self._walls.room_of(spec, beside=beside)
        if room is None:
            kind = _kind(spec, beside=beside)
            room = next((one for one in self._rooms if one.kind == kind), None)
        if room is None:
            room = self._walls.build(spec, beside=beside)
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
            if not isinstance(rule, Elsewhere):
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
        rule: Elsewhere,
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
    rule: Elsewhere, served: Sequence[StrategySpec], so_far: Mapping[str, Sequence[Bar]]
) -> Iterator[tuple[Sequence[StrategySpec], Mapping[str, Sequence[Bar]]]]:
    """Who is fed together, with the bars that they can be rehearsed with.

    Of those that look at several tickers, the newest minute is left out: others of its bars may
    still come.
    """
    if not isinstance(rule, TogetherElsewhere):
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


def _identity(spec: StrategySpec) -> Hashable:
    """Who is equal in this has equal rules."""
    if isinstance(spec.rule, StandIn):
        return _kind(spec, beside=False)
    try:
        hash(spec.rule)
    except TypeError:  # parameters without a hash, such as a dictionary: like no other
        return id(spec.rule)
    return spec.rule
