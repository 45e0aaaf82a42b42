"""The proof has teeth: each planted bug is caught, and the patches that plant them stay good."""

from __future__ import annotations

import pytest

from tests.proof.bugs.__main__ import ROOT, Bug, bugs, check, hunt

AT_LEAST, SEEDS = 18, 1000
QUICK = ("03-time-out-is-a-refusal", "05-known-by-execution-id-alone", "20-a-late-report-reopens")
every_bug = pytest.mark.parametrize("bug", bugs(), ids=lambda bug: bug.name)


@every_bug
def test_a_patch_applies_to_the_product_as_it_is_and_knows_what_it_speaks_of(bug: Bug) -> None:
    assert check(bug, ROOT) == ""
    assert bug.costs.endswith("."), "its first line says what a trader would lose"
    assert len(bug.costs) < 130


def test_there_are_enough_bugs_to_mean_something() -> None:
    assert len(bugs()) >= AT_LEAST
    assert len({bug.name[:2] for bug in bugs()}) == len(bugs()), "each has a number of its own"


@pytest.mark.thorough
@pytest.mark.parametrize("name", QUICK)
def test_a_bug_that_doubles_or_loses_is_caught_within_a_few_seeds(name: str) -> None:
    (bug,) = bugs(name)
    ended = hunt(bug, 40)
    assert ended.seed is not None, str(ended)


@every_bug
@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_bug_is_caught_by_the_simulation(bug: Bug) -> None:
    ended = hunt(bug, SEEDS)
    assert ended.seed is not None, str(ended)
