"""Where a session is shown at Prefect: two artifacts kept up to date, and events.

Every call may fail or be late while the server is away; whoever calls decides how long to wait.
Artifacts are updated in place: a new one each minute would bury the run's page.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Protocol
from uuid import UUID

from prefect.artifacts import (
    acreate_progress_artifact,
    acreate_table_artifact,
    aupdate_progress_artifact,
)
from prefect.client.schemas.actions import ArtifactUpdate
from prefect.client.utilities import get_or_create_client
from prefect.events import emit_event
from prefect.exceptions import ObjectNotFound
from prefect.runtime import flow_run

from coordinator.core.alerts import Alert
from flows.showing import plain

Rows = Sequence[Mapping[str, str]]


class Board(Protocol):
    """What a session is shown on."""

    async def show_progress(self, percent: float, text: str) -> None:
        """Shows how far the session is (0 to 100), and how it stands."""

    async def show_table(self, rows: Rows, text: str) -> None:
        """Shows a row a strategy."""


class PrefectBoard:
    """The artifacts of the run that this code belongs to, of a coordinator called `name`."""

    def __init__(self, name: str) -> None:
        self._slug = slug(name)
        self._progress: UUID | None = None
        self._table: UUID | None = None

    async def show_progress(self, percent: float, text: str) -> None:
        """One progress artifact; if somebody deleted it, a new one."""
        if self._progress is not None:
            client, _ = get_or_create_client()
            try:
                await aupdate_progress_artifact(self._progress, percent, text, client)
            except ObjectNotFound:
                self._progress = None
        if self._progress is None:
            key = f"session-{self._slug}"
            self._progress = await acreate_progress_artifact(percent, key, text)

    async def show_table(self, rows: Rows, text: str) -> None:
        """One table artifact; if somebody deleted it, a new one."""
        if self._table is not None:
            client, _ = get_or_create_client()
            update = ArtifactUpdate(data=json.dumps(list(map(dict, rows))), description=text)
            try:
                await client.update_artifact(self._table, update)
            except ObjectNotFound:
                self._table = None
        if self._table is None:
            key = f"strategies-{self._slug}"
            table = [dict(row) for row in rows]
            self._table = await acreate_table_artifact(table, key, text)


def emit(alert: Alert, account: str, coordinator: str, session_id: str = "") -> None:
    """One event `multi-trader.<kind>` of the coordinator; queued, and sent by a thread.

    Outside of a run nobody is told: Prefect would start a server of its own for it.
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
            "reason": plain(alert.reason),
            "at": alert.at.isoformat(),
        },
    )


def slug(name: str) -> str:
    """A name as a part of an artifact's key: small letters, digits and dashes."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "session"
