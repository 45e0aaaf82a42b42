"""`multi-trader backtest`: recorded sessions through the live engine, into the warehouse."""

from __future__ import annotations

import datetime
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.faults import INTERRUPTED, complain, plainly
from cli.logs import configure_logging
from cli.options import FillModel, LogLevel, SourceName, StrategiesDir, a_date
from cli.signals import StopSignals

if TYPE_CHECKING:
    from coordinator.backtest import Advance, Backtest, PlayedSession, Tally

LOCK_DEADLINE_S = 60.0
STOPPING = "Stopping: the sessions that are over are kept. Press Ctrl-C again to leave at once."
LEFT = "Left at once. The sessions that were over are in the warehouse."

ConfigFile = Annotated[
    Path, typer.Option("--config", metavar="FILE", help="Configuration with the strategies.")
]
Bars = Annotated[
    Path,
    typer.Option("--bars", metavar="FILE", help="Recorded one-minute bars, Parquet or CSV."),
]
Start = Annotated[
    datetime.date | None,
    typer.Option(
        "--start", parser=a_date, metavar="YYYY-MM-DD", help="First session; the file's first."
    ),
]
End = Annotated[
    datetime.date | None,
    typer.Option(
        "--end", parser=a_date, metavar="YYYY-MM-DD", help="Last session; the file's last."
    ),
]
WarehouseFile = Annotated[
    Path | None,
    typer.Option(
        "--warehouse", metavar="FILE", help="DuckDB file; the one that `multi-trader sql` asks."
    ),
]


@plainly
def backtest(
    config: ConfigFile,
    bars: Bars,
    source: SourceName = None,
    start: Start = None,
    end: End = None,
    fill_model: FillModel = None,
    strategies: StrategiesDir = None,
    warehouse: WarehouseFile = None,
    json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    log_level: LogLevel = "WARNING",
) -> None:
    """Test strategies on recorded bars, by the engine that trades.

    Every session between --start and --end is played in order, on books that live on, and goes
    into the warehouse with mode `backtest` when it is over. Ctrl-C keeps the sessions that are.
    The same backtest again replaces its own rows; another one stands beside it, under an account
    of its own (BT-...).

    \b
    Example:
      multi-trader backtest --config configs/stocks_only.json --bars bars.parquet
    """
    configure_logging(log_level)
    with StopSignals(told=STOPPING, left=LEFT) as stop:
        from coordinator.backtest import Backtest, BacktestOptions, Tally
        from coordinator.settings import warehouse_path

        place, tally = warehouse or warehouse_path(), Tally()
        options = BacktestOptions(config, bars, source, start, end, fill_model, strategies)
        test = Backtest(options)
        _play(test, tally, place, stop)
    (_tell_json if json else _tell)(test, tally, place)
    if tally.sessions < test.sessions:
        raise typer.Exit(INTERRUPTED)


def _play(test: Backtest, tally: Tally, place: Path | str, stop: StopSignals) -> None:
    """Plays the sessions until a stop is asked for; each is loaded before the next one begins."""
    with _progress(test) as advance:
        for session in test.play(advance, lambda: stop.asked):
            _load(session, place)
            tally.add(session)


def _load(session: PlayedSession, place: Path | str) -> None:
    from warehouse import LoadStatus, Store, load_session

    with Store.open(place, deadline_s=LOCK_DEADLINE_S, on_wait=complain) as store:
        result = load_session(store, session)
    if result.status is LoadStatus.INCOMPLETE:
        complain(f"Warning: {result.message}")


@contextmanager
def _progress(test: Backtest) -> Iterator[Advance]:
    """A bar on a terminal, with the rate and the time left; elsewhere nothing."""
    if not sys.stderr.isatty():
        yield lambda minutes: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.percentage:>3.0f}%"),
        BarColumn(),
        TextColumn("{task.completed:,.0f} of {task.total:,.0f} minutes"),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task("", total=test.minutes, rate="")

        def advance(minutes: int) -> None:
            shown.advance(task, minutes)
            speed = shown.tasks[0].speed
            shown.update(task, rate=f"{speed:,.0f} a second" if speed else "")

        yield advance


def _tell(test: Backtest, tally: Tally, place: Path | str) -> None:
    from cli.tables import print_table

    if tally.summary:
        typer.echo(tally.summary)
    print_table(
        ("Strategy", "Start equity", "End equity", "Net P&L", "Return", "Fees", "Fills"),
        [
            (
                one.strategy,
                f"{one.start_equity:,.2f}",
                f"{one.end_equity:,.2f}",
                f"{one.net_pnl:,.2f}",
                f"{one.return_pct:+.2%}",
                f"{one.fees:,.2f}",
                f"{one.fills:,}",
            )
            for one in tally.by_strategy.values()
        ],
        right=range(1, 7),
        title=f"{tally.sessions} of {test.sessions} sessions{_range(tally)}; fills: {test.model}.",
    )
    typer.echo(f"Account {test.account} in the warehouse {place}")


def _range(tally: Tally) -> str:
    return f", {tally.first} to {tally.last}" if tally.sessions else ""


def _tell_json(test: Backtest, tally: Tally, place: Path | str) -> None:
    import json

    from cli.tables import plain

    document: dict[str, object] = {
        "account": test.account,
        "mode": "backtest",
        "fill_model": test.model,
    }
    document |= tally.as_document() | {"warehouse": str(place)}
    typer.echo(json.dumps(document, default=plain, indent=2))
