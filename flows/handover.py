"""Crypto's handover at midnight UTC: the next session waits for the lease of the one that ends.

Local time decides only how long to wait; the broker's clock decides which date is traded.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from coordinator.bootstrap import RunOptions
from coordinator.config import load_config
from coordinator.core.values import is_crypto

LEAD = timedelta(minutes=15)
GRACE = timedelta(minutes=5)
"""How long the ending session may wait for its last orders to end."""
POLL_S = 2.0
Now = Callable[[], datetime]


def patience_until(options: RunOptions, now: datetime) -> datetime | None:
    """The time until which to wait for a held lease: soon after a near midnight UTC, else None.

    Raises coordinator.errors.ConfigError if the configuration cannot be read.
    """
    midnight = datetime.combine((now + LEAD).date(), datetime.min.time(), UTC)
    if not midnight - LEAD <= now < midnight + GRACE or options.config is None:
        return None
    tickers = [t for strategy in load_config(options.config).strategies for t in strategy.tickers]
    return midnight + GRACE if any(is_crypto(ticker) for ticker in tickers) else None


async def pause(stop: asyncio.Event) -> None:
    """Waits a moment, or until `stop`."""
    with contextlib.suppress(asyncio.TimeoutError):
        await asyncio.wait_for(stop.wait(), POLL_S)
