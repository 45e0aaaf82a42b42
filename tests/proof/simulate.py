"""Plays seeds: `python -m tests.proof.simulate --seeds A..B [--jobs 2]`, or `--seed N -v`."""

from __future__ import annotations

import argparse
import logging
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.proof.judge import journal_hash
from tests.proof.virtual import Endless, Stuck, VirtualLoop
from tests.proof.world import World

IN_MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108
"""A folder that no disk is behind, where there is one."""
CHUNK = 25


@dataclass
class Verdict:
    """What one seed came to."""

    seed: int
    violations: list[str]
    digest: str
    counts: Counter[str] = field(default_factory=Counter)
    longest_lag_s: float = 0.0

    def __str__(self) -> str:
        lines = [f"seed {self.seed}: {len(self.violations)} violation(s)"]
        lines += [f"  {line}" for line in self.violations[:8]]
        lines.append(f"  replay with: python -m tests.proof.simulate --seed {self.seed} -v")
        return "\n".join(lines)


@contextmanager
def fresh_home(*, talks: bool = False) -> Iterator[tuple[Path, VirtualLoop]]:
    """An empty folder and a loop for one world; the coordinator's log is silent unless it talks."""
    log, loop = logging.getLogger("coordinator"), VirtualLoop()
    before, log.disabled = log.disabled, not talks
    try:
        with tempfile.TemporaryDirectory(prefix="proof-", dir=IN_MEMORY) as home:
            yield Path(home), loop
    finally:
        loop.close()
        log.disabled = before


def play_world(world: World) -> None:
    """Run a world to its end; one that does not come to it violates that it must."""
    try:
        world.loop.run_until_complete(world.run())
    except (Stuck, Endless) as error:
        world.judge.blame(f"{type(error).__name__}: {error}")


def run_seed(seed: int, *, talks: bool = False) -> Verdict:
    """Play one seed. The same seed gives the same journal, to the last hash."""
    with fresh_home(talks=talks) as (home, loop):
        world = World(seed, home, loop, talks=talks)
        play_world(world)
        return _verdict(world)


def _verdict(world: World) -> Verdict:
    counts = Counter(world.faults.struck)
    counts |= Counter(
        {
            "[orders]": world.broker.orders,
            "[fills]": world.judge.fills,
            "[starts]": sum(trader.starts for trader in world.traders),
            "[boundaries]": world.boundaries,
            "[partly filled, then ended]": world.broker.partial_cancels,
        }
    )
    for _, message in world.brokerage.refusals:
        counts[f"[refused by the broker: {message.partition('(')[0]}]"] += 1
    for name in world.where:
        counts[f"killed where: {name.split('=')[0]}"] += 1
    path = world.journal_path
    digest = journal_hash(path) if path and path.exists() else ""
    return Verdict(world.seed, world.judge.violations, digest, counts, world.judge.longest_lag_s)


def run_many(seeds: Sequence[int]) -> list[Verdict]:
    """Play seeds one after the other."""
    return [run_seed(seed) for seed in seeds]


def run_all(seeds: Sequence[int], jobs: int) -> Iterator[Verdict]:
    """Play seeds on that many processes, in order."""
    chunks = [seeds[i : i + CHUNK] for i in range(0, len(seeds), CHUNK)]
    if jobs == 1:
        for chunk in chunks:
            yield from run_many(chunk)
        return
    with ProcessPoolExecutor(jobs) as pool:
        for verdicts in pool.map(run_many, chunks):
            yield from verdicts


def tell(verdicts: Iterable[Verdict]) -> int:
    """Print what was found, and the totals; returns how many seeds violated something."""
    began_s, counts, seeds, bad, lag_s = time.perf_counter(), Counter[str](), 0, 0, 0.0
    for verdict in verdicts:
        seeds += 1
        counts.update(verdict.counts)
        lag_s = max(lag_s, verdict.longest_lag_s)
        if verdict.violations:
            bad += 1
            print(verdict, flush=True)
    took_s = time.perf_counter() - began_s
    for kind, count in sorted(counts.items()):
        print(f"{count:10,}  {kind}")
    print(f"{lag_s:10,.1f}  [seconds from an execution to its booking, at most]")
    print(f"{seeds:,} seeds in {took_s:,.1f} s: {bad} with violations")
    return bad


def main(arguments: Sequence[str]) -> int:
    """The command; 1 if anything was violated."""
    parser = argparse.ArgumentParser(prog="python -m tests.proof.simulate", description=__doc__)
    parser.add_argument("--seed", type=int, help="play one seed")
    parser.add_argument("--seeds", default="1..200", help="play seeds A..B")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("-v", "--verbose", action="store_true", help="tell all that happens")
    given = parser.parse_args(arguments)
    if given.verbose:
        logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="    log: %(message)s")
    if given.seed is not None:
        verdict = run_seed(given.seed, talks=given.verbose)
        print(f"journal {verdict.digest}")
        return 1 if tell([verdict]) else 0
    first, _, last = given.seeds.partition("..")
    return 1 if tell(run_all(range(int(first), int(last or first) + 1), given.jobs)) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
