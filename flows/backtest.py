"""A backtest from Prefect's UI: recorded sessions through the live engine, into the warehouse."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import date
from pathlib import Path
from typing import Annotated, Any

from prefect import State, flow
from prefect.client.schemas.objects import StateType
from prefect.runtime import flow_run
from prefect.states import Cancelled, Completed, Failed

from coordinator.backtest import Backtest, BacktestOptions
from coordinator.bootstrap import warehouse_path
from coordinator.errors import OperatorError
from coordinator.private import leave_no_core
from flows.board import Board, PrefectBoard
from flows.parameters import Configuration, FillModel, Source, described, run_name
from flows.playing import Playing, watch
from flows.stopping import ReadState, Stop, last_state, read_own_state, stop_signal
from tasks.backtest import play_sessions

RecordedBars = Annotated[
    str,
    described(
        "Bars file",
        "Parquet or CSV file of recorded one-minute bars, seen from the project's folder.",
        min_length=1,
    ),
]
FirstSession = Annotated[
    date | None, described("First session", "Date to begin with. Empty: the file's first.")
]
LastSession = Annotated[
    date | None, described("Last session", "Date to end with. Empty: the file's last.")
]
Play = Callable[[Callable[[], None]], Awaitable[None]]
_CANCELLED = {StateType.CANCELLING, StateType.CANCELLED}


def _name() -> str:
    return run_name("backtest", flow_run.get_parameters())


@flow(name="backtest", flow_run_name=_name, persist_result=False)
async def backtest(
    bars: RecordedBars,
    config: Configuration = "configs/stocks_only.json",
    source: Source = None,
    start: FirstSession = None,
    end: LastSession = None,
    fill_model: FillModel = None,
) -> State[Any]:
    """Plays every recorded session between two dates with the engine that trades.

    Ends as Completed, Incomplete (rows in quarantine), Cancelled, StoppedEarly (SIGTERM), or
    Failed with the reason; the sessions that are over are in the warehouse in any case.
    """
    leave_no_core()
    options = BacktestOptions(
        Path(config), Path(bars), source or None, start, end, fill_model or None
    )
    async with stop_signal() as stop:
        return await played_state(options, warehouse_path(), stop)


async def played_state(
    options: BacktestOptions,
    place: Path | str,
    stop: Stop,
    *,
    play: Play = play_sessions,
    board: Board | None = None,
    read_state: ReadState = read_own_state,
) -> State[Any]:
    """Plays the backtest and answers the state that its run shall end in.

    Everything after `stop` is there for tests to replace.
    """
    try:
        test = await asyncio.to_thread(Backtest, options)
    except OperatorError as refused:
        return Failed(message=str(refused))
    playing = Playing(test, place, stop.event.is_set)
    shown = board or PrefectBoard(f"backtest {options.config.stem}")
    await watch(playing, shown, asyncio.ensure_future(play(playing.play)))
    said = playing.sentence()
    # Once a run is being cancelled, Prefect's server accepts no other end.
    if await last_state(read_state) in _CANCELLED:
        return Cancelled(message=said)
    if playing.incomplete:
        return Failed(name="Incomplete", message=" ".join(playing.incomplete))
    return Completed(name="Completed" if playing.is_whole else "StoppedEarly", message=said)
