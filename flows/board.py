"""A session's display at Prefect: two artifacts kept up to date, and events.

Every call may fail or be late while the server is away; the caller decides how long to wait.
Artifacts are updated in place: a new one each minute would bury the run's page.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Protocol
from uuid import UUID

import httpx
from prefect.artifacts import acreate_progress_artifact, acreate_table_artifact
from prefect.client.schemas.actions import ArtifactUpdate
from prefect.client.utilities import get_or_create_client
from prefect.events import emit_event
from prefect.runtime import flow_run

from coordinator.core.alerts import Alert
from flows.showing import one_line

Rows = Sequence[Mapping[str, str]]


class Board(Protocol):
    """The display of a session."""

    async def show_progress(self, percent: float, text: str) -> None:
        """Shows the session's progress (0 to 100) and state."""

    async def show_table(self, rows: Rows, text: str) -> None:
        """Shows a row for each strategy."""


class PrefectBoard:
    """The artifacts of the run that executes this code, for a coordinator called `name`.

    `progress` is the beginning of the progress artifact's key.
    """

    def __init__(self, name: str, *, progress: str = "session") -> None:
        self._slug, self._kind = slug(name), progress
        self._progress: UUID | None = None
        self._table: UUID | None = None

    async def show_progress(self, percent: float, text: str) -> None:
        """Updates the progress artifact, or makes one if there is none."""
        if not await _updated(self._progress, percent, text):
            key = f"{self._kind}-{self._slug}"
            self._progress = await acreate_progress_artifact(percent, key, text)

    async def show_table(self, rows: Rows, text: str) -> None:
        """Updates the table artifact, or makes one if there is none."""
        table = [dict(row) for row in rows]
        if not await _updated(self._table, json.dumps(table), text):
            key = f"strategies-{self._slug}"
            self._table = await acreate_table_artifact(table, key, text)


async def _updated(artifact: UUID | None, data: str | float, text: str) -> bool:
    """Updates an artifact; False if it does not exist.

    This uses the server's API directly: Prefect's own function emits an event each time, and those
    of a day would flood its database and the run's page.
    """
    if artifact is None:
        return False
    client, _ = get_or_create_client()
    new = ArtifactUpdate(data=data, description=text).model_dump(mode="json", exclude_unset=True)
    try:
        await client.request("PATCH", "/artifacts/{id}", path_params={"id": artifact}, json=new)
    except httpx.HTTPStatusError as error:
        if error.response.status_code == httpx.codes.NOT_FOUND:
            return False
        raise
    return True


def emit(alert: Alert, account: str, coordinator: str, session_id: str = "") -> None:
    """Queues an event `multi-trader.<kind>` of the coordinator, which a thread sends.

    Outside of a run it does nothing: Prefect would start a server of its own for the event.
    """
    if flow_run.get_id() is None:
        return
    emit_event(
        event=f"multi-trader.{alert.kind.value}",
        resource={
            "prefect.resource.id": f"multi-trader.{account}.{coordinator}",
            "prefect.resource.name": coordinator,
        },
        payload={
            "account": account,
            "coordinator": coordinator,
            "session_id": session_id,
            "subject": alert.subject,
            "reason": one_line(alert.reason),
            "at": alert.at.isoformat(),
        },
    )


def slug(name: str) -> str:
    """A name as part of an artifact's key: lower-case letters, digits and dashes."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "session"
