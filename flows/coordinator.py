"""One trading session: it starts, trades, ends by itself, and reports how it ended.

Plain async code without tasks: Prefect never repeats code that sends orders. The account's lease
keeps sessions apart, not a concurrency limit of Prefect's, which kills its holder whenever the
server restarts.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from prefect import State, flow
from prefect.runtime import flow_run
from prefect.states import Cancelled, Completed, Failed

from coordinator.bootstrap import RunOptions, SessionOutcome, run_session, utc_now
from coordinator.config import default_config, load_config
from coordinator.core.records import SessionEnd
from coordinator.errors import BrokerError, OperatorError
from coordinator.private import leave_no_core
from coordinator.shell.lease import LeaseHeld
from flows.board import emit
from flows.handover import Now, RunSession
from flows.live import Emit, differs_at_the_end, refused_start, shown_at_prefect
from flows.parameters import (
    BarsFile,
    ClockSpeed,
    Configuration,
    Feed,
    FillModel,
    Recovery,
    SessionDate,
    Simulate,
    Source,
    let_coordinator_speak,
    run_name,
    run_options,
)
from flows.recovering import ended_since_crash
from flows.stopping import (
    PREFECT_AWAY,
    ReadState,
    Stop,
    read_own_state,
    stop_signal,
    was_cancelled,
)
from flows.unanswered import run_when_answered
from tasks.report import SUMMARY_LOG, publish_summary

_log = logging.getLogger("coordinator.flow")


def _name() -> str:
    return run_name("coordinator", flow_run.get_parameters())


@flow(name="coordinator", flow_run_name=_name, persist_result=False)
async def coordinator(
    config: Configuration = "configs/stocks_only.json",
    simulate: Simulate = False,
    bars: BarsFile = None,
    source: Source = None,
    session_date: SessionDate = None,
    clock_speed: ClockSpeed = None,
    fill_model: FillModel = None,
    feed: Feed = None,
    recovery: Recovery = 0,
) -> State[Any]:
    """Trades one session of a configuration, until its markets close or it is asked to stop.

    Ends as Completed, MarketClosed (no session left today), AlreadyRunning (another coordinator
    holds the lease), NotNeeded (a recovery of what has ended in order since), Cancelled,
    StoppedEarly (SIGTERM), or Failed with the reason.
    """
    if recovery and (reason := await ended_since_crash()):
        return Completed(name="NotNeeded", message=reason)
    options = run_options(
        config=config,
        simulate=simulate,
        bars=bars,
        source=source,
        session_date=session_date,
        clock_speed=clock_speed,
        fill_model=fill_model,
        feed=feed,
    )
    leave_no_core()
    let_coordinator_speak()
    async with stop_signal() as stop:
        return await session_state(options, stop)


async def show_summary(outcome: SessionOutcome) -> None:
    """Puts the summary on the run's page; if Prefect is away, it is only logged."""
    try:
        await publish_summary(outcome)
    except PREFECT_AWAY as error:
        _log.warning("The summary is in the log alone: Prefect does not answer (%s)", error)


async def run_shown(options: RunOptions, *, stop: asyncio.Event) -> SessionOutcome:
    """Runs the session, and shows it on its run's page meanwhile."""
    return await run_session(options, stop=stop, observers=[shown_at_prefect])


async def session_state(
    options: RunOptions,
    stop: Stop,
    *,
    run: RunSession = run_shown,
    read_state: ReadState = read_own_state,
    publish: Callable[[SessionOutcome], Awaitable[None]] = show_summary,
    send: Emit = emit,
    now: Now = utc_now,
) -> State[Any]:
    """Runs the session and returns the final state for its run.

    Everything after `options` and `stop` is there for tests to replace.
    """
    try:
        outcome = await run_when_answered(options, stop, run, now)
    except LeaseHeld as held:
        return Completed(name="AlreadyRunning", message=str(held))
    except OperatorError as refused:
        refused_start(name_of(options), str(refused), send)
        return Failed(message=str(refused))
    except BrokerError as failed:
        refused_start(name_of(options), str(failed), send)
        is_cancelled = await was_cancelled(read_state)
        return Cancelled(message=str(failed)) if is_cancelled else Failed(message=str(failed))
    differs_at_the_end(outcome, name_of(options), send)
    if outcome.summary:
        logging.getLogger(SUMMARY_LOG).info("\n%s", outcome.summary)
        await publish(outcome)
    if await was_cancelled(read_state):
        return Cancelled(message=outcome.message)
    return named_state(outcome)


def name_of(options: RunOptions) -> str:
    """The coordinator's name, or the file's if its configuration cannot be read."""
    if options.config is None:
        return default_config().name
    try:
        return load_config(options.config).name
    except OperatorError:
        return options.config.stem


def named_state(outcome: SessionOutcome) -> State[Any]:
    """The state whose name is the session's outcome; the UI and the triggers read that name."""
    match outcome.status:
        case SessionEnd.COMPLETED:
            return Completed(message=outcome.message)
        case SessionEnd.STOPPED_EARLY | "MarketClosed" as name:
            return Completed(name=name, message=outcome.message)
