"""The runs that have a process on this machine, where server, worker and runs live together.

Prefect's state of a run can be wrong both ways: a killed run may stay Running for long, and one
that is Cancelled or Crashed may still write its journal.
"""

from __future__ import annotations

import re
from pathlib import Path
from uuid import UUID

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
