"""A thousand messages with one thing wrong in each: refused as Malformed, or read exactly."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any

import pytest

from coordinator.shell.fields import Malformed
from tests.corpus.cases import corpus
from tests.corpus.kinds import KINDS, REFUSED, Case

CASES = list(corpus())


def outcome(case: Case) -> Any:
    """What becomes of a case's message."""
    try:
        return KINDS[case.kind].read(case.raw)
    except Malformed as error:
        told = str(error)
        assert len(told) < 600, told
        assert told.isprintable(), told
        return REFUSED


@pytest.mark.parametrize("kind", KINDS)
def test_each_case_becomes_exactly_what_its_table_says(kind: str) -> None:
    wrong = {
        case.name: (found, case.expected)
        for case in CASES
        if case.kind == kind and (found := outcome(case)) != case.expected
    }
    assert wrong == {}


def test_the_corpus_holds_more_than_a_thousand_different_cases() -> None:
    twice = [key for key, n in Counter((case.kind, case.name) for case in CASES).items() if n > 1]
    assert twice == []
    assert len(CASES) >= 1000
    refused = sum(case.expected is REFUSED for case in CASES)
    assert refused >= 500
    assert len(CASES) - refused >= 300


def test_no_text_that_was_read_can_break_a_line_of_a_log_or_a_row_of_a_table() -> None:
    for case in CASES:
        for text in texts(outcome(case)):
            assert text.isprintable(), (case.kind, case.name)
            assert len(text) <= 1000, (case.kind, case.name)
            text.encode()


def texts(value: Any) -> Iterator[str]:
    """Every text within a value."""
    if isinstance(value, str):
        yield value
    elif is_dataclass(value):
        for field in fields(value):
            yield from texts(getattr(value, field.name))
