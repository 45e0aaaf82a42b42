"""The wait for a broker that does not answer: the session is started again until it does.

A scheduled run that met a short outage would else cost the whole day. It is safe, because a start
is a recovery: it replays the journal and asks the broker about every open order.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from coordinator.bootstrap import RunOptions, SessionOutcome
from coordinator.core.records import SessionEnd
from coordinator.errors import BrokerUnavailable
from flows.handover import Now, RunSession, run_when_free
from flows.stopping import Stop

PATIENCE = timedelta(hours=1)
"""How long the broker may be silent."""
POLL_S = 30.0
STEADY = timedelta(minutes=10)
"""After a start that lasted this long the patience begins anew: the broker had answered."""
_log = logging.getLogger("coordinator.flow")


async def run_when_answered(
    options: RunOptions, stop: Stop, run: RunSession, now: Now
) -> SessionOutcome:
    """Runs the session, and while the broker does not answer starts it again every half minute.

    Stopped meanwhile, it ends as StoppedEarly. Raises BrokerUnavailable if it is silent for an
    hour, and at once if the simulator is the broker; LeaseHeld as `run_when_free`.
    """
    silent_since: datetime | None = None
    while True:
        started = now()
        try:
            return await run_when_free(options, stop, run, now)
        except BrokerUnavailable as error:
            failed = now()
            if silent_since is None or failed - started >= STEADY:
                silent_since = failed
            until = silent_since + PATIENCE
            if not stop.event.is_set():
                if options.simulated or failed >= until:
                    raise
                _log.warning("%s. Trying again until %s UTC", error, f"{until:%H:%M}")
                await stop.wait(POLL_S)
            if stop.event.is_set():
                said = f"It was stopped while the broker did not answer: {error}"
                return SessionOutcome(SessionEnd.STOPPED_EARLY, said)
