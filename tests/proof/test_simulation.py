"""The simulation itself: seeds without a violation, the same journal every time, in any process."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.proof.faults import RATES
from tests.proof.simulate import run_all, run_seed
from tests.proof.virtual import VirtualLoop
from tests.proof.world import World

pytestmark = pytest.mark.thorough

FEW = (*range(1, 11), 655, 1_000_639)
"""In 655 REST hides an order that another coordinator has booked, on a frozen ticker; in the last a
human would spend what a second coordinator has yet to begin with."""


@pytest.mark.parametrize("seed", FEW)
def test_every_invariant_holds_under_the_faults_of_a_seed(seed: int) -> None:
    verdict = run_seed(seed)
    assert not verdict.violations, str(verdict)


def test_the_same_seed_gives_the_same_journal() -> None:
    first, second = run_seed(7), run_seed(7)
    assert first.digest
    assert (first.digest, first.counts) == (second.digest, second.counts)
    assert run_seed(8).digest != first.digest


class KilledBeforeItsFirstOrder(World):
    """The first order is intended and never sent; the next start takes its time."""

    def dies_at(self, name: str) -> bool:
        if self.where or not name.startswith("POST /orders is meant"):
            return super().dies_at(name)
        self.where.append(name)
        self.faults.rates = {"slow": 1.0, "slot taken": 0.85}
        return True


@pytest.mark.parametrize("seed", [60, 90, 210])
def test_an_entry_is_not_sent_once_its_minute_passed_while_the_coordinator_started(
    seed: int, tmp_path: Path
) -> None:
    loop = VirtualLoop()
    world = KilledBeforeItsFirstOrder(seed, tmp_path, loop, kills=())
    loop.run_until_complete(world.run())
    loop.close()
    assert world.faults.struck["slow"]
    assert world.judge.violations == []


@pytest.mark.slow
def test_the_same_seed_gives_the_same_journal_whatever_python_hashes_with() -> None:
    program = (
        "from tests.proof.simulate import run_seed\n"
        "print(*(run_seed(seed).digest for seed in range(1, 9)))"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        for hash_seed in ("0", "1", "4711")
    }
    assert len(digests) == 1


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_every_invariant_holds_over_many_seeds() -> None:
    verdicts = list(run_all(range(11, 411), jobs=2))
    wrong = [str(verdict) for verdict in verdicts if verdict.violations]
    assert not wrong, "\n".join(wrong)
    struck = sum((verdict.counts for verdict in verdicts), Counter[str]())
    assert not RATES.keys() - struck.keys(), "a fault that never strikes proves nothing"
