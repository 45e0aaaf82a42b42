"""Sessions: what the journals hold for the warehouse."""

from __future__ import annotations

from collections.abc import Sequence

from prefect import task
from prefect.cache_policies import NO_CACHE

from coordinator.bootstrap import home_folder, session_sources
from warehouse import SessionSource


@task(name="read journals", cache_policy=NO_CACHE, persist_result=False)
def journaled_sessions(session_id: str | None) -> Sequence[SessionSource]:
    """Every journaled session under the home folder, or the one named."""
    return session_sources(home_folder(), session_id)
