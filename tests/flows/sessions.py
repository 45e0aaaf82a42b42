"""Sessions on a venue that runs beside the test, as a flow would run them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from coordinator.bootstrap import RunOptions, SessionOutcome, run_configured
from coordinator.config import load_config
from simulator.server import Simulator
from tests.e2e.running import environment


def session_on(venue: Simulator, home: Path) -> Callable[..., Awaitable[SessionOutcome]]:
    """Runs the sessions of configurations on `venue`, all with their state in `home`."""

    async def run(options: RunOptions, *, stop: asyncio.Event) -> SessionOutcome:
        assert options.config is not None
        return await run_configured(
            load_config(options.config),
            options,
            environment(venue, home),
            stop=stop,
            leases_folder=home / "leases",
        )

    return run
