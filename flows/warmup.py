"""Before a session: fetches its history once, so that the coordinator starts warm."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from prefect import State, flow
from prefect.runtime import flow_run
from prefect.states import Completed, Failed

from coordinator.bootstrap import WarmUp, WarmupOutcome, warming
from coordinator.errors import BrokerError, OperatorError
from coordinator.private import leave_no_core
from flows.board import PrefectBoard
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
from flows.stopping import PREFECT_AWAY
from tasks.bars import fetch_history, write_history

MOST_BATCHES = 10
_log = logging.getLogger("coordinator.flow")


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
        async with warming(options) as warm_up:
            return warmed_state(await fetch_all(warm_up, Path(config).stem))
    except (OperatorError, BrokerError) as refused:
        return Failed(message=str(refused))


async def fetch_all(warm_up: WarmUp, name: str) -> WarmupOutcome:
    """Fetches batch after batch, each as a task, and writes one file at the end."""
    board, fetched = PrefectBoard(name, progress="warmup"), dict[str, int]()
    for batch in batches(warm_up.tickers):
        fetched |= await fetch_history(warm_up, batch)
        percent = 100 * len(fetched) / len(warm_up.tickers)
        try:
            await board.show_progress(round(percent, 1), fetched_sentence(fetched))
        except PREFECT_AWAY as error:
            _log.warning("Prefect does not show the progress (%s)", type(error).__name__)
    return await write_history(warm_up)


def batches(tickers: Sequence[str]) -> list[list[str]]:
    """The tickers in at most ten batches of equal size, in their order."""
    size = max(-(-len(tickers) // MOST_BATCHES), 1)
    return [list(tickers[at : at + size]) for at in range(0, len(tickers), size)]


def fetched_sentence(fetched: Mapping[str, int]) -> str:
    """The bars of each ticker so far, as a sentence."""
    each = ", ".join(f"{ticker} {bars:,}" for ticker, bars in fetched.items())
    return f"{sum(fetched.values()):,} bars: {each}."


def warmed_state(outcome: WarmupOutcome) -> State[Any]:
    """The run's final state: the bars fetched, or MarketClosed if there is no session."""
    if outcome.session_date is None:
        return Completed(name="MarketClosed", message="No session today: nothing to fetch.")
    total, tickers = sum(outcome.bars.values()), len(outcome.bars)
    where = f" in {outcome.path}" if outcome.path else ""
    return Completed(
        message=f"{total:,} bars of {tickers} tickers for {outcome.session_date}{where}."
    )
