"""What every rule says at every bar of a session, found before the first order of it.

A signal depends on bars alone. A rule that judges a history whole is asked once; any other is
stepped bar by bar, in the very order in which the engine would step it, so that what a user's
strategies share with each other is the same at each step.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coordinator.backtest.as_bars import in_order
from coordinator.backtest.reels import Reel
from coordinator.backtest.rules import Raising, as_told, bare_step
from coordinator.core.engine import tickers_of
from coordinator.core.foretold import over_of
from coordinator.core.lanes import Lane, Rule, StrategySpec
from coordinator.core.values import Bar, exactly

Key = tuple[Rule, str]


@dataclass(slots=True)
class Opinion:
    """One rule's signals on one ticker, by place.

    `fault` says what it raised, if it did, at the place `fault_at`; -1 is the history.
    """

    signals: list[int] = field(default_factory=list)
    fault: str = ""
    fault_at: int = -1
    ups: list[int] = field(default_factory=list)
    downs: list[int] = field(default_factory=list)
    """The places at which it wants to be long, and flat."""

    def say(self, signals: NDArray[Any]) -> None:
        """Note all signals, once they are known."""
        self.ups, self.downs = (
            np.flatnonzero(signals > 0).tolist(),
            np.flatnonzero(signals < 0).tolist(),
        )


class _Asked:
    """A rule that is asked bar by bar, what it says going to its opinion.

    As a lane of the core does, it stops at its first error, which is told as a lane tells it.
    """

    __slots__ = ("_spec", "history_bars", "opinion", "say", "step")

    def __init__(self, spec: StrategySpec, opinion: Opinion) -> None:
        self._spec, self.opinion = spec, opinion
        self.step, self.say = bare_step(spec.rule), opinion.signals.append
        self.history_bars = spec.history_bars

    def stop(self, error: Exception, bar: Bar, at: int) -> None:
        """Say nothing more; it was asked about the place `at`."""
        lane = Lane(replace(self._spec, rule=Raising(as_told(self._spec.rule, error))))
        lane.feed(bar)
        self.opinion.fault, self.opinion.fault_at = lane.fault, at
        self.step = _silent


def _silent(_bar: Bar) -> int:
    return 0


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
        _warm([t for t in tickers_of(specs) if t in stepping], stepping, bars, reels)
        _step(stepping, bars, reels)
        for asked in chain.from_iterable(stepping.values()):
            asked.opinion.say(np.array(asked.opinion.signals, float))
    return found


def _at_once(spec: StrategySpec, reel: Reel, opinion: Opinion) -> bool:
    """Whether the rule could say exactly what its step would."""
    over, to_come = over_of(spec.rule), len(reel.bars)
    if over is None or not to_come:
        return over is not None
    told = over(reel.series.last(spec.history_bars + to_come))
    if told is None:
        return False
    signals = told[len(told) - to_come :]
    opinion.signals = signals.tolist()
    opinion.say(signals)
    return True


def _warm(
    tickers: Sequence[str],
    stepping: Mapping[str, Sequence[_Asked]],
    bars: Mapping[str, Sequence[Bar]],
    reels: Mapping[str, Reel],
) -> None:
    for ticker in tickers:
        history = bars[ticker][: len(reels[ticker].history)]
        for asked in stepping[ticker]:
            for bar in history[max(0, len(history) - asked.history_bars) :]:
                try:
                    asked.step(bar)
                except Exception as error:
                    asked.stop(error, bar, -1)


@exactly
def _step(
    stepping: Mapping[str, Sequence[_Asked]],
    bars: Mapping[str, Sequence[Bar]],
    reels: Mapping[str, Reel],
) -> None:
    tickers = sorted(stepping)
    to_come = [iter(bars[ticker][len(reels[ticker].history) :]) for ticker in tickers]
    each = [stepping[ticker] for ticker in tickers]
    at = [0] * len(tickers)
    for turn in in_order([reels[ticker].bars for ticker in tickers]):
        bar = next(to_come[turn])
        for asked in each[turn]:
            try:
                asked.say(asked.step(bar))
            except Exception as error:
                asked.stop(error, bar, at[turn])
                asked.say(0)
        at[turn] += 1
