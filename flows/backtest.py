"""A backtest from Prefect's UI: recorded sessions through the live engine, into the warehouse."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

from prefect import State, flow
from prefect.runtime import flow_run
from prefect.states import Cancelled, Completed, Failed
from prefect.task_runners import ProcessPoolTaskRunner

from coordinator.backtest import Backtest, BacktestOptions
from coordinator.bootstrap import warehouse_path
from coordinator.errors import OperatorError
from coordinator.private import leave_no_core
from flows.board import Board, PrefectBoard
from flows.parameters import A_DATE, Configuration, FillModel, Source, described, run_name
from flows.playing import Playing, watch
from flows.stopping import ReadState, Stop, read_own_state, stop_signal, was_cancelled
from flows.sweeping import Split, SweepPlaying
from tasks.backtest import play_part_of_sweep, play_sessions

RecordedBars = Annotated[
    str,
    described(
        "Bars file",
        "Parquet or CSV file of recorded one-minute bars, seen from the project's folder.",
        min_length=1,
    ),
]
FirstSession = Annotated[
    date | None,
    described("First session", "Date to begin with. Empty: the file's first.", looks=A_DATE),
]
LastSession = Annotated[
    date | None,
    described("Last session", "Date to end with. Empty: the file's last.", looks=A_DATE),
]
Grid = Annotated[
    dict[str, dict[str, Any]] | None,
    described(
        "Sweep",
        "By the name of a strategy, the values to try in it, in place of its own sweep:"
        ' {"Fast": {"lookback_period": {"from": 5, "to": 50, "step": 5}}}. Each combination is'
        " tested as if alone. Empty: the configuration's.",
    ),
]
Kept = Annotated[
    int,
    described(
        "Keep",
        "Of a sweep: how many of the best are kept with all their orders, fills and positions.",
        ge=0,
        le=20_000,
    ),
]
Measure = Annotated[
    Literal["net-pnl", "return", "sharpe", "sortino", "drawdown"],
    described("By", "Of a sweep: what the best are best in; of drawdowns, the smallest."),
]
Processes = Annotated[
    int,
    described(
        "Processes",
        "Of a sweep: over how many processes it is split; the rows are the same. 0: one a core.",
        ge=0,
        le=256,
    ),
]
Play = Callable[[Callable[[], None]], Awaitable[None]]


def _name() -> str:
    return run_name("backtest", flow_run.get_parameters())


@flow(
    name="backtest",
    flow_run_name=_name,
    persist_result=False,
    task_runner=ProcessPoolTaskRunner(),  # type: ignore[arg-type]
)
async def backtest(
    bars: RecordedBars,
    config: Configuration = "configs/stocks_only.json",
    source: Source = None,
    start: FirstSession = None,
    end: LastSession = None,
    fill_model: FillModel = None,
    sweep: Grid = None,
    keep: Kept = 10,
    by: Measure = "net-pnl",
    processes: Processes = 0,
) -> State[Any]:
    """Plays every recorded session between two dates with the engine that trades.

    A sweep is split over processes; the warehouse's v_sweep ranks all its variants.

    Ends as Completed, Incomplete (rows in quarantine), Cancelled, StoppedEarly (SIGTERM), or
    Failed with the reason; the sessions that are over are in the warehouse in any case.
    """
    leave_no_core()
    options = BacktestOptions(
        Path(config), Path(bars), source or None, start, end, fill_model or None, grid=sweep
    )
    async with stop_signal() as stop:
        split = Split(processes or os.cpu_count() or 1, keep, by, play_part_of_sweep.submit)
        return await played_state(options, warehouse_path(), stop, split=split)


async def played_state(
    options: BacktestOptions,
    place: Path | str,
    stop: Stop,
    *,
    play: Play = play_sessions,
    split: Split | None = None,
    board: Board | None = None,
    read_state: ReadState = read_own_state,
) -> State[Any]:
    """Plays the backtest and returns the final state for its run.

    Everything after `stop` is there for tests to replace.
    """
    try:
        playing = await asyncio.to_thread(_ready, options, place, stop, split)
    except OperatorError as refused:
        return Failed(message=str(refused))
    shown = board or PrefectBoard(f"backtest {options.config.stem}")
    # The flow itself submits parts: from within a task, Prefect would send that task with them.
    played = play(playing.play) if isinstance(playing, Playing) else asyncio.to_thread(playing.play)
    await watch(playing, shown, asyncio.ensure_future(played))
    text = playing.sentence()
    if await was_cancelled(read_state):
        return Cancelled(message=text)
    if playing.incomplete:
        return Failed(name="Incomplete", message=" ".join(playing.incomplete))
    return Completed(name="Completed" if playing.is_whole else "StoppedEarly", message=text)


def _ready(
    options: BacktestOptions, place: Path | str, stop: Stop, split: Split | None
) -> Playing | SweepPlaying:
    """The backtest to play; if it has a sweep, split into parts."""
    config = options.read()
    if split is not None and config.swept:
        return SweepPlaying(options, config, place, stop.event.is_set, split)
    return Playing(Backtest(options, config=config), place, stop.event.is_set)
