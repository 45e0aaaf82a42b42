"""What every rule says at every bar of a session, found before the first order of it.

A signal depends on bars alone. A rule that judges a history whole is asked once; any other is
stepped bar by bar, in the very order in which the engine would step it, so that what a user's
strategies share with each other is the same at each step.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coordinator.backtest.as_bars import in_order
from coordinator.backtest.reels import Reel
from coordinator.core.engine import tickers_of
from coordinator.core.foretold import over_of
from coordinator.core.lanes import Lane, Rule, StrategySpec
from coordinator.core.values import exactly

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


def opinions(specs: Sequence[StrategySpec], reels: Mapping[str, Reel]) -> dict[Key, Opinion]:
    """Each distinct rule and ticker, judged once."""
    found: dict[Key, Opinion] = {}
    stepping: dict[str, list[tuple[Lane, Opinion]]] = {}
    for spec in specs:
        for ticker in spec.tickers:
            key = (spec.rule, ticker)
            if key in found:
                continue
            found[key] = Opinion()
            if not _at_once(spec, reels[ticker], found[key]):
                stepping.setdefault(ticker, []).append((Lane(spec), found[key]))
    if stepping:
        _warm(specs, stepping, reels)
        _step(stepping, reels)
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
    specs: Sequence[StrategySpec],
    stepping: Mapping[str, Sequence[tuple[Lane, Opinion]]],
    reels: Mapping[str, Reel],
) -> None:
    for ticker in tickers_of(specs):
        bars = list(in_order([reels[ticker].history])) if ticker in stepping else []
        for lane, opinion in stepping.get(ticker, ()):
            for bar in bars[max(0, len(bars) - lane.history_bars) :]:
                lane.feed(bar)
            opinion.fault = lane.fault


@exactly
def _step(
    stepping: Mapping[str, Sequence[tuple[Lane, Opinion]]], reels: Mapping[str, Reel]
) -> None:
    for bar in in_order([reels[ticker].bars for ticker in sorted(stepping)]):
        for lane, opinion in stepping[bar.symbol]:
            lane.feed(bar)
            if lane.fault and not opinion.fault:
                opinion.fault, opinion.fault_at = lane.fault, len(opinion.signals)
            opinion.signals.append(lane.signal)
    for some in stepping.values():
        for _, opinion in some:
            opinion.say(np.array(opinion.signals, float))
