"""A user's strategy as a rule for the core's lanes: errors read as live, and it is always hashable.

Live, the strategy's process provides both (`shell/isolation.py`).
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
    """A user's rule, which raises the errors that its process would raise; equality is by `key`."""

    rule: Rule = field(compare=False)
    key: Hashable

    @property
    def longest_window(self) -> int:
        """The rule's longest window, in bars."""
        return self.rule.longest_window

    @property
    def history_bars(self) -> int:
        """The bars of history that the rule needs."""
        return history_of(self.rule)

    def start(self) -> Callable[[Bar], int]:
        """The rule's own step; if it fails to start, a step that raises that error."""
        try:
            step = self.rule.start()
        except Exception as error:
            return _raiser(StrategyRaised(error_text(error)))

        def guarded(bar: Bar) -> int:
            try:
                return step(bar)
            except Exception as error:
                raise StrategyRaised(error_text(error)) from error

        return guarded


class JointUserRule(UserRule):
    """A UserRule that reads several tickers together."""

    __slots__ = ()

    def start_together(self, tickers: tuple[str, ...]) -> JointStep:
        """The rule's own step; if it fails to start, a step that raises that error."""
        rule: Any = self.rule
        try:
            step: JointStep = rule.start_together(tickers)
        except Exception as error:
            return _raiser(StrategyRaised(error_text(error)))

        def guarded(bars: Mapping[str, Bar]) -> Mapping[str, int]:
            try:
                return step(bars)
            except Exception as error:
                raise StrategyRaised(error_text(error)) from error

        return guarded


@dataclass(frozen=True, slots=True)
class Raising:
    """A rule that raises an error at its first bar."""

    error: Exception
    longest_window: int = 0

    def start(self) -> Callable[[Bar], int]:
        """A step that raises it."""
        return _raiser(self.error)


def bare_step(rule: Rule) -> Callable[[Bar], int]:
    """A rule's step that raises errors unconverted; see `as_lane_error`."""
    if type(rule) is not UserRule:
        return rule.start()
    try:
        return rule.rule.start()
    except Exception:
        return rule.start()


def as_lane_error(rule: Rule, error: Exception) -> Exception:
    """Convert an error of a rule's bare step to the one that the rule's own step raises."""
    if type(rule) is not UserRule or isinstance(error, StrategyRaised):
        return error
    return StrategyRaised(error_text(error))


def fit_for_lanes(spec: StrategySpec) -> StrategySpec:
    """The strategy with a hashable rule: parameters such as lists have no hash."""
    kind = type(spec.rule)
    if kind in (UserRule, JointUserRule) or kind in BUILT_IN:
        return spec
    wrapper = JointUserRule if starts_together(spec.rule) else UserRule
    try:
        hash(spec.rule)
    except TypeError:
        return replace(spec, rule=wrapper(spec.rule, object()))
    return replace(spec, rule=wrapper(spec.rule, spec.rule))


def _raiser(error: Exception) -> Callable[[Any], Any]:
    def fail(_bars: object) -> NoReturn:
        raise error

    return fail
