"""What the supervisor makes true where Prefect did not: lost runs, crashes not recovered."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from prefect.client.schemas.objects import FlowRun, State, StateType

from flows.parameters import MOST_RECOVERIES
from flows.recovering import needless
from flows.server.lost import forgotten, lost, next_recovery

NOW = datetime(2026, 3, 17, 15, 0, tzinfo=UTC)
STOCKS = uuid4()


def run(
    state: str,
    ago_s: float = 120,
    *,
    kind: StateType | None = None,
    deployment: UUID | None = STOCKS,
    lived_s: float = 5,
    auto: bool = False,
    **parameters: Any,
) -> FlowRun:
    """A run that came into its state so long ago."""
    when = NOW - timedelta(seconds=ago_s)
    of_kind = kind or StateType(state.upper())
    return FlowRun(
        id=uuid4(),
        name="a run",
        flow_id=uuid4(),
        deployment_id=deployment,
        state=State(type=of_kind, name=state, timestamp=when),
        state_type=of_kind,
        state_name=state,
        end_time=when,
        total_run_time=timedelta(seconds=lived_s),
        auto_scheduled=auto,
        parameters={"config": "a.json", "recovery": 0} | parameters,
    )


@pytest.mark.parametrize(
    ("state", "ago_s", "has_process", "is_lost"),
    [
        ("Running", 3_600, True, False),
        ("Running", 1, False, True),
        ("Cancelling", 1, False, True),
        ("Pending", 119, False, False),  # its worker prepares it
        ("Pending", 121, False, True),
        ("Pending", 121, True, False),
    ],
)
def test_a_run_without_a_process_is_lost_unless_it_is_being_prepared(
    state: str, ago_s: float, has_process: bool, is_lost: bool
) -> None:
    one = run(state, ago_s)
    alive = {one.id} if has_process else {uuid4()}
    assert lost([one], alive, NOW) == ([one] if is_lost else [])


@pytest.mark.parametrize(
    ("newest_first", "recovered"),
    [
        ([run("Crashed", 61)], True),
        ([run("Crashed", 59)], False),  # the automation may still come
        ([run("Crashed", 901)], False),  # known for so long, it is its user's
        ([run("Running"), run("Crashed")], False),
        ([run("Late", kind=StateType.SCHEDULED), run("Crashed")], False),  # waits for a worker
        ([run("Scheduled", auto=True), run("Crashed")], True),  # tomorrow's
        ([run("Crashed", auto=True)], True),  # today's, which the schedule began
        ([run("Completed", auto=True), run("Crashed", auto=True)], False),
        ([run("Late", kind=StateType.SCHEDULED, auto=True), run("Crashed", auto=True)], False),
        ([run("Completed"), run("Crashed")], False),
        ([run("Cancelled"), run("Crashed")], False),
        ([run("AlreadyRunning", kind=StateType.COMPLETED), run("Crashed")], True),
        ([run("Completed", deployment=uuid4()), run("Crashed")], True),
        ([run("Completed", config="other.json"), run("Crashed")], True),
        ([run("Crashed", recovery=MOST_RECOVERIES - 1)], True),
        ([run("Crashed", recovery=MOST_RECOVERIES)], False),
        ([run("Crashed", recovery=MOST_RECOVERIES, lived_s=601)], True),
        ([run("Crashed", deployment=None)], False),
        ([], False),
    ],
)
def test_a_crash_that_nothing_followed_is_recovered(
    newest_first: list[FlowRun], recovered: bool
) -> None:
    crashed = [one for one in newest_first if one.state_type is StateType.CRASHED]
    assert forgotten(newest_first, NOW) == (crashed if recovered else [])


def test_the_supervisor_counts_recoveries_as_the_automation_does() -> None:
    counts = [(0, 5.0), (1, 5.0), (5, 5.0), (5, 601.0)]
    found = [next_recovery(run("Crashed", recovery=n, lived_s=s)) for n, s in counts]
    assert found == [1, 2, 6, 1]


@pytest.mark.parametrize(
    ("newest_first", "wanted"),
    [
        ([], True),
        ([run("Crashed")], True),
        ([run("AlreadyRunning", kind=StateType.COMPLETED), run("Crashed")], True),
        ([run("Failed"), run("Crashed")], True),
        ([run("Cancelled"), run("Crashed")], False),  # its user has ended the session since
        ([run("StoppedEarly", kind=StateType.COMPLETED), run("Crashed")], False),
        ([run("Completed"), run("Crashed")], False),
        ([run("Completed", config="other.json"), run("Crashed")], True),
        ([run("Completed", session_date="2026-03-16"), run("Crashed")], True),
    ],
)
def test_a_recovery_that_comes_late_takes_up_no_session_that_has_ended_in_order(
    newest_first: list[FlowRun], wanted: bool
) -> None:
    assert (needless(newest_first, {"config": "a.json"}) is None) is wanted
