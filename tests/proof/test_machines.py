"""A few state machines; `make prove` runs a thousand."""

from __future__ import annotations

import pytest

from tests.proof.machines import STEPS, run


@pytest.mark.parametrize("seed", [1, 2])
def test_whatever_happens_to_a_session_its_books_are_what_an_independent_witness_saw(
    seed: int,
) -> None:
    run(6, STEPS, seed, shrinks=False)
