"""How sentences name what there is: near misses, and very many."""

from __future__ import annotations

import pytest

from coordinator.config.text import unknown
from coordinator.core.naming import listed, nearest

DESK = [f"S{number:02}_SPY_rsi" for number in range(1, 27)]


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ([], "none"),
        (["A"], "A"),
        (DESK[:3], "S01_SPY_rsi, S02_SPY_rsi, S03_SPY_rsi"),
        (DESK[:13], ", ".join(DESK[:13])),
        (DESK, ", ".join(DESK[:12]) + ", and 14 more"),
    ],
    ids=["none", "one", "three", "one more than the most", "a whole desk"],
)
def test_a_list_of_very_many_names_stays_readable(names: list[str], said: str) -> None:
    assert listed(names) == said


def test_of_very_many_names_the_one_that_was_meant_is_told_though_it_is_not_in_the_list() -> None:
    said = unknown("strategy", "S26_SPY_rsy", DESK)
    assert "did you mean 'S26_SPY_rsi'? (known: S01_SPY_rsi, " in said
    assert said.endswith("and 14 more)")
    assert nearest("s26", DESK) == "S26_SPY_rsi"
