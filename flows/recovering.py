"""Decides whether a recovery is still needed when Prefect starts it.

After a restart of its server Prefect acts on a crash up to a quarter of an hour late. By then the
session may have been recovered already, and have ended or been cancelled by its user; such a
session is not started again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterId,
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.client.schemas.sorting import FlowRunSort
from prefect.runtime import deployment, flow_run

from flows.stopping import PREFECT_AWAY

IN_ORDER = {"Completed", "StoppedEarly", "Cancelled"}
_ENDED = [StateType.COMPLETED, StateType.CANCELLED, StateType.CRASHED, StateType.FAILED]


async def ended_since_crash() -> str | None:
    """Why this run's recovery is no longer needed; None if it is.

    While Prefect is away it counts as needed.
    """
    own = deployment.id
    if own is None:
        return None
    try:
        async with get_client() as client:
            newest_first = await client.read_flow_runs(
                deployment_filter=DeploymentFilter(id=DeploymentFilterId(any_=[UUID(str(own))])),
                flow_run_filter=FlowRunFilter(
                    state=FlowRunFilterState(type=FlowRunFilterStateType(any_=_ENDED))
                ),
                sort=FlowRunSort.END_TIME_DESC,
                limit=50,
            )
    except PREFECT_AWAY:
        return None
    return needless(newest_first, flow_run.get_parameters())


def needless(newest_first: Iterable[FlowRun], parameters: Mapping[str, Any]) -> str | None:
    """Why no crash of the session is left to recover: its last run ended in order; else None."""
    for run in newest_first:
        if _session(run.parameters) != _session(parameters):
            continue
        if run.state_type is StateType.CRASHED:
            return None
        if run.state_name in IN_ORDER:
            return f"No crash is left to recover: {run.name} ended last, as {run.state_name}."
    return None


def _session(parameters: Mapping[str, Any]) -> tuple[str, str]:
    return str(parameters.get("config")), str(parameters.get("session_date"))
