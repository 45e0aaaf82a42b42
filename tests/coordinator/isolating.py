"""Strategies that go wrong in every way a user's can, and lanes to run them in."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, TypeVar

from coordinator.core.lane import Rule, StrategySpec
from coordinator.core.lanes import Lanes
from coordinator.core.values import MINUTE, Bar
from coordinator.shell.isolated_rule import IsolatedRule
from coordinator.shell.isolation import walls
from tests.coordinator.bench import OPEN, spec

BREAKS_AT = 3
"""The minute after the open at which a bad strategy goes wrong."""
MIB = 2**20
SIGNALS = (1, -1, 0)
T = TypeVar("T")


@contextmanager
def isolated(
    specs: Sequence[StrategySpec], trusted: Iterable[type], **options: Any
) -> Iterator[list[StrategySpec]]:
    """The strategies as they run behind their walls; `options` are those of `walls`."""
    with walls(specs, tuple(trusted), **options) as made:
        yield made.specs


def loop() -> None:
    while True:
        pass


def grow() -> None:
    kept = []
    while True:
        kept.append(bytearray(b"x") * MIB)


class Mute(Exception):
    """An error that cannot say what is wrong."""

    def __str__(self) -> str:
        raise RuntimeError


def fail(error: BaseException) -> None:
    raise error


WAYS: dict[str, Callable[[], Any]] = {
    "raises": lambda: fail(ValueError("no idea")),
    "raises what no journal can hold": lambda: fail(ValueError("\ud800\n" + 9999 * "x")),
    "raises what cannot be shown": lambda: fail(Mute()),
    "recurses": lambda: (lambda f: f(f))(lambda f: f(f)),
    "leaves": lambda: sys.exit(3),
    "loops": loop,
    "sleeps": lambda: time.sleep(3600),
    "exits": lambda: os._exit(3),
    "is killed": lambda: os.kill(os.getpid(), 11),
    "grows": grow,
    "says buy": lambda: "buy",
    "says two": lambda: 2,
    "says true": lambda: True,
    "says nothing": lambda: None,
    "says half": lambda: 0.5,
}


@dataclass(frozen=True)
class Turns:
    """Long, flat, as it was, in turn; from BREAKS_AT on it goes wrong in one of the WAYS."""

    way: str = ""
    longest_window: int = 1

    def start(self) -> Callable[[Bar], Any]:
        def step(bar: Bar) -> Any:
            minute = (bar.start - OPEN) // MINUTE
            if self.way and minute >= BREAKS_AT:
                return WAYS[self.way]()
            return SIGNALS[minute % 3]

        return step


@dataclass(frozen=True)
class Does:
    """Does at every bar what it is told, and answers what that returns."""

    what: Callable[[Bar], Any]
    at_start: Callable[[], Any] = lambda: None
    longest_window: int = 1

    def start(self) -> Callable[[Bar], Any]:
        self.at_start()
        return self.what


def named(name: str, rule: Rule, *tickers: str) -> StrategySpec:
    """A strategy of this rule, on SPY unless told otherwise."""
    return replace(spec(name, {}, tickers=tickers or ("SPY",), cash="10000"), rule=rule)


def bars(*tickers: str, minutes: Iterable[int] = range(9)) -> list[Bar]:
    """The bars of each minute after the open, ticker by ticker."""
    return [
        Bar(t, OPEN + n * MINUTE, *[Decimal(100 + n)] * 4, Decimal(7))
        for n in minutes
        for t in tickers or ("SPY",)
    ]


def signals(lanes: Lanes, one: StrategySpec, other: StrategySpec, bar: Bar) -> tuple[int, int]:
    """The signals of two strategies at this bar."""
    lanes.feed_all([bar])
    return lanes.lane(one, bar.symbol).signal, lanes.lane(other, bar.symbol).signal


def answers(lanes: Lanes, strategy: StrategySpec, fed: Iterable[Bar]) -> list[int]:
    """A strategy's signals at each of these bars."""
    found = []
    for bar in fed:
        lanes.feed_all([bar])
        found.append(lanes.lane(strategy, bar.symbol).signal)
    return found


def on_a_loop(call: Callable[[], T]) -> T:
    """Call while an event loop runs, as a session does."""

    async def inside() -> T:
        return call()

    return asyncio.run(inside())


def explained(lanes: Lanes, own: StrategySpec) -> list[Mapping[str, object]]:
    """What it says on each of its tickers, as whoever asks a session is told."""
    found = [lanes.lane(own, ticker) for ticker in own.tickers]

    async def asked() -> list[Mapping[str, object]]:
        if isinstance(own.rule, IsolatedRule):
            for lane in found:
                lane.explain()
            await own.rule.wait_for_explanations()
        return [lane.explain() for lane in found]

    return asyncio.run(asked())
