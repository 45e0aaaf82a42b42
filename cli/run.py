"""`multi-trader run`: runs one session and loads it into the warehouse."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.faults import complain, plainly
from cli.logs import configure_logging, written_beside
from cli.options import (
    AsJson,
    BarsFile,
    FillModel,
    LogLevel,
    SessionDate,
    SourceName,
    StrategiesDir,
    a_number,
    a_speed,
    refuse_source_alone,
)
from cli.signals import StopSignals, interrupt_on_sigterm
from cli.tables import print_json

if TYPE_CHECKING:
    from coordinator.bootstrap import RunOptions, SessionOutcome

STOPPING = (
    "Stopping: waiting for the ends of open orders, and for what the broker still has to answer."
    " Press Ctrl-C again to leave at once."
)
LEFT = "Left at once. The journal keeps everything; the next start resumes from it."
LEFT_SIMULATED = (
    "Left at once. The journal keeps what was done; a simulated session is not resumed, because its"
    " broker ended with it."
)


ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--config", metavar="FILE", help="Configuration; without it, five built-in strategies."
    ),
]
Live = Annotated[
    bool,
    typer.Option(
        "--live",
        help='Trade real money. Needs "mode": "live" in the configuration and '
        "MULTI_TRADER_ALLOW_LIVE set to the account's number as well.",
    ),
]
Simulate = Annotated[
    bool,
    typer.Option(
        "--simulate", help="Trade against the built-in simulator; needs no keys and sends nothing."
    ),
]
ClockSpeed = Annotated[
    float | None,
    typer.Option(
        "--clock-speed",
        parser=a_speed,
        metavar="N",
        help="How many times as fast as ours the broker's clock may run: 600 if simulated, else 1.",
    ),
]
WarmupBars = Annotated[
    int | None,
    typer.Option(
        "--min-warmup-bars",
        parser=a_number(0, 100_000),
        metavar="N",
        help="Bars that a ticker needs before it trades, for every strategy.",
    ),
]
NoLoad = Annotated[
    bool, typer.Option("--no-load", help="Leave the warehouse to `multi-trader end-of-day`.")
]


@plainly
def run(
    config: ConfigFile = None,
    strategies: StrategiesDir = None,
    live: Live = False,
    simulate: Simulate = False,
    bars: BarsFile = None,
    source: SourceName = None,
    date: SessionDate = None,
    clock_speed: ClockSpeed = None,
    fill_model: FillModel = None,
    log_level: LogLevel = "INFO",
    min_warmup_bars: WarmupBars = None,
    no_load: NoLoad = False,
    json: AsJson = False,
) -> None:
    """Run a session until its markets have closed.

    Ctrl-C, SIGTERM or closing the terminal ends it early, in good order. A second Ctrl-C leaves at
    once; the next start resumes from the journal, unless the broker was simulated.

    The summary goes to stdout and log lines go to stderr. At the end the session is loaded into
    the warehouse, and with it any session of the account's last week that is missing there.

    Alpaca's keys come from APCA_API_KEY_ID and APCA_API_SECRET_KEY, or from a file `.env`
    of mode 600 in this folder. --bars and --date imply --simulate, which ignores all APCA_*.
    State lives in MULTI_TRADER_HOME (./state).

    \b
    Example:
      multi-trader run --simulate --config configs/multi_trader_simple.json
    """
    configure_logging(log_level)
    simulated = simulate or bars is not None or date is not None
    _refuse_contradictions(bars, source, fill_model, live=live, simulated=simulated)
    with StopSignals(STOPPING, LEFT_SIMULATED if simulated else LEFT) as stop:
        from coordinator.bootstrap import RunOptions

        options = RunOptions(
            config=config,
            strategies=strategies,
            live=live,
            simulate=simulated,
            bars=bars,
            source=source,
            date=date,
            clock_speed=clock_speed,
            fill_model=fill_model,
            min_warmup_bars=min_warmup_bars,
        )
        outcome = asyncio.run(_session(options, stop))
    interrupt_on_sigterm()
    try:
        (_print_json if json else _print)(outcome)
    finally:  # also if printing fails: Ctrl-C also ends a `tee` that reads the output
        if outcome.session_id is None:
            _tell_what_is_left(outcome, simulated=simulated)
        elif not no_load:
            _load(outcome.session_id, options.speed)


def _refuse_contradictions(
    bars: Path | None,
    source: str | None,
    fill_model: str | None,
    *,
    live: bool,
    simulated: bool,
) -> None:
    """Raise OperatorError for options that contradict each other."""
    from coordinator.errors import OperatorError

    if live and simulated:
        raise OperatorError(
            "--live trades real money, and --simulate, --bars and --date trade none: "
            "give one or the other."
        )
    refuse_source_alone(source, bars)
    if fill_model is not None and not simulated:
        raise OperatorError(
            "--fill-model is the simulator's, and Alpaca fills as it does: add --simulate, or "
            "leave it out."
        )


async def _session(options: RunOptions, stop: StopSignals) -> SessionOutcome:
    from coordinator.bootstrap import run_session

    return await run_session(options, stop=stop.watch(), observers=[_lines_beside])


@asynccontextmanager
async def _lines_beside(_: object) -> AsyncIterator[None]:
    """An observer: no decision waits for the terminal. Its thread begins after the last fork."""
    with written_beside():
        yield


def _print(outcome: SessionOutcome) -> None:
    if outcome.summary:
        typer.echo(outcome.summary)
    typer.echo(f"{outcome.status}: {outcome.message}")
    _warn(outcome)


def _print_json(outcome: SessionOutcome) -> None:
    """Print the outcome; amounts and quantities become strings, so that no digit is lost."""
    from dataclasses import asdict

    document = asdict(outcome)
    del document["summary"]
    print_json(document)
    _warn(outcome)


def _warn(outcome: SessionOutcome) -> None:
    if outcome.discrepancies:
        differ = "discrepancy" if outcome.discrepancies == 1 else "discrepancies"
        complain(
            f"Warning: {outcome.discrepancies} {differ} between the books and the broker; "
            "the warehouse's table `discrepancies` has what differs."
        )


def _tell_what_is_left(outcome: SessionOutcome, *, simulated: bool) -> None:
    """Name what earlier sessions left to be loaded, where the next one is a night away."""
    if outcome.status == "MarketClosed" and not simulated:
        from cli.loading import tell_what_is_not_loaded

        tell_what_is_not_loaded()


def _load(session_id: str, speed: float) -> None:
    """Load the session; errors are printed, and the command still succeeds."""
    try:
        from cli.loading import load_after

        load_after(session_id, speed=speed)
    except KeyboardInterrupt:
        complain(
            "The load was interrupted and nothing is lost: the journal keeps the session. "
            f"Repeat with: multi-trader end-of-day --session {session_id}"
        )
