"""Whatever dies, and however Prefect is away: the books are the venue's and the states are true."""

from __future__ import annotations

from pathlib import Path

import pytest

from flows.parameters import MOST_RECOVERIES
from tests.flows.matrix.play import play
from tests.flows.matrix.rows import DIES, ROWS, Row
from tests.flows.matrix.stack import Stack

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1_800), pytest.mark.xdist_group("prefect")]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_books_and_states_are_true_after(row: Row, tmp_path: Path) -> None:
    seen = play(row, tmp_path)
    assert not seen.wrong, seen.line()


def test_a_coordinator_that_dies_at_each_start_is_recovered_five_times_and_then_left(
    tmp_path: Path,
) -> None:
    with Stack(tmp_path, speed=60, at_start=DIES) as stack:
        stack.start()

        def counts() -> list[int]:
            crashed = [r for r in stack.runs("coordinator") if r["state_name"] == "Crashed"]
            return [run["parameters"].get("recovery", 0) for run in crashed]

        every = list(range(MOST_RECOVERIES + 1))
        stack.until(lambda: counts() == every, "the last recovery has crashed", 900)
        stack.until(lambda: refused(stack), "Prefect refuses to start another")
        assert [run["state_name"] for run in stack.runs("coordinator")] == ["Crashed"] * len(every)
        assert stack.shell.server("down").returncode == 0


def refused(stack: Stack) -> bool:
    """Whether the automation was told that one recovery more is not allowed."""
    body = {"filter": {"event": {"name": ["prefect.automation.action.failed"]}}}
    failed = stack.ask("POST", "events/filter", body)["events"]
    return any("recovery" in str(event["payload"]) for event in failed)
