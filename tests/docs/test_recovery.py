"""Each row of "What happens if..." is held by rows of the catalogue, or by tests of its own."""

from __future__ import annotations

import re

import pytest

from tests.catalogue.table import ROWS
from tests.docs.reading import ROOT
from tests.structure.proofs import complaint

PAGE = (ROOT / "docs" / "recovery.md").read_text(encoding="utf-8")
EVENTS = dict(re.findall(r"^\| (\d+) \| ([^|]+) \|(?:[^|]+\|){3}$", PAGE, re.MULTILINE))

HELD: dict[str, tuple[int | str, ...]] = {
    "1": (32, 33, 34, 35),
    "2": (36,),
    "3": (1,),
    "4": (2,),
    "5": (16, 17, 18),
    "6": (15,),
    "7": (9,),
    "8": (8,),
    "9": (37,),
    "10": (28,),
    "11": (
        26,
        "tests/coordinator/test_late_words.py"
        "::test_an_execution_that_was_amended_while_nobody_heard_of_it_is_its_strategys",
    ),
    "12": (49,),
    "13": (49,),
    "14": (50,),
    "15": (7,),
    "16": (12,),
    "17": (38,),
    "18": (39, 40),
    "19": (42, 43, 44),
    "20": (56,),
    "21": (
        "tests/coordinator/test_late_words.py"
        "::test_shares_of_another_name_are_nobodys_and_those_of_the_old_one_are_not_sold",
        "tests/coordinator/test_narrator.py::test_what_moves_an_account_besides_orders_is_told",
    ),
    "22": (
        "tests/coordinator/test_account_bars.py::test_what_bars_an_account_is_told_at_a_start",
        "tests/e2e/test_account_moves.py"
        "::test_a_session_on_a_suspended_account_says_so_and_trades_once_that_is_lifted",
    ),
}
"""Rows of the catalogue, or node ids of tests, by the event's number."""


def test_there_are_twenty_two_events_and_each_says_what_is_seen_and_done() -> None:
    assert list(EVENTS) == [str(number) for number in range(1, 23)]
    assert set(HELD) == set(EVENTS)


@pytest.mark.parametrize("number", HELD)
def test_an_event_is_held_by_tests(number: str) -> None:
    for proof in HELD[number]:
        if isinstance(proof, int):
            assert ROWS[proof].proofs, proof
        else:
            assert not complaint(proof)
