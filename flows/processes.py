"""Which runs have a process on this machine, where server, worker and runs live together.

What Prefect believes of a run can be wrong both ways: a killed one may be Running for long, and
one that is Cancelled or Crashed may still write its journal.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection
from pathlib import Path
from uuid import UUID

WRITER_S = 900.0
"""How long an end of day waits for a run that has ended at Prefect and not here."""
_POLL_S = 1.0
_RUN_ID = re.compile(rb"PREFECT__FLOW_RUN_ID=([0-9a-f-]{36})")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")


def runs_with_a_process() -> set[UUID]:
    """The runs that a process of ours on this machine was started for."""
    found = set()
    for file in Path("/proc").glob("[0-9]*/environ"):
        try:
            named = _RUN_ID.search(file.read_bytes())
        except OSError:  # another user's, or gone meanwhile
            continue
        if named:
            found.add(UUID(named[1].decode()))
    return found


def wait_for_writer(
    resource: str | None,
    *,
    patience_s: float = WRITER_S,
    alive: Callable[[], Collection[UUID]] = runs_with_a_process,
) -> bool:
    """Waits until the run `prefect.flow-run.<id>` has no process; False if it still has one.

    Its session then has its end in the journal, or nobody writes it any more. The lease is not
    asked: the next session may hold it already.
    """
    named = _UUID.search(resource or "")
    if named is None:
        return True
    run, end_s = UUID(named[0]), time.monotonic() + patience_s
    while run in alive():
        if time.monotonic() >= end_s:
            return False
        time.sleep(_POLL_S)
    return True
