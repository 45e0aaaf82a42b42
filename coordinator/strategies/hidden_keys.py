"""Removes the account's keys from the environment while this process loads or tests user code.

A strategy file therefore finds no keys here, as in the process in which it runs in a session, and
cannot trade by itself or print them by mistake. This protects against mistakes, not against malice:
code that runs as the same user can find the keys in other ways. Nor does a precision that it sets
for decimals (`getcontext().prec = 28`) remain.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import localcontext
from threading import RLock

ACCOUNTS = ("APCA_", "MULTI_TRADER_WEBHOOK_URL")
_SECRET = (*ACCOUNTS, "PREFECT_API_AUTH_STRING", "PREFECT_API_KEY")
"""Prefixes of the variables that hold secrets: the account's, and all of the coordinator's."""
KEYS_LOCK = RLock()
"""Held while user code is loaded, and by other threads while they read the keys."""


@contextmanager
def hidden_keys(secret: tuple[str, ...] = _SECRET) -> Iterator[None]:
    """Remove the secrets from the environment within the context.

    A backtest that Prefect runs removes the ACCOUNTS' alone: it needs Prefect meanwhile.
    """
    with KEYS_LOCK, localcontext():
        kept = {name: os.environ.pop(name) for name in [*os.environ] if name.startswith(secret)}
        try:
            yield
        finally:
            os.environ.update(kept)
