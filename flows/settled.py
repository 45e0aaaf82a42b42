"""A session may be loaded once its end is in the journal, or its writer is gone.

The account's lease alone does not tell: the next session may hold it already. Nor does Prefect: a
run that it calls cancelled can live on for a while, and a crashed one may have been recovered.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

from prefect.client.orchestration import get_client

from coordinator.config import default_config, load_config
from coordinator.errors import OperatorError
from flows.stopping import PREFECT_AWAY

PATIENCE_S = 120.0
"""Seconds that the writer of the session that caused a load may take to end it."""
_POLL_S = 1.0

Running = Callable[[], Mapping[str, str]]
"""Returns the sessions that are traded now, with their coordinators."""


@contextmanager
def alone(lock: Path) -> Iterator[None]:
    """Waits until no other load runs; the kernel releases the lock of one that dies."""
    lock.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(lock, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def wait_for_end(
    coordinator: str | None,
    running: Running,
    *,
    patience_s: float = PATIENCE_S,
    poll_s: float = _POLL_S,
) -> Mapping[str, str]:
    """Waits while `coordinator` trades; returns all sessions that are still traded then."""
    end_s = time.monotonic() + patience_s
    while True:
        now = running()
        if coordinator not in now.values() or time.monotonic() >= end_s:
            return now
        time.sleep(poll_s)


def run_id_of(resource: str | None) -> UUID | None:
    """The id in `prefect.flow-run.<uuid>`, the form that a trigger gives; None if there is none."""
    try:
        return UUID((resource or "").rpartition(".")[2])
    except ValueError:
        return None


def coordinator_of(run_id: UUID) -> str | None:
    """The name of the coordinator that a run was started for; None if it cannot be found."""
    try:
        with get_client(sync_client=True) as client:
            config = client.read_flow_run(run_id).parameters.get("config")
        return load_config(config).name if config else default_config().name
    except (*PREFECT_AWAY, OperatorError):
        return None
