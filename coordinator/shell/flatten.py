"""Flattens a killed coordinator that is not running, in a session that ends once all is flat.

The session runs under the coordinator's own name, without its strategies, so that every fill
reaches its book and the next start goes on from there. It needs no bars.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta

from coordinator.core.records import SessionEnd
from coordinator.core.session import SessionPlan
from coordinator.shell import startup
from coordinator.shell.agreement import agree
from coordinator.shell.coordinator import LiveSession
from coordinator.shell.narrator import Narrator
from coordinator.shell.ports import Ports
from coordinator.shell.run import Run, Started
from coordinator.shell.session import (
    end_session,
    live_session,
    open_books,
    open_in_journal,
    reach,
)
from coordinator.shell.stream_watch import StreamWatch
from coordinator.shell.streams import quiet_sdk

CLOSED = timedelta(hours=1)
"""Length of the session in broker time if no market opens."""


async def flatten(run: Run, ports: Ports, *, deadline_s: float) -> None:
    """Cancel open orders and sell all positions whose market is open, within `deadline_s`.

    `run` has the killed coordinator's name and no strategies; `deadline_s` is in local seconds.

    Raises:
        BrokerError: the broker could not be asked; what was done is in the journal.
    """
    with ExitStack() as resources:
        resources.enter_context(quiet_sdk())
        started = await ports.workers.run(lambda: _start(run, ports, resources))
        if started is None:
            return
        narrator = Narrator(started.engine.books, ())
        live = live_session(run, ports, started, narrator)
        status = await _run_until_flat(run, ports, live, started, deadline_s)
        narrator.tell(await ports.workers.run(lambda: end_session(run, ports, started, status)))


async def _run_until_flat(
    run: Run, ports: Ports, live: LiveSession, started: Started, deadline_s: float
) -> SessionEnd:
    """Run the loop until all is flat. It does not wait for the order stream: REST tells as much."""
    watch = StreamWatch("orders", live.gap_repair.ask_for_account)
    live.watchdog.watch_orders(watch)
    stream = ports.order_stream(run.settings, live.handlers.on_order_update, watch)
    stream.start(live.on_stream_end)
    engine, clock, until_s = live.engine, live.watchdog.clock, ports.monotonic() + deadline_s
    try:
        live.resume(started.unsent)
        return await live.run(lambda: engine.is_flat(clock.now()) or ports.monotonic() >= until_s)
    finally:
        await stream.stop()


def _start(run: Run, ports: Ports, resources: ExitStack) -> Started | None:
    """Everything before the first order; None if there is nothing to do now. Blocking."""
    broker, account, clock, now, sessions = reach(run, ports)
    settling, _ = open_books(run, ports, broker, account, resources)
    books, earlier = settling.books, settling.books.session
    if earlier is None:
        return None
    unsent = agree(settling, startup.read_held_assets(broker, books, {}), now)
    assets = startup.read_held_assets(broker, books, {})
    today = startup.plan(now, sessions, sorted(assets))
    plan = today or SessionPlan(earlier.session_date, None, None, now + CLOSED)
    engine = run.engine(books, assets, plan, sessions)
    if engine.is_flat(now):
        return None
    name = replace(run.session_name(account, plan), config_hash=earlier.config_hash)
    open_in_journal(settling, run, plan, name, now)
    return Started(
        account=account,
        session_id=name.session_id,
        engine=engine,
        journal=settling.journal,
        now=now,
        clock=clock,
        unsent=unsent,
    )
