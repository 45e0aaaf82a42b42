"""What is worth repeating: the broker's and the machine's faults, never the operator's."""

from __future__ import annotations

from typing import Any

from coordinator.errors import BrokerUnavailable
from warehouse import WarehouseLocked

_PASSING = (BrokerUnavailable, WarehouseLocked, ConnectionError, TimeoutError)


async def may_pass(_task: Any, _run: Any, state: Any) -> bool:
    """Whether a failed task is to be tried again: only what time alone may heal."""
    try:
        await state.aresult()
    except _PASSING:
        return True
    except Exception:  # whatever else it was will be the same the next time
        return False
    return False
