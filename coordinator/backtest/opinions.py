"""What every rule says at every bar of a session, found before the first order of it.

A signal depends on bars alone. A rule that judges a history whole is asked once. Any other is
stepped bar by bar: on all its tickers in the very order in which the engine would step it, so that
what it shares between them is the same at each step; but one rule after another, since live each
has a process of its own, and since few that take turns stay in the processor's nearest memory.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coordinator.backtest.as_bars import in_order
from coordinator.backtest.reels import Reel
from coordinator.backtest.rules import Raising, as_told, bare_step
from coordinator.core.lane import Lane, Rule, StrategySpec, tickers_of
from coordinator.core.precomputed import over_of
from coordinator.core.values import Bar, exactly, newest

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
        for bar in newest(history, self._spec.history_bars):
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
    stepping: dict[Rule, dict[str, _Asked]] = {}
    for spec in specs:
        for ticker in spec.tickers:
            key = (spec.rule, ticker)
            if key in found:
                continue
            found[key] = Opinion()
            if not _at_once(spec, reels[ticker], found[key]):
                stepping.setdefault(spec.rule, {})[ticker] = _Asked(spec, found[key])
    if stepping:
        _ask(stepping.values(), tickers_of(specs), reels)
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


def _ask(
    stepping: Collection[Mapping[str, _Asked]], tickers: Sequence[str], reels: Mapping[str, Reel]
) -> None:
    """Warm up and ask one rule after another; `tickers` are in the order of their warming up."""
    place = {ticker: number for number, ticker in enumerate(tickers)}
    bars = {ticker: reels[ticker].beads() for ticker in {*chain.from_iterable(stepping)}}
    turns: dict[tuple[str, ...], _Turns] = {}
    for lanes in stepping:
        for ticker in sorted(lanes, key=place.__getitem__):
            lanes[ticker].warm(bars[ticker][: len(reels[ticker].history)])
        names = tuple(sorted(lanes))
        if names not in turns:
            turns[names] = _Turns([reels[name] for name in names], [bars[name] for name in names])
        turns[names].ask([lanes[name] for name in names])


class _Turns:
    """The bars of some tickers in a session, minute by minute, and whose each one is."""

    def __init__(self, reels: Sequence[Reel], bars: Sequence[Sequence[Bar]]) -> None:
        to_come = [each[len(reel.history) :] for reel, each in zip(reels, bars, strict=True)]
        self._order = in_order([reel.bars for reel in reels])
        self._bars = list(map(list(chain.from_iterable(to_come)).__getitem__, self._order.tolist()))
        counts = list(map(len, to_come))
        self._begins = np.cumsum([0, *counts])
        self._owners = np.repeat(np.arange(len(reels)), counts)[self._order].tolist()

    def ask(self, lanes: Sequence[_Asked]) -> None:
        """Ask a rule on each of the tickers. Nothing but its own code may cost much here."""
        steps, said = [asked.step for asked in lanes], list[Any]()
        say = said.append
        for bar, step in zip(self._bars, map(steps.__getitem__, self._owners), strict=True):
            try:
                say(step(bar))
            except Exception as error:
                owner = self._owners[len(said)]
                lanes[owner].stop(error, bar, self._owners[: len(said)].count(owner))
                steps[owner] = _silent
                say(0)
        told = np.array(said, float)
        signals = np.empty(len(told), np.int8)
        signals[self._order] = (told > 0).astype(np.int8) - (told < 0)
        for number, asked in enumerate(lanes):
            asked.opinion.said = signals[self._begins[number] : self._begins[number + 1]]
