"""The account's keys are not in the environment while code of a user's is loaded in this process.

So a file that reads them finds none at a start, as in the process in which its strategy runs later
or is loaded anew: it cannot trade on its own, or print them, by mistake. A wall against faults, not
against malice: code of the same user can find other ways to look.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from threading import RLock

_SECRET = ("APCA_", "MULTI_TRADER_WEBHOOK_URL", "PREFECT_API_AUTH_STRING", "PREFECT_API_KEY")
"""Beginnings of the variables that hold what only the coordinator may know."""
IN_SIGHT = RLock()
"""Held by whoever loads such code, and by whoever reads the keys meanwhile, on another thread."""


@contextmanager
def out_of_sight() -> Iterator[None]:
    """Within, the environment holds no secret; afterwards it is as it was."""
    with IN_SIGHT:
        kept = {name: os.environ.pop(name) for name in [*os.environ] if name.startswith(_SECRET)}
        try:
            yield
        finally:
            os.environ.update(kept)
