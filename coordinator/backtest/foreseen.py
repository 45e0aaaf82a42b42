"""What every rule says at every bar of a session, found before the first order of it.

A signal depends on bars alone. A rule that judges a history whole is asked once; any other is
stepped bar by bar, in the very order in which the engine would step it, so that what a user's
strategies share with each other is the same at each step.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coordinator.backtest.as_bars import in_order
from coordinator.backtest.reels import Places, Reel
from coordinator.backtest.rules import Raising, as_told, bare_step
from coordinator.core.engine import tickers_of
from coordinator.core.foretold import over_of
from coordinator.core.lanes import Lane, Rule, StrategySpec
from coordinator.core.values import Bar, exactly

Key = tuple[Rule, str]
Signs = NDArray[np.int8]


@dataclass
class Opinion:
    """One rule's signals on one ticker, by place: +1, -1 or 0.

    `fault` says what it raised, if it did, at the place `fault_at`; -1 is the history.
    """

    said: Signs = field(default_factory=lambda: np.zeros(0, np.int8))
    fault: str = ""
    fault_at: int = -1

    @cached_property
    def signals(self) -> list[int]:
        """The same, for who looks at few of them."""
        signals: list[int] = self.said.tolist()
        return signals

    @cached_property
    def ups(self) -> list[int]:
        """The places at which it wants to be long."""
        places: list[int] = np.flatnonzero(self.said > 0).tolist()
        return places

    @cached_property
    def downs(self) -> list[int]:
        """The places at which it wants to be flat."""
        places: list[int] = np.flatnonzero(self.said < 0).tolist()
        return places


class _Asked:
    """A rule that is asked bar by bar.

    As a lane of the core does, it stops at its first error, which is told as a lane tells it.
    """

    __slots__ = ("_spec", "opinion", "step")

    def __init__(self, spec: StrategySpec, opinion: Opinion) -> None:
        self._spec, self.opinion, self.step = spec, opinion, bare_step(spec.rule)

    def warm(self, history: Sequence[Bar]) -> None:
        """Feed it as much of the history as it begins with."""
        step = self.step
        for bar in history[max(0, len(history) - self._spec.history_bars) :]:
            try:
                step(bar)
            except Exception as error:
                self.stop(error, bar, -1)
                return

    def stop(self, error: Exception, bar: Bar, at: int) -> None:
        """Say nothing more; it was asked about the place `at`."""
        lane = Lane(replace(self._spec, rule=Raising(as_told(self._spec.rule, error))))
        lane.feed(bar)
        self.opinion.fault, self.opinion.fault_at = lane.fault, at
        self.step = _silent


def _silent(_bar: Bar) -> int:
    return 0


@exactly
def opinions(specs: Sequence[StrategySpec], reels: Mapping[str, Reel]) -> dict[Key, Opinion]:
    """Each distinct rule and ticker, judged once."""
    found: dict[Key, Opinion] = {}
    stepping: dict[str, list[_Asked]] = {}
    for spec in specs:
        for ticker in spec.tickers:
            key = (spec.rule, ticker)
            if key in found:
                continue
            found[key] = Opinion()
            if not _at_once(spec, reels[ticker], found[key]):
                stepping.setdefault(ticker, []).append(_Asked(spec, found[key]))
    if stepping:
        bars = {ticker: reels[ticker].beads() for ticker in stepping}
        for ticker in tickers_of(specs):
            history = bars[ticker][: len(reels[ticker].history)] if ticker in stepping else []
            for asked in stepping.get(ticker, ()):
                asked.warm(history)
        _step(stepping, bars, reels)
    return found


def _at_once(spec: StrategySpec, reel: Reel, opinion: Opinion) -> bool:
    """Whether the rule could say exactly what its step would."""
    over, to_come = over_of(spec.rule), len(reel.bars)
    if over is None or not to_come:
        return over is not None
    told = over(reel.series.last(spec.history_bars + to_come))
    if told is None:
        return False
    opinion.said = told[len(told) - to_come :]
    return True


def _step(
    stepping: Mapping[str, Sequence[_Asked]],
    bars: Mapping[str, Sequence[Bar]],
    reels: Mapping[str, Reel],
) -> None:
    """Ask for the session's bars. Nothing but the rules' own code may cost much here."""
    tickers = sorted(stepping)
    to_come = [bars[ticker][len(reels[ticker].history) :] for ticker in tickers]
    order = in_order([reels[ticker].bars for ticker in tickers])
    line = _Line([stepping[ticker] for ticker in tickers], list(map(len, to_come)), order)
    ordered = map(list(chain.from_iterable(to_come)).__getitem__, order.tolist())
    say = line.said.append
    for bar, steps in zip(ordered, map(line.steps.__getitem__, line.turns.tolist()), strict=True):
        try:
            for step in steps:
                say(step(bar))
        except Exception as error:
            line.go_on(error, bar)
    line.tell()


class _Line:
    """What the lanes of all tickers have `said`, in turn.

    A turn is a bar's, and at it all lanes of its ticker are asked.
    """

    def __init__(self, lanes: Sequence[Sequence[_Asked]], bars: Sequence[int], order: Places):
        self._lanes = lanes
        self.steps = [[asked.step for asked in each] for each in lanes]
        self.said: list[Any] = []
        self.turns = np.repeat(np.arange(len(lanes)), bars)[order]
        self._until = np.cumsum(np.array([len(each) for each in lanes])[self.turns])
        """How much is said at the end of each turn."""

    def go_on(self, error: Exception, bar: Bar) -> None:
        """Stop the lane that is asked, and ask those behind it about the same bar."""
        turn = int(np.searchsorted(self._until, len(self.said), side="right"))
        ticker = self.turns[turn]
        place = int(np.count_nonzero(self.turns[:turn] == ticker))
        lanes, steps = self._lanes[ticker], self.steps[ticker]
        fault: Exception | None = error
        for at in range(len(lanes) - int(self._until[turn]) + len(self.said), len(lanes)):
            signal = 0
            try:
                signal = steps[at](bar) if fault is None else 0
            except Exception as another:
                fault = another
            if fault is not None:
                lanes[at].stop(fault, bar, place)
                steps[at], fault = lanes[at].step, None
            self.said.append(signal)

    def tell(self) -> None:
        """Let each lane's opinion be what it said."""
        told = np.array(self.said, float)
        signs = (told > 0).astype(np.int8) - (told < 0)
        for ticker, lanes in enumerate(self._lanes):
            ends = self._until[self.turns == ticker]
            for at, asked in enumerate(lanes):
                asked.opinion.said = signs[ends - len(lanes) + at]
