"""Ends runs whose process is gone, and recovers crashes that Prefect has not recovered.

Prefect's automations do both while its server stays up, but a missing heartbeat takes 90 s to
notice, and after a restart of the server an event can come a quarter of an hour late or never. Its
state of a run can be wrong both ways: a killed run may stay Running for long, and one that is
Cancelled or Crashed may still write its journal. Server, worker and runs are on this machine, so a
run's process can simply be looked up.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from prefect import State
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    FlowFilter,
    FlowFilterName,
    FlowRunFilter,
    WorkPoolFilter,
    WorkPoolFilterName,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.client.schemas.sorting import FlowRunSort
from prefect.states import Cancelled, Crashed

from flows.parameters import MOST_RECOVERIES
from flows.server.places import POOL
from flows.server.runs import LIVE, NOTHING_TRADED, in_states

STARTING = timedelta(minutes=2)
"""How long a run may be without a process while its worker prepares it."""
RECOVERY_GRACE = timedelta(seconds=60)
"""How long the automation may take before the supervisor recovers a crash itself."""
TOO_OLD = timedelta(minutes=15)
"""An older crash is left to the user: nothing is started any more."""
STEADY = timedelta(minutes=10)
"""A run that lived this long before its crash starts the count of recoveries anew."""
_RUN_ID = re.compile(rb"PREFECT__FLOW_RUN_ID=([0-9a-f-]{36})")


def runs_with_a_process() -> set[UUID]:
    """The runs that a running process of our user belongs to."""
    found = set()
    for file in Path("/proc").glob("[0-9]*/environ"):
        try:
            named = _RUN_ID.search(file.read_bytes())
        except OSError:  # another user's, or gone meanwhile
            continue
        if named:
            found.add(UUID(named[1].decode()))
    return found


def lost(live: Iterable[FlowRun], alive: Collection[UUID], now: datetime) -> list[FlowRun]:
    """The `live` runs without a process, except those that may still be starting."""
    return [run for run in live if run.id not in alive and not _may_be_starting(run, now)]


def _may_be_starting(run: FlowRun, now: datetime) -> bool:
    pending = run.state_type is StateType.PENDING
    since = run.state.timestamp if run.state else None
    return pending and since is not None and now - since < STARTING


class Lookout:
    """Ends runs that had no process in two checks in a row, as Crashed or Cancelled."""

    def __init__(self) -> None:
        self._suspects: set[UUID] = set()
        self._recovered: set[UUID] = set()

    def end_lost(self, now: datetime) -> list[FlowRun]:
        """Ends the runs that were lost in this check and the one before; returns them."""
        gone = lost(_live_of_pool(), runs_with_a_process(), now)
        sure = [run for run in gone if run.id in self._suspects]
        self._suspects = {run.id for run in gone} - {run.id for run in sure}
        with get_client(sync_client=True) as client:
            for run in sure:
                client.set_flow_run_state(run.id, _end_of(run), force=True)
        return sure

    def unrecovered(self, now: datetime) -> list[FlowRun]:
        """Crashes of coordinators without a recovery; each is returned once."""
        due = forgotten(_newest_coordinators(), now)
        found = [run for run in due if run.id not in self._recovered]
        self._recovered |= {run.id for run in found}
        return found


def _end_of(run: FlowRun) -> State[Any]:
    text = "Its process is gone."
    if run.state_type is StateType.CANCELLING:
        return Cancelled(message=text)
    return Crashed(message=text)


def forgotten(newest_first: Iterable[FlowRun], now: datetime) -> list[FlowRun]:
    """The last run of each session, if it crashed and its recovery is due."""
    last: dict[tuple[str, ...], FlowRun] = {}
    for run in newest_first:
        is_to_come = run.auto_scheduled and run.state_name == "Scheduled"
        if run.state_name not in NOTHING_TRADED and not is_to_come:
            session = run.parameters.get("config"), run.parameters.get("session_date")
            last.setdefault((str(run.deployment_id), *map(str, session)), run)
    return [run for run in last.values() if _is_due(run, now)]


def _is_due(run: FlowRun, now: datetime) -> bool:
    if run.state_type is not StateType.CRASHED or None in (run.end_time, run.deployment_id):
        return False
    assert run.end_time is not None
    due = RECOVERY_GRACE <= now - run.end_time < TOO_OLD
    return due and next_recovery(run) <= MOST_RECOVERIES


def next_recovery(crashed: FlowRun) -> int:
    """The number of the recovery that follows a crashed run, counted as by the automation."""
    if crashed.total_run_time > STEADY:
        return 1
    return int(crashed.parameters.get("recovery") or 0) + 1


def recover(crashed: FlowRun) -> FlowRun:
    """Starts a new run of the crashed one's deployment, with its parameters."""
    assert crashed.deployment_id is not None
    parameters = {**crashed.parameters, "recovery": next_recovery(crashed)}
    with get_client(sync_client=True) as client:
        return client.create_flow_run_from_deployment(
            crashed.deployment_id, parameters=parameters, idempotency_key=f"recovers {crashed.id}"
        )


def _live_of_pool() -> list[FlowRun]:
    with get_client(sync_client=True) as client:
        return client.read_flow_runs(
            flow_run_filter=FlowRunFilter(state=in_states(LIVE)),
            work_pool_filter=WorkPoolFilter(name=WorkPoolFilterName(any_=[POOL])),
        )


def _newest_coordinators() -> list[FlowRun]:
    with get_client(sync_client=True) as client:
        return client.read_flow_runs(
            flow_filter=FlowFilter(name=FlowFilterName(any_=["coordinator"])),
            sort=FlowRunSort.START_TIME_DESC,
            limit=100,
        )
