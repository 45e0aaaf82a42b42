"""A user's strategy works ahead on its history, and says what it would say bar by bar."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from coordinator.core.lane import Rule
from coordinator.core.lanes import Lanes
from coordinator.core.values import MINUTE, Bar
from coordinator.shell.cell import Budget
from tests.coordinator.bench import OPEN
from tests.coordinator.isolating import MIB, SIGNALS, WAYS, Turns, bars, isolated, named

TICKERS = ("QQQ", "SPY", "TLT")
FAILS_AT = {"QQQ": 3, "SPY": 4, "TLT": 7}
"""The minutes after the open, each of which leaves another number of bars that are never seen."""
Fed = Callable[[Lanes, list[Bar]], None]


def ahead(lanes: Lanes, past: list[Bar]) -> None:
    lanes.catch_up(past)


def bar_by_bar(lanes: Lanes, past: list[Bar]) -> None:
    for bar in past:
        lanes.feed_all([bar])


@dataclass(frozen=True)
class Counting:
    """Says how many bars it has seen on all of its tickers, in turn; on some it fails."""

    fails: tuple[str, ...] = ()
    longest_window: int = 1

    def start(self) -> Callable[[Bar], int]:
        return self._step

    def _step(self, bar: Bar) -> int:
        SEEN.append(bar.symbol)
        if bar.symbol in self.fails and bar.start >= OPEN + FAILS_AT.get(bar.symbol, 2) * MINUTE:
            raise ValueError(f"{len(SEEN)} bars seen")
        return SIGNALS[len(SEEN) % 3]


SEEN: list[str] = []


def outcome(
    rule: Rule, feed: Fed, past: list[Bar], *tickers: str, budget: Budget | None = None
) -> list[tuple[int, str]]:
    """The signal and the fault on each ticker, of the rule in a process of its own."""
    with isolated([named("A", rule, *tickers)], (), budget=budget) as [own]:
        lanes = Lanes([own])
        feed(lanes, past)
        return [(one.signal, one.fault) for one in (lanes.lane(own, t) for t in own.tickers)]


MANY = (*TICKERS, *(f"MORE{n}" for n in range(9)))
"""More than what is sent at once."""
LATE = OPEN + 80 * MINUTE


@pytest.mark.parametrize("tickers", [TICKERS, MANY], ids=["few", "many"])
@pytest.mark.parametrize("fails", [(), ("SPY",), ("QQQ", "TLT"), TICKERS])
def test_it_sees_the_bars_of_all_its_tickers_in_their_order_and_none_after_a_fault(
    fails: tuple[str, ...], tickers: tuple[str, ...]
) -> None:
    past = bars(*tickers, minutes=range(100))
    one, other = (outcome(Counting(fails), feed, past, *tickers) for feed in (bar_by_bar, ahead))
    assert one == other
    assert [bool(fault) for _, fault in other] == [ticker in fails for ticker in tickers]


def test_a_ticker_that_is_quiet_while_all_others_fail_is_seen_when_it_comes() -> None:
    quiet, *others = MANY
    past = [
        bar for bar in bars(*MANY, minutes=range(100)) if bar.symbol != quiet or bar.start > LATE
    ]
    one, other = (outcome(Counting(tuple(others)), fed, past, *MANY) for fed in (bar_by_bar, ahead))
    assert one == other
    assert [bool(fault) for _, fault in other] == [ticker != quiet for ticker in MANY]


@pytest.mark.thorough
@pytest.mark.parametrize("way", WAYS)
def test_one_that_goes_wrong_in_its_history_is_faulted_at_the_same_bar_in_the_same_words(
    way: str,
) -> None:
    past, budget = bars(*TICKERS), Budget(start_s=1, growth_bytes=64 * MIB)
    one, other = (
        outcome(Turns(way), feed, past, *TICKERS, budget=budget) for feed in (bar_by_bar, ahead)
    )
    assert one == other
    assert all(fault for _, fault in other)


def test_a_history_before_the_session_is_seen_alike() -> None:
    past = bars(minutes=range(-20, 2))
    assert outcome(Turns("raises"), lambda lanes, fed: lanes.warm("SPY", fed), past) == [
        (SIGNALS[1], "")
    ]


@dataclass(frozen=True)
class Touching:
    """Makes a file at the fourth bar."""

    file: Path
    longest_window: int = 1

    def start(self) -> Callable[[Bar], int]:
        def step(bar: Bar) -> int:
            if bar.start == OPEN + 3 * MINUTE:
                self.file.touch()
            return 0

        return step


def test_while_its_first_answer_is_read_its_process_works_on_what_is_foreseen(
    tmp_path: Path,
) -> None:
    with isolated([named("A", Touching(tmp_path / "touched"))], ()) as [own]:
        lane = Lanes([own]).lane(own, "SPY")
        past = bars(minutes=range(5))
        for bar in past:
            lane.foresee(bar)
        lane.feed(past[0])
        until_s = time.monotonic() + 60
        while not (tmp_path / "touched").exists():
            assert time.monotonic() < until_s, "nobody works ahead"
            time.sleep(0.01)
        for bar in past[1:]:
            lane.feed(bar)
        assert lane.fault == ""


@dataclass(frozen=True)
class Ending:
    """Says which process it is in, and ends that at bar 200."""

    file: Path
    longest_window: int = 1

    def start(self) -> Callable[[Bar], int]:
        self.file.write_text(str(os.getpid()))

        def step(bar: Bar) -> int:
            if bar.start == OPEN + 200 * MINUTE:
                os._exit(3)
            return 1

        return step


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what its processes do")
def test_one_whose_process_ends_before_more_is_sent_is_faulted_at_the_bar_that_ended_it(
    tmp_path: Path,
) -> None:
    with isolated([named("A", Ending(tmp_path / "pid"))], ()) as [own]:
        lane = Lanes([own]).lane(own, "SPY")
        past = bars(minutes=range(1000))  # more than is sent at once
        for bar in past:
            lane.foresee(bar)
        lane.feed(past[0])
        stat = Path(f"/proc/{(tmp_path / 'pid').read_text()}/stat")
        until_s = time.monotonic() + 60
        while ") Z " not in stat.read_text():
            assert time.monotonic() < until_s, "nobody works ahead"
            time.sleep(0.01)
        for bar in past[1:]:
            lane.feed(bar)
        ended = "its process ended by itself, with exit status 3"
        assert lane.fault == f"StrategyDied at bar SPY {past[200].start}: {ended}"


class Seer:
    """A step of a user's own that has a method of this name."""

    def foresee(self) -> float:
        """Guess."""
        return 0.5

    def step(self, _bar: Bar) -> int:
        """Buy."""
        return 1


@dataclass(frozen=True)
class Seeing:
    """A rule of that step."""

    longest_window: int = 1

    def start(self) -> Callable[[Bar], int]:
        return Seer().step


def test_a_strategys_own_method_of_that_name_is_not_called() -> None:
    own = named("A", Seeing())
    lanes = Lanes([own])
    lanes.warm("SPY", bars(minutes=range(3)))
    lanes.catch_up(bars(minutes=range(3, 6)))
    assert lanes.lane(own, "SPY").signal == 1


@dataclass(frozen=True)
class Loud:
    """Prints more than a socket holds."""

    longest_window: int = 1

    def start(self) -> Callable[[Bar], int]:
        def step(bar: Bar) -> int:
            print("x" * 3000)
            return 1

        return step


def test_one_that_floods_its_answers_is_read_and_nobody_waits_for_the_other() -> None:
    assert outcome(Loud(), ahead, bars(minutes=range(600))) == [(1, "")]
