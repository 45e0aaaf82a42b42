"""The environment of a user who has set up nothing, for the programs that tests start."""

from __future__ import annotations

import os
from pathlib import Path

FOREIGN = ("APCA_", "MULTI_TRADER_", "PREFECT_")
"""How the developer's own keys, folders and profiles begin."""


def bare_environment(home: Path) -> dict[str, str]:
    """This process's environment without what is foreign, and with a home: leases live there."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    return kept | {"HOME": str(home)}
