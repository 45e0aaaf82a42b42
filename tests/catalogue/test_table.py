"""Every row of the catalogue is there, and pytest collects every proof that it names."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.catalogue.table import ROWS
from tests.structure.house import ROOT
from tests.structure.proofs import files_of

PROOFS = frozenset(proof for row in ROWS.values() for proof in row.proofs)


def test_all_sixty_rows_are_there() -> None:
    assert list(ROWS) == list(range(1, 61))


@pytest.mark.parametrize("number", ROWS)
def test_a_row_says_what_it_demands_and_is_proved_or_says_why_not(number: int) -> None:
    row = ROWS[number]
    assert row.fault
    assert row.required
    assert row.proofs or row.not_here
    assert len(set(row.proofs)) == len(row.proofs)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_pytest_collects_every_proof() -> None:
    listed = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "-n", "0", *files_of(PROOFS)],
        capture_output=True,
        check=False,
        cwd=ROOT,
        text=True,
    ).stdout.splitlines()
    collected = {*listed, *(line.partition("[")[0] for line in listed)}
    assert {proof for proof in PROOFS if proof not in collected} == set()
