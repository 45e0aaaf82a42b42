"""Sessions: what the journals hold for the warehouse."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from prefect import task
from prefect.cache_policies import NO_CACHE

from coordinator.bootstrap import home_folder, session_sources
from warehouse import SessionSource


@task(name="read journals", cache_policy=NO_CACHE, persist_result=False)
def journaled_sessions(
    session_id: str | None, *, running: Collection[str] = ()
) -> Sequence[SessionSource]:
    """Every journaled session under the home folder, or the one named; none still `running`."""
    found = session_sources(home_folder(), session_id)
    return [source for source in found if source.session_id not in running]
