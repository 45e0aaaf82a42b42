"""Crashes enumerated: `python -m tests.proof.crashes [--only NAME] [--nth N [--then M]]`.

Each scenario is a short session with its own misfortunes. It is played once for every boundary
(a request leaves, arrives, is answered; a commit begins, is done; a message arrives, is taken) with
the process killed there and started again; then, from a crash in its midst, once for every boundary
of the recovery, with a second kill.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import dataclass

from tests.proof.simulate import fresh_home, play_world
from tests.proof.world import World

MINUTES = 5
RECOVERY = 100
"""Boundaries after a crash at which the recovery is killed as well."""
CHUNK = 40


@dataclass(frozen=True)
class Crash:
    """One scenario: the seed that makes its market and strategies, and what goes wrong in it."""

    name: str
    seed: int
    rates: tuple[tuple[str, float], ...] = ()
    in_recovery: bool = False


SCENARIOS = (
    Crash("a calm session", 4),
    Crash("a calm session, killed again in recovery", 7, in_recovery=True),
    Crash("updates lost", 13, (("update lost", 0.5),)),
    Crash("updates lost, killed again in recovery", 9, (("update lost", 0.5),), in_recovery=True),
    Crash("updates doubled and late", 13, (("update doubled", 0.5), ("update delayed", 0.5))),
    Crash("fills in parts", 14, (("fills in parts", 1.0), ("fills slowly", 0.5))),
    Crash("parts, then cancelled", 15, (("fills in parts", 1.0), ("cancelled by the broker", 0.5))),
    Crash("answers lost", 20, (("answer lost", 0.5),)),
    Crash("answers lost, killed again in recovery", 68, (("answer lost", 0.5),), in_recovery=True),
    Crash("504 though accepted", 25, (("answer 504", 0.5),)),
    Crash("orders that arrive late", 27, (("arrived late", 0.4),)),
    Crash("fills before their answer", 29, (("fills at once", 1.0), ("slow", 0.5))),
    Crash("the list of fills lags", 30, (("fill list lags", 1.0), ("update lost", 0.5))),
    Crash("rejected later", 37, (("rejected later", 0.4),)),
    Crash("streams that drop", 38, (("stream dropped", 0.3),)),
    Crash("streams that fall mute", 41, (("stream mute", 0.3),)),
    Crash("requests refused and hung", 43, (("refused by a gateway", 0.1), ("hung", 0.03))),
    Crash("a human trades meanwhile", 44, (("hand order", 0.5), ("update lost", 0.3))),
    Crash("bars late, doubled, missing", 50, (("bar late", 0.2), ("bar doubled", 0.3))),
    Crash("a full disk", 55, (("disk full", 0.2),)),
    Crash("two coordinators on one account", 79, (("update lost", 0.3),)),
    Crash("fees, dividends, splits", 76, (("activity", 0.7),)),
    Crash("busts and corrections", 91, (("bust", 0.5), ("correction", 0.5))),
    Crash("the kill switch", 126, (("kill switch", 0.3),)),
)


@dataclass(frozen=True)
class Outcome:
    """What one kill came to; `passed` if the session had ended before it."""

    crash: Crash
    kills: tuple[int, ...]
    passed: bool
    orders: int
    violations: tuple[str, ...]

    def __str__(self) -> str:
        nth, *then = self.kills
        again = f" --then {then[0]}" if then else ""
        lines = [f"{self.crash.name}, killed at {self.kills}:", *self.violations[:5]]
        replay = f'python -m tests.proof.crashes --only "{self.crash.name}" --nth {nth}{again} -v'
        return "\n  ".join([*lines, f"replay with: {replay}"])


def play(crash: Crash, kills: Sequence[int], *, talks: bool = False) -> Outcome:
    """A scenario, killed at these boundaries."""
    with fresh_home(talks=talks) as (home, loop):
        world = World(crash.seed, home, loop, kills=kills, talks=talks, minutes=MINUTES)
        world.faults.rates = dict(crash.rates)
        play_world(world)
    passed = world.faults.struck["killed"] < len(kills)
    violations = tuple(world.judge.violations)
    return Outcome(crash, tuple(kills), passed, world.broker.orders, violations)


def boundaries(crash: Crash, jobs: Executor, every: int = 1) -> Iterator[Outcome]:
    """Each boundary in turn, until the session ends before the kill; then those of recoveries."""
    last = yield from _until_passed(crash, (), range(1, sys.maxsize, every), jobs)
    if crash.in_recovery:
        for first in (last // 3, 2 * last // 3):
            again = range(first + 1, first + RECOVERY, every)
            yield from _until_passed(crash, (first,), again, jobs)


def _until_passed(
    crash: Crash, before: tuple[int, ...], nths: range, jobs: Executor
) -> Generator[Outcome, None, int]:
    for first in range(0, len(nths), CHUNK):
        chunk = nths[first : first + CHUNK]
        for outcome in jobs.map(play, [crash] * len(chunk), [(*before, nth) for nth in chunk]):
            if outcome.passed:
                return outcome.kills[-1] - 1
            yield outcome
    return nths[-1]


def main() -> int:
    """Play what is asked for; answers the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.proof.crashes", description=__doc__)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", default="", help="one scenario, by its name")
    parser.add_argument("--every", type=int, default=1, help="only each so-manieth boundary")
    parser.add_argument("--nth", type=int, help="one boundary")
    parser.add_argument("--then", type=int, help="a second kill")
    parser.add_argument("-v", action="store_true", help="tell all that happens")
    asked = parser.parse_args()
    chosen = [crash for crash in SCENARIOS if asked.only in ("", crash.name)]
    if asked.nth:
        kills = (asked.nth, asked.then) if asked.then else (asked.nth,)
        outcome = play(chosen[0], kills, talks=asked.v)
        print(outcome if outcome.violations else "0 violations")
        return bool(outcome.violations)
    bad, crashes, begun_s = 0, 0, time.monotonic()
    with ProcessPoolExecutor(asked.jobs) as jobs:
        for crash in chosen:
            outcomes = list(boundaries(crash, jobs, asked.every))
            wrong = [outcome for outcome in outcomes if outcome.violations]
            for outcome in wrong[:3]:
                print(outcome, flush=True)
            bad, crashes = bad + len(wrong), crashes + len(outcomes)
            print(f"{len(outcomes):6} kills, {len(wrong)} wrong  {crash.name}", flush=True)
    seconds = time.monotonic() - begun_s
    print(f"{crashes} kills in {len(chosen)} scenarios in {seconds:.0f} s: {bad} with violations")
    return bool(bad)


if __name__ == "__main__":
    sys.exit(main())
