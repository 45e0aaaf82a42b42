"""The tables of demands name no proof that is none."""

from __future__ import annotations

import pytest

from tests.catalogue.table import ROWS as CATALOGUE
from tests.security.table import ROWS as SECURITY
from tests.structure.proofs import complaint

HERE = "tests/structure/test_proofs.py"
TOLD = f"{HERE}::test_each_way_to_be_none_is_told"


class TestOfAClass:
    """Tests may stand in a class."""

    def test_is_found_by_both_names(self) -> None:
        assert not complaint(f"{HERE}::TestOfAClass::test_is_found_by_both_names")


@pytest.mark.parametrize(
    ("proof", "says"),
    [
        pytest.param(TOLD, "", id="a row"),
        (f"{TOLD}[a row]", ""),
        (f"{TOLD}[another row]", "gives a parameter the id 'another row'"),
        (f"{HERE}::test_that_was_renamed", "has no test of the name"),
        (f"{HERE}::test_is_found_by_both_names", "has no test of the name"),
        (f"{HERE}::complaint", "has no test of the name"),
        (HERE, "has no test of the name"),
        ("tests/structure/test_nothing.py::test_x", "is no file of tests"),
        ("tests/structure/house.py::test_x", "is no file of tests"),
    ],
)
def test_each_way_to_be_none_is_told(proof: str, says: str) -> None:
    told = complaint(proof)
    assert says in told
    assert bool(told) is bool(says)


@pytest.mark.parametrize(
    "proof",
    sorted({proof for row in (*CATALOGUE.values(), *SECURITY.values()) for proof in row.proofs}),
)
def test_what_a_table_names_is_a_test(proof: str) -> None:
    assert not complaint(proof)
