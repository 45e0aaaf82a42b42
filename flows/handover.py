"""Crypto's handover at midnight UTC: the next session waits for the lease of the one that ends.

Local time decides only how long to wait; the broker's clock decides which date is traded.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

from coordinator.bootstrap import RunOptions, SessionOutcome
from coordinator.config import load_config
from coordinator.core.values import is_crypto
from coordinator.shell.lease import LeaseHeld
from flows.stopping import Stop

LEAD = timedelta(minutes=15)
GRACE = timedelta(minutes=5)
"""How long the ending session may wait for its last orders to end."""
POLL_S = 2.0
Now = Callable[[], datetime]
RunSession = Callable[..., Awaitable[SessionOutcome]]
_log = logging.getLogger("coordinator.flow")


async def run_when_free(
    options: RunOptions, stop: Stop, run: RunSession, now: Now
) -> SessionOutcome:
    """Runs the session; at crypto's handover it first waits for the lease of the one that ends.

    Raises LeaseHeld if another coordinator keeps it.
    """
    until, waits = patience_until(options, now()), False
    while True:
        try:
            return await run(options, stop=stop.event)
        except LeaseHeld:
            if until is None or now() >= until or stop.event.is_set():
                raise
        if not waits:
            _log.info("Waiting for the session that ends at 00:00 UTC")
        waits = True
        await stop.wait(POLL_S)


def patience_until(options: RunOptions, now: datetime) -> datetime | None:
    """The time until which to wait for a held lease: soon after a near midnight UTC, else None.

    Raises coordinator.errors.ConfigError if the configuration cannot be read.
    """
    midnight = datetime.combine((now + LEAD).date(), datetime.min.time(), UTC)
    if not midnight - LEAD <= now < midnight + GRACE or options.config is None:
        return None
    tickers = [t for strategy in load_config(options.config).strategies for t in strategy.tickers]
    return midnight + GRACE if any(is_crypto(ticker) for ticker in tickers) else None
