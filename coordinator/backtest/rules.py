"""A user's strategy as the core's lanes take it: its errors told as live, known by itself if it
has no hash.

Live both would be so because its process stands for it (`shell/isolation.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NoReturn

from coordinator.core.lane import Rule, StrategySpec, history_of
from coordinator.core.together import JointStep, starts_together
from coordinator.core.values import Bar
from coordinator.shell.strategy_process import StrategyRaised
from coordinator.shell.worker_process import error_text
from coordinator.strategies.registry import BUILT_IN


@dataclass(frozen=True, slots=True)
class UserRule:
    """A user's rule, whose errors are told as those of its process would be; equal by `key`."""

    rule: Rule = field(compare=False)
    key: Hashable

    @property
    def longest_window(self) -> int:
        """As the rule says."""
        return self.rule.longest_window

    @property
    def history_bars(self) -> int:
        """As the rule says."""
        return history_of(self.rule)

    def start(self) -> Callable[[Bar], int]:
        """The rule's own step; where it cannot begin, one that says why."""
        try:
            step = self.rule.start()
        except Exception as error:
            return _refusing(StrategyRaised(error_text(error)))

        def told(bar: Bar) -> int:
            try:
                return step(bar)
            except Exception as error:
                raise StrategyRaised(error_text(error)) from error

        return told


class JointUserRule(UserRule):
    """The same of a rule that looks at several tickers at once."""

    __slots__ = ()

    def start_together(self, tickers: tuple[str, ...]) -> JointStep:
        """The rule's own step; where it cannot begin, one that says why."""
        rule: Any = self.rule
        try:
            step: JointStep = rule.start_together(tickers)
        except Exception as error:
            return _refusing(StrategyRaised(error_text(error)))

        def told(bars: Mapping[str, Bar]) -> Mapping[str, int]:
            try:
                return step(bars)
            except Exception as error:
                raise StrategyRaised(error_text(error)) from error

        return told


@dataclass(frozen=True, slots=True)
class Raising:
    """A rule that raises an error at its first bar."""

    error: Exception
    longest_window: int = 0

    def start(self) -> Callable[[Bar], int]:
        """A step that raises it."""
        return _refusing(self.error)


def bare_step(rule: Rule) -> Callable[[Bar], int]:
    """A rule's step, with errors as they come; `as_told` makes them what its lane would tell."""
    if type(rule) is not UserRule:
        return rule.start()
    try:
        return rule.rule.start()
    except Exception:
        return rule.start()


def as_told(rule: Rule, error: Exception) -> Exception:
    """An error of a rule's bare step as its own step raises it."""
    if type(rule) is not UserRule or isinstance(error, StrategyRaised):
        return error
    return StrategyRaised(error_text(error))


def fit_for_lanes(spec: StrategySpec) -> StrategySpec:
    """The same strategy; parameters such as lists have no hash by which to look its rule up."""
    kind = type(spec.rule)
    if kind in (UserRule, JointUserRule) or kind in BUILT_IN:
        return spec
    told = JointUserRule if starts_together(spec.rule) else UserRule
    try:
        hash(spec.rule)
    except TypeError:
        return replace(spec, rule=told(spec.rule, object()))
    return replace(spec, rule=told(spec.rule, spec.rule))


def _refusing(fault: Exception) -> Callable[[Any], Any]:
    def refuse(_bars: object) -> NoReturn:
        raise fault

    return refuse
