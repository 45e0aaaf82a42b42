"""The server's runs, through its API: health, live runs, cancelling, starting, waiting for the end.

Imported only once the environment names the server, because Prefect reads its settings on import.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
from prefect import State
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    ArtifactFilter,
    ArtifactFilterFlowRunId,
    FlowFilter,
    FlowFilterName,
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
    LogFilter,
    LogFilterFlowRunId,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.client.schemas.sorting import FlowRunSort
from prefect.exceptions import PrefectException
from prefect.states import Cancelled, Cancelling

LIVE = [StateType.RUNNING, StateType.PENDING, StateType.CANCELLING]
_ENDED = [StateType.COMPLETED, StateType.CANCELLED, StateType.CRASHED, StateType.FAILED]
NOTHING_TRADED = {"MarketClosed", "AlreadyRunning", "NotNeeded"}
TRIGGER_GRACE = timedelta(seconds=60)
"""How long Prefect's trigger may take before the supervisor runs the end of day itself."""
_POLL_S = 1.0
_PAGE = 200
UNREACHABLE = (httpx.HTTPError, PrefectException, OSError)
"""The errors of requests while the server is away."""


def is_healthy() -> bool:
    """Whether our server answers; another server on its port would refuse our password."""
    try:
        with get_client(sync_client=True) as client:
            return bool(client.api_version())
    except UNREACHABLE:
        return False


def wait_until(holds: Callable[[], bool], deadline_s: float, poll_s: float = _POLL_S) -> bool:
    """Polls `holds` until it is true, at most for `deadline_s`; returns whether it became true."""
    end_s = time.monotonic() + deadline_s
    while not holds():
        if time.monotonic() > end_s:
            return False
        time.sleep(poll_s)
    return True


def live_runs() -> list[FlowRun]:
    """Runs that have a process, or will have one soon."""
    with get_client(sync_client=True) as client:
        return client.read_flow_runs(flow_run_filter=FlowRunFilter(state=in_states(LIVE)))


def cancel(runs: Iterable[FlowRun]) -> None:
    """Asks runs to end; the worker and the run itself do the rest."""
    with get_client(sync_client=True) as client:
        for run in runs:
            client.set_flow_run_state(run.id, Cancelling(message="The server is being stopped."))


def drop_recoveries() -> None:
    """Cancels recoveries that have not begun: a later server would start them on another day."""
    with get_client(sync_client=True) as client:
        due = client.read_flow_runs(
            flow_filter=FlowFilter(name=FlowFilterName(any_=["coordinator"])),
            flow_run_filter=FlowRunFilter(state=in_states([StateType.SCHEDULED])),
        )
        for run in due:
            if run.parameters.get("recovery"):
                end: State[Any] = Cancelled(message="The server is being stopped.")
                client.set_flow_run_state(run.id, end, force=True)


def is_end_of_day_due(now: datetime) -> bool:
    """Whether a session has ended, the grace is over, and no end of day has started since.

    Prefect's trigger is late by a quarter of an hour, or lost, if its server restarts between a
    run's start and its end.
    """
    ended = _latest("coordinator", _ENDED, FlowRunSort.END_TIME_DESC)
    loaded = _latest("end-of-day", [*_ENDED, *LIVE], FlowRunSort.START_TIME_DESC)
    return is_left_out(
        ended.end_time if ended else None, loaded.start_time if loaded else None, now
    )


def is_left_out(ended: datetime | None, loaded: datetime | None, now: datetime) -> bool:
    """Whether the last session `ended` longer ago than the grace without a load after it."""
    if ended is None or now - ended < TRIGGER_GRACE:
        return False
    return loaded is None or loaded < ended


def _latest(flow: str, states: list[StateType], sort: FlowRunSort) -> FlowRun | None:
    with get_client(sync_client=True) as client:
        found = client.read_flow_runs(
            flow_filter=FlowFilter(name=FlowFilterName(any_=[flow])),
            flow_run_filter=FlowRunFilter(state=in_states(states)),
            sort=sort,
            limit=20,
        )
    return next((run for run in found if run.state_name not in NOTHING_TRADED), None)


def in_states(states: list[StateType]) -> FlowRunFilterState:
    """A filter of the runs in one of these states."""
    return FlowRunFilterState(type=FlowRunFilterStateType(any_=states))


def start_run(deployment: str, parameters: Mapping[str, Any]) -> FlowRun:
    """Starts a run of a deployment such as `coordinator/stocks`."""
    with get_client(sync_client=True) as client:
        found = client.read_deployment_by_name(deployment)
        return client.create_flow_run_from_deployment(found.id, parameters=dict(parameters))


def has_ended(run_id: UUID) -> bool:
    """Whether a run is in a final state."""
    with get_client(sync_client=True) as client:
        state = client.read_flow_run(run_id).state
    return state is not None and state.is_final()


def wait_for_end(
    run_id: UUID,
    *,
    deadline_s: float,
    on_state: Callable[[State[Any]], None] = lambda _: None,
    on_tick: Callable[[], None] = lambda: None,
) -> State[Any]:
    """The final state of a run; calls `on_state` at each change, and `on_tick` every second.

    Raises TimeoutError after `deadline_s`.
    """
    seen: UUID | None = None
    end_s = time.monotonic() + deadline_s
    with get_client(sync_client=True) as client:
        while time.monotonic() < end_s:
            state = client.read_flow_run(run_id).state
            on_tick()
            if state is not None and state.id != seen:
                seen = state.id
                on_state(state)
            if state is not None and state.is_final():
                return state
            time.sleep(_POLL_S)
    raise TimeoutError(f"run {run_id} did not end within {deadline_s:.0f} s")


class LogReader:
    """The coordinator's lines in the log of one run, except those of the logger `but`."""

    def __init__(self, run_id: UUID, *, but: str) -> None:
        self._filter = LogFilter(flow_run_id=LogFilterFlowRunId(any_=[run_id]))
        self._but = but
        self._read = 0

    def new_lines(self) -> list[str]:
        """The lines since the last call, oldest first."""
        lines: list[str] = []
        with get_client(sync_client=True) as client:
            while True:
                logs = client.read_logs(self._filter, limit=_PAGE, offset=self._read)
                self._read += len(logs)
                lines += [log.message for log in logs if self._is_wanted(log.name)]
                if len(logs) < _PAGE:
                    return lines

    def _is_wanted(self, name: str) -> bool:
        return name != self._but and name.partition(".")[0] == "coordinator"


def artifact_of(run_id: UUID, key: str) -> tuple[str | None, str] | None:
    """Description and text of the artifact that a run left under `key`; None without one."""
    of_run = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[run_id]))
    with get_client(sync_client=True) as client:
        found = [one for one in client.read_artifacts(artifact_filter=of_run) if one.key == key]
    return (found[-1].description, str(found[-1].data)) if found else None
