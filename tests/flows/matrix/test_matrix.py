"""Whatever dies, and however Prefect is away: the books are the venue's and the states are true."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.flows.matrix.play import play
from tests.flows.matrix.rows import ROWS, Row

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1_800), pytest.mark.xdist_group("prefect")]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_books_and_states_are_true_after(row: Row, tmp_path: Path) -> None:
    seen = play(row, tmp_path)
    assert not seen.wrong, seen.line()
