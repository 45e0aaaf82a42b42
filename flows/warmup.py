"""Before a session: its history is fetched once, so that the coordinator starts warm."""

from __future__ import annotations

from typing import Any

from prefect import State, flow
from prefect.runtime import flow_run
from prefect.states import Completed, Failed

from coordinator.bootstrap import WarmupOutcome
from coordinator.errors import OperatorError
from coordinator.private import leave_no_core
from flows.parameters import (
    BarsFile,
    ClockSpeed,
    Configuration,
    Feed,
    FillModel,
    SessionDate,
    Simulate,
    Source,
    let_coordinator_speak,
    run_name,
    run_options,
)
from tasks.bars import fetch_history


def _name() -> str:
    return run_name("warmup", flow_run.get_parameters())


@flow(name="warmup", flow_run_name=_name, persist_result=False)
async def warmup(
    config: Configuration = "configs/stocks_only.json",
    simulate: Simulate = False,
    bars: BarsFile = None,
    source: Source = None,
    session_date: SessionDate = None,
    clock_speed: ClockSpeed = None,
    fill_model: FillModel = None,
    feed: Feed = None,
) -> State[Any]:
    """Fetches the history of a configuration's tickers for the session to come.

    Ends as Completed, MarketClosed (no session today), or Failed with the reason.
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
    leave_no_core()
    let_coordinator_speak()
    try:
        return warmed_state(await fetch_history(options))
    except OperatorError as refused:
        return Failed(message=str(refused))


def warmed_state(outcome: WarmupOutcome) -> State[Any]:
    """The state that says what was fetched, or that there is no session to warm up for."""
    if outcome.session_date is None:
        return Completed(name="MarketClosed", message="No session today: nothing to fetch.")
    total, tickers = sum(outcome.bars.values()), len(outcome.bars)
    where = f" in {outcome.path}" if outcome.path else ""
    return Completed(
        message=f"{total:,} bars of {tickers} tickers for {outcome.session_date}{where}."
    )
