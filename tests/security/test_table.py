"""Every row of the security table is proved by tests, or says honestly why not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.security.table import ROWS
from tests.structure.house import ROOT
from tests.structure.proofs import files_of

PROOFS = frozenset(proof for row in ROWS.values() for proof in row.proofs)


def test_every_row_is_there() -> None:
    assert list(ROWS) == list(range(1, 19))


@pytest.mark.parametrize("number", ROWS)
def test_a_row_is_proved_or_says_why_not(number: int) -> None:
    row = ROWS[number]
    assert row.what
    assert row.proofs or row.not_here
    assert len(set(row.proofs)) == len(row.proofs)


def test_every_proof_of_this_folder_stands_in_the_table() -> None:
    written = {
        f"{path.relative_to(ROOT)}"
        for path in (ROOT / "tests/security").glob("test_*.py")
        if path != Path(__file__)
    }
    assert written == {path for path in files_of(PROOFS) if "security" in path}
