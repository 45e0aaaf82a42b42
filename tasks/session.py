"""Sessions: those in the journals, for the warehouse."""

from __future__ import annotations

from collections.abc import Collection

from prefect import get_run_logger, task
from prefect.cache_policies import NO_CACHE

from coordinator.bootstrap import Loadable, home_folder, loadable


@task(name="read journals", cache_policy=NO_CACHE, persist_result=False)
def journaled_sessions(session_id: str | None, *, running: Collection[str]) -> Loadable:
    """Every journaled session under the home folder, or the one named, except `running` ones."""
    found = loadable(home_folder(), session_id)
    for error in found.kept_out:
        get_run_logger().error("Not loaded: %s", error)
    sources = [source for source in found.sources if source.session_id not in running]
    return Loadable(sources, found.kept_out)
