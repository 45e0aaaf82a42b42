"""Users' strategies run in processes of their own, so that one that fails stops alone.

Each kind of strategy that is not ours gets a process; `shell/elsewhere.py` asks it.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial

from coordinator.core.lanes import Rule, StrategySpec
from coordinator.core.together import starts_together
from coordinator.shell.elsewhere import Budget, Elsewhere, TogetherElsewhere
from coordinator.shell.strategy_process import (
    Nursery,
    StrategyDied,
    StrategyFault,
    StrategyHung,
    StrategyLeaked,
    StrategyMisanswered,
    StrategyRaised,
)

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
            kind = TogetherElsewhere if starts_together(same[0].rule) else Elsewhere
            rule = kind(same, fork, budget or Budget())
            ending.callback(rule.end)
            walled |= {spec.name: rule for spec in same}
        yield [replace(spec, rule=walled.get(spec.name, spec.rule)) for spec in specs]


def _identity(rule: Rule) -> Hashable:
    try:
        hash(rule)
    except TypeError:  # parameters without a hash, such as a dictionary: like no other
        return id(rule)
    return rule
