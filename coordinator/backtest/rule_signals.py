"""Every rule's signals at every bar of a session, computed before its first order.

A signal depends on bars alone. A rule that can judge a whole history is called once. Any other is
stepped bar by bar: over all its tickers in the order in which the engine would step it, so that
state shared between them is the same at each step; but one rule after another, since live each has
its own process, and since that keeps the processor's caches warm.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import localcontext
from functools import cached_property
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coordinator.backtest.reels import Reel
from coordinator.backtest.rules import RAISED, Raising, as_lane_error, bare_step, misanswered
from coordinator.core.lane import Lane, Rule, StrategySpec, tickers_of
from coordinator.core.lane_form import beside_start
from coordinator.core.values import EXACT, Bar, exactly, newest
from coordinator.shell.worker_process import signal_of
from coordinator.strategies.hidden_keys import ACCOUNTS, hidden_keys
from coordinator.strategies.series import Series

Key = tuple[Rule, str]
Signs = NDArray[np.int8]
_PLAIN, _SIGNALS = frozenset({int}), frozenset({1, -1, 0})
Over = Callable[[Series], Signs | None]
"""A rule's `over`: its step's signal at each bar; None where it cannot find that exactly."""


@dataclass
class RuleSignals:
    """One rule's signals on one ticker, by place: +1, -1 or 0.

    `fault` is the error that it raised, if any, at the place `fault_at`; -1 is the history.
    """

    signs: Signs = field(default_factory=lambda: np.zeros(0, np.int8))
    fault: str = ""
    fault_at: int = -1

    @cached_property
    def as_list(self) -> list[int]:
        """The signals as a list, faster to index one by one."""
        signals: list[int] = self.signs.tolist()
        return signals

    @cached_property
    def ups(self) -> list[int]:
        """The places at which it wants to be long."""
        places: list[int] = np.flatnonzero(self.signs > 0).tolist()
        return places

    @cached_property
    def downs(self) -> list[int]:
        """The places at which it wants to be flat."""
        places: list[int] = np.flatnonzero(self.signs < 0).tolist()
        return places


class _Stepped:
    """A rule on one ticker that is stepped bar by bar.

    Like a lane of the core it stops at its first error, whose text is the lane's.
    """

    __slots__ = ("_spec", "signals", "step")

    def __init__(self, spec: StrategySpec, signals: RuleSignals) -> None:
        self._spec, self.signals, self.step = spec, signals, bare_step(spec.rule)

    def warm(self, history: Sequence[Bar]) -> None:
        """Feed the part of the history that the rule starts with."""
        bars = newest(history, self._spec.history_bars)
        self._answers(bars, past=True)

    def run(self, bars: Sequence[Bar]) -> None:
        """Step the session's bars, where the rule trades this ticker only."""
        found = self._answers(bars)
        self.signals.signs = np.zeros(len(bars), np.int8)
        self.signals.signs[: len(found)] = found

    def _answers(self, bars: Sequence[Bar], *, past: bool = False) -> list[Any]:
        """Its answers to these bars, until its first error."""
        step, found = self.step, list[Any]()
        add = found.append
        try:
            for bar in bars:
                add(step(bar))
        except RAISED as error:
            self.stop(error, bar, -1 if past else len(found))
        return self.signals_among(found, bars, past=past)

    def signals_among(
        self, found: list[Any], bars: Sequence[Bar], *, past: bool = False
    ) -> list[Any]:
        """Its answers before the first that is no signal, at which it stops."""
        wrong = None if _are_signals(found) else _misanswer_in(found)
        if wrong is None:
            return found
        self.stop(misanswered(found[wrong]), bars[wrong], -1 if past else wrong)
        return found[:wrong]

    def stop(self, error: BaseException, bar: Bar, at: int) -> None:
        """Give no further signals after an error at the place `at`."""
        lane = Lane(replace(self._spec, rule=Raising(as_lane_error(self._spec.rule, error))))
        lane.feed(bar)
        self.signals.fault, self.signals.fault_at = lane.fault, at
        self.step = _no_signal


def _no_signal(_bar: Bar) -> int:
    return 0


def _are_signals(found: Sequence[Any]) -> bool:
    """Whether all of these are plain signals; looking at each alone costs more than many steps."""
    return _PLAIN.issuperset(map(type, found)) and _SIGNALS.issuperset(found)


def _misanswer_in(found: Sequence[Any]) -> int | None:
    """The place of the first that is no signal."""
    return next((at for at, answer in enumerate(found) if signal_of(answer) is None), None)


