"""Every row of the security table is proved by tests that exist, or says honestly why not."""

from __future__ import annotations

import ast
import functools
from pathlib import Path

import pytest

from tests.security.table import ROWS
from tests.structure.house import FUNCTIONS

ROOT = Path(__file__).parents[2]
PROOFS = sorted({proof for row in ROWS.values() for proof in row.proofs})


@functools.cache
def names_in(path: str) -> frozenset[str]:
    """The tests that pytest collects from a file of functions."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    names = (node.name for node in tree.body if isinstance(node, FUNCTIONS))
    return frozenset(name for name in names if name.startswith("test_"))


def test_every_row_is_there() -> None:
    assert list(ROWS) == list(range(1, 19))


@pytest.mark.parametrize("number", ROWS)
def test_a_row_is_proved_or_says_why_not(number: int) -> None:
    row = ROWS[number]
    assert row.what
    assert row.proofs or row.not_here
    assert len(set(row.proofs)) == len(row.proofs)


@pytest.mark.parametrize("proof", PROOFS)
def test_a_proof_is_a_test(proof: str) -> None:
    path, _, name = proof.partition("::")
    assert Path(path).name.startswith("test_")
    assert name in names_in(path)


def test_every_proof_of_this_folder_stands_in_the_table() -> None:
    written = {
        f"{path.relative_to(ROOT)}"
        for path in (ROOT / "tests/security").glob("test_*.py")
        if path != Path(__file__)
    }
    assert written == {
        path for path in {p.partition("::")[0] for p in PROOFS} if "security" in path
    }
