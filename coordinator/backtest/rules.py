"""A user's strategy as the core's lanes take it: known by itself where it has no hash.

Live it would be so because its process stands for it (`shell/isolation.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from coordinator.core.lanes import Rule, StrategySpec
from coordinator.core.values import Bar


@dataclass(frozen=True, slots=True, eq=False)
class LikeNoOther:
    """A rule that shares its lanes with no other, whatever it equals."""

    rule: Rule

    @property
    def longest_window(self) -> int:
        """As the rule says."""
        return self.rule.longest_window

    def start(self) -> Callable[[Bar], int]:
        """The rule's own step."""
        return self.rule.start()


def hashable(spec: StrategySpec) -> StrategySpec:
    """The same strategy, its rule fit to be looked up: parameters such as lists have no hash."""
    try:
        hash(spec.rule)
    except TypeError:
        return replace(spec, rule=LikeNoOther(spec.rule))
    return spec