@exactly
def rule_signals(
    specs: Sequence[StrategySpec], reels: Mapping[str, Reel]
) -> dict[Key, RuleSignals]:
    """The signals of each distinct rule and ticker."""
    found: dict[Key, RuleSignals] = {}
    stepped: dict[Rule, dict[str, tuple[StrategySpec, RuleSignals]]] = {}
    for spec in specs:
        for ticker in spec.tickers:
            key = (spec.rule, ticker)
            if key in found:
                continue
            signals = found[key] = RuleSignals()
            if not _judge_whole(spec, reels[ticker], signals):
                stepped.setdefault(spec.rule, {})[ticker] = spec, signals
    if stepped:
        _step_all(stepped.values(), tickers_of(specs), reels)
    return found


def over_of(rule: object) -> Over | None:
    """The `over` of a rule; None if it has none."""
    found: Over | None = beside_start(rule, "over")
    return found


def _judge_whole(spec: StrategySpec, reel: Reel, signals: RuleSignals) -> bool:
    """Judge the whole history in one call; False if the rule cannot do that exactly."""
    over, to_come = over_of(spec.rule), len(reel.bars)
    if over is None or not to_come:
        return over is not None
    signs = over(reel.series().last(spec.history_bars + to_come))
    if signs is None:
        return False
    signals.signs = signs[len(signs) - to_come :]
    return True


def _step_all(
    stepped: Collection[Mapping[str, tuple[StrategySpec, RuleSignals]]],
    tickers: Sequence[str],
    reels: Mapping[str, Reel],
) -> None:
    """Warm up and step one rule after another; `tickers` gives the order of warming up.

    Each has a decimal context of its own, as its process has: what it changes there moves no money.
    Nor does it find the account's keys.
    """
    place = {ticker: number for number, ticker in enumerate(tickers)}
    past, to_come = dict[str, Sequence[Bar]](), dict[str, Sequence[Bar]]()
    for ticker in {*chain.from_iterable(stepped)}:
        bars, begin = reels[ticker].objects(), len(reels[ticker].history)
        past[ticker], to_come[ticker] = bars[:begin], bars[begin:]
    merged: dict[tuple[str, ...], _MergedBars] = {}
    for on in stepped:
        names = tuple(sorted(on))
        if len(names) > 1 and names not in merged:
            own = [reels[name] for name in names], [to_come[name] for name in names]
            merged[names] = _MergedBars(*own)
        with hidden_keys(ACCOUNTS), localcontext(EXACT):
            lanes = {ticker: _Stepped(*one) for ticker, one in on.items()}
            for ticker in sorted(lanes, key=place.__getitem__):
                lanes[ticker].warm(past[ticker])
            if len(names) == 1:
                lanes[names[0]].run(to_come[names[0]])
            else:
                merged[names].step([lanes[name] for name in names])


class _MergedBars:
    """The session's bars of some tickers, merged minute by minute."""

    def __init__(self, reels: Sequence[Reel], to_come: Sequence[Sequence[Bar]]) -> None:
        starts = np.concatenate([reel.bars.starts for reel in reels])
        self._order = np.argsort(starts, kind="stable")  # of equal minutes in order of the reels
        self._bars = list(map(list(chain.from_iterable(to_come)).__getitem__, self._order.tolist()))
        counts = list(map(len, to_come))
        self._begins = np.cumsum([0, *counts])
        self._owners = np.repeat(np.arange(len(reels)), counts)[self._order].tolist()

    def step(self, lanes: Sequence[_Stepped]) -> None:
        """Step a rule with a lane for each ticker; the loop adds little to the rule's own time."""
        steps, found = [lane.step for lane in lanes], list[Any]()
        add = found.append
        for bar, owner in zip(self._bars, self._owners, strict=True):
            try:
                add(steps[owner](bar))
            except RAISED as error:
                lanes[owner].stop(error, bar, self._owners[: len(found)].count(owner))
                steps[owner] = _no_signal
                add(0)
        if not _are_signals(found):
            self._end_misanswering(lanes, found)
        signs = np.empty(len(found), np.int8)
        signs[self._order] = found
        for number, lane in enumerate(lanes):
            lane.signals.signs = signs[self._begins[number] : self._begins[number + 1]]

    def _end_misanswering(self, lanes: Sequence[_Stepped], found: list[Any]) -> None:
        """End each lane at its first answer that is no signal; those after it become 0."""
        for number, lane in enumerate(lanes):
            places = [at for at, owner in enumerate(self._owners) if owner == number]
            own = [found[at] for at in places]
            taken = lane.signals_among(own, [self._bars[at] for at in places])
            for at in places[len(taken) :]:
                found[at] = 0
