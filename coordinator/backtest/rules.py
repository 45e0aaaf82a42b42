"""A user's strategy as a rule for the core's lanes: it fails as it does live, and has a hash.

Live, the strategy's process provides both (`shell/isolation.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field, replace
from decimal import getcontext, setcontext
from typing import Any, NoReturn

from coordinator.core.lane import Rule, StrategySpec, history_of
from coordinator.core.together import JointStep, starts_together
from coordinator.core.values import EXACT, Bar
from coordinator.shell.strategy_process import (
    BY_TICKER,
    StrategyFault,
    StrategyMisanswered,
    StrategyRaised,
)
from coordinator.shell.worker_process import error_text, shown, signal_of, signals_of
from coordinator.strategies.hidden_keys import ACCOUNTS, hidden_keys
from coordinator.strategies.registry import BUILT_IN

RAISED = (Exception, SystemExit)
"""What a user's rule may raise: an `exit()` ends the rule, not the backtest."""


@dataclass(frozen=True, slots=True)
class UserRule:
    """A user's rule, which raises the errors that its process would raise; equality is by `key`.

    An answer that is no signal is such an error too.
    """

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
        own = _OwnContext()
        try:
            step = own.call(self.rule.start)
        except RAISED as error:
            return _raiser(StrategyRaised(error_text(error)))

        def guarded(bar: Bar) -> int:
            try:
                answer: object = own.call(step, bar)
            except RAISED as error:
                raise StrategyRaised(error_text(error)) from error
            signal = signal_of(answer)
            if signal is None:
                raise misanswered(answer)
            return signal

        return guarded


class JointUserRule(UserRule):
    """A UserRule that reads several tickers together."""

    __slots__ = ()

    def start_together(self, tickers: tuple[str, ...]) -> JointStep:
        """The rule's own step; if it fails to start, a step that raises that error."""
        rule: Any = self.rule
        own = _OwnContext()
        try:
            step: JointStep = own.call(rule.start_together, tickers)
        except RAISED as error:
            return _raiser(StrategyRaised(error_text(error)))

        def guarded(bars: Mapping[str, Bar]) -> Mapping[str, int]:
            try:
                answer: object = own.call(step, dict(bars))
            except RAISED as error:
                raise StrategyRaised(error_text(error)) from error
            signals = signals_of(answer)
            if signals is None:
                raise misanswered(answer, each=BY_TICKER)
            return signals

        return guarded


class _OwnContext:
    """A user's decimal context, as its process has one: what it changes there moves no money.

    Nor does it find the account's keys.
    """

    def __init__(self) -> None:
        self._context = EXACT.copy()

    def call(self, function: Callable[..., Any], *given: Any) -> Any:
        """Call a user's function in it."""
        with hidden_keys(ACCOUNTS):
            setcontext(self._context)
            try:
                return function(*given)
            finally:
                self._context = getcontext()


@dataclass(frozen=True, slots=True)
class Raising:
    """A rule that raises an error at its first bar."""

    error: BaseException
    longest_window: int = 0

    def start(self) -> Callable[[Bar], int]:
        """A step that raises it."""
        return _raiser(self.error)


def bare_step(rule: Rule) -> Callable[[Bar], int]:
    """A rule's step that raises errors unconverted (see `as_lane_error`), and checks no answer."""
    if type(rule) is not UserRule:
        return rule.start()
    try:
        return rule.rule.start()
    except RAISED:
        return rule.start()


def as_lane_error(rule: Rule, error: BaseException) -> BaseException:
    """Convert an error of a rule's bare step to the one that the rule's own step raises."""
    if type(rule) is not UserRule or isinstance(error, StrategyFault):
        return error
    return StrategyRaised(error_text(error))


def misanswered(answer: object, *, each: str = "") -> StrategyMisanswered:
    """The error of an answer that is no signal."""
    return StrategyMisanswered.by(shown(repr(answer)), each=each)


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


def _raiser(error: BaseException) -> Callable[[Any], Any]:
    def fail(_bars: object) -> NoReturn:
        raise error

    return fail
