"""One trading session: it starts, trades, ends by itself, and says truly how it ended.

Plain async code and no task: Prefect never repeats what sends orders. A session is held by the
account's lease and not by a concurrency limit of Prefect's, which kills its holder whenever the
server restarts.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import StateType
from prefect.runtime import flow_run
from prefect.states import Cancelled, Completed, Failed, State

from coordinator.bootstrap import RunOptions, SessionOutcome, run_session
from coordinator.errors import OperatorError
from coordinator.shell.lease import LeaseHeld
from flows.parameters import (
    BarsFile,
    ClockSpeed,
    Configuration,
    Feed,
    FillModel,
    SessionDate,
    Simulate,
    Source,
    run_name,
    run_options,
)
from flows.stopping import ReadState, Stop, read_own_state, state_or_none, stop_signal
from tasks.report import publish_summary

RunSession = Callable[..., Awaitable[SessionOutcome]]
_CANCELLED = {StateType.CANCELLING, StateType.CANCELLED}


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
) -> State[Any]:
    """Trades one session of a configuration, until its markets close or it is asked to stop.

    Ends as Completed, MarketClosed (no session left today), AlreadyRunning (another coordinator
    holds the lease), Cancelled, StoppedEarly (SIGTERM), or Failed with the reason.
    """
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
    async with stop_signal() as stop:
        return await session_state(options, stop)


async def session_state(
    options: RunOptions,
    stop: Stop,
    *,
    run: RunSession = run_session,
    read_state: ReadState = read_own_state,
    publish: Callable[[SessionOutcome], Awaitable[None]] = publish_summary,
) -> State[Any]:
    """Runs the session and answers the state that its run shall end in."""
    try:
        outcome = await run(options, stop=stop.event)
    except LeaseHeld as held:
        return Completed(name="AlreadyRunning", message=str(held))
    except OperatorError as refused:
        return Failed(message=str(refused))
    await publish(outcome)
    # Once a run is being cancelled, Prefect's server accepts no other end.
    if await state_or_none(read_state) in _CANCELLED:
        return Cancelled(message=outcome.message)
    return named_state(outcome)


def named_state(outcome: SessionOutcome) -> State[Any]:
    """The state whose name says how a session ended; the UI and the triggers read that name."""
    match outcome.status:
        case "Completed":
            return Completed(message=outcome.message)
        case "MarketClosed" | "StoppedEarly":
            return Completed(name=outcome.status, message=outcome.message)
        case unknown:
            raise AssertionError(f"a session cannot end as {unknown!r}")
