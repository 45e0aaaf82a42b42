"""Shell completion of strategy names; an error completes nothing."""

from __future__ import annotations


def strategy_names(incomplete: str) -> list[str]:
    """Names that begin with `incomplete`: the strategies of the sessions under MULTI_TRADER_HOME.

    Without any session, those that run without a configuration.
    """
    from coordinator.config import default_config
    from coordinator.errors import MultiTraderError
    from coordinator.settings import home_folder
    from coordinator.status import read_status

    try:
        views = read_status(home_folder())
    except (MultiTraderError, OSError):
        return []
    names = {one.name for view in views for one in (*view.strategies, *view.shadows)}
    if not views:
        names = {one.name for one in default_config().strategies}
    return sorted(name for name in names if name.startswith(incomplete) and name != "UNASSIGNED")
