"""Sessions into the warehouse, with a line for each; shared by `run` and `end-of-day`."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path

from cli.faults import complain
from warehouse import LoadStatus, SessionSource, Store, load_session

log = logging.getLogger("cli.loading")


def load_all(warehouse: Path, sources: Iterable[SessionSource], *, deadline_s: float) -> int:
    """Loads the sessions that are not loaded or changed since; returns how many are incomplete.

    Waits up to `deadline_s` seconds for whoever holds the file.
    Raises WarehouseError and what else the store raises; sessions before it stay loaded.
    """
    incomplete = 0
    with Store.open(warehouse, deadline_s=deadline_s, on_wait=complain) as store:
        for source in sources:
            result = load_session(store, source)
            if result.status is LoadStatus.INCOMPLETE:
                incomplete += 1
                complain(f"Warning: {result.message}")
            else:
                log.info(result.message)
    return incomplete
