"""Decides which failed tasks are repeated: faults of broker or machine, never the operator's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from prefect import Task, task
from prefect.cache_policies import NO_CACHE

from coordinator.errors import BrokerUnavailable
from warehouse import WarehouseLocked

Given = ParamSpec("Given")
Result = TypeVar("Result")
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


def on_the_warehouse(name: str) -> Callable[[Callable[Given, Result]], Task[Given, Result]]:
    """Makes a function a task that is repeated while another process has the warehouse open."""
    return task(
        name=name,
        retries=3,
        retry_delay_seconds=[10, 30, 60],
        retry_condition_fn=may_pass,
        cache_policy=NO_CACHE,
        persist_result=False,
    )
