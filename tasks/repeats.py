"""Decides which failed tasks are repeated: faults of broker or machine, never the operator's."""

from __future__ import annotations

from typing import Any

from coordinator.errors import BrokerUnavailable
from warehouse import WarehouseLocked

_PASSING = (BrokerUnavailable, WarehouseLocked, ConnectionError, TimeoutError)


async def may_pass(_task: Any, _run: Any, state: Any) -> bool:
    """Whether to retry a failed task: only if its error may pass with time."""
    try:
        await state.aresult()
    except _PASSING:
        return True
    except Exception:  # any other error would occur again
        return False
    return False
