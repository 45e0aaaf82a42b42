"""`multi-trader backtest`: plays recorded sessions through the live engine into the warehouse."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.faults import ANYTHING_ELSE, INTERRUPTED, complain, plainly
from cli.logs import configure_logging
from cli.options import (
    FillModel,
    LogLevel,
    SourceName,
    StrategiesDir,
    a_date,
    a_measure,
    a_number,
)
from cli.progress import progress
from cli.signals import StopSignals

if TYPE_CHECKING:
    from coordinator.backtest import Backtest, BacktestOptions, Tally
    from coordinator.config import CoordinatorConfig

STOPPING = "Stopping: the sessions that are over are kept. Press Ctrl-C again to leave at once."
SPARE = ("Start equity", "Fees", "Fills", "Sharpe", "Drawdown")
"""Columns that a narrow terminal leaves out, in this order."""
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
        "--start",
        parser=a_date,
        metavar="YYYY-MM-DD",
        help="First session; by default the file's first.",
    ),
]
End = Annotated[
    datetime.date | None,
    typer.Option(
        "--end",
        parser=a_date,
        metavar="YYYY-MM-DD",
        help="Last session; by default the file's last.",
    ),
]
WarehouseFile = Annotated[
    Path | None,
    typer.Option(
        "--warehouse",
        metavar="FILE",
        help="DuckDB file; by default the one that `multi-trader sql` reads.",
    ),
]

Keep = Annotated[
    int | None,
    typer.Option(
        "--keep",
        parser=a_number(0, 20_000),
        metavar="N",
        help="In a sweep: how many of the best variants keep their orders, fills, positions and"
        " equity.  [default: 10]",
        show_default=False,
    ),
]
By = Annotated[
    str | None,
    typer.Option(
        "--by",
        parser=a_measure,
        metavar="MEASURE",
        help="In a sweep: what makes a variant the best: net-pnl, return, sharpe, sortino or"
        " drawdown (the smallest).  [default: net-pnl]",
        show_default=False,
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
    keep: Keep = None,
    by: By = None,
    json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    log_level: LogLevel = "WARNING",
) -> None:
    """Test strategies on recorded bars with the live engine.

    Plays every session from --start to --end in order; books go on from one session to the next.
    Each finished session is loaded into the warehouse, with mode `backtest`. Ctrl-C keeps the
    finished sessions. Repeating a backtest replaces its own rows; any other backtest has an
    account of its own (BT-...). Exit 1 if a strategy failed.

    In a sweep, each variant is tested as if it were alone. The warehouse keeps the days and sums
    of all variants (v_sweep), and the orders, fills, positions and equity of the best: --keep says
    how many, --by what makes them the best.

    \b
    Example:
      multi-trader backtest --config configs/stocks_only.json --bars bars.parquet
    """
    configure_logging(log_level)
    with StopSignals(STOPPING, LEFT) as stop:
        from coordinator.backtest import BacktestOptions
        from coordinator.errors import OperatorError
        from coordinator.settings import warehouse_path

        place = warehouse or warehouse_path()
        options = BacktestOptions(config, bars, source, start, end, fill_model, strategies)
        read = options.read()
        if read.swept:
            from cli.sweep import sweep

            complete = sweep(options, read, place, stop, keep=keep, by=by, json=json)
        elif keep is not None or by is not None:
            raise OperatorError(f"--keep and --by rank a sweep's variants; {config} has no sweep.")
        else:
            complete = _test(options, read, place, stop, json=json)
    if not complete:
        raise typer.Exit(INTERRUPTED)


def _test(
    options: BacktestOptions,
    config: CoordinatorConfig,
    place: Path | str,
    stop: StopSignals,
    *,
    json: bool,
) -> bool:
    """Play and print a backtest; returns whether all sessions were played."""
    from coordinator.backtest import Backtest, Tally

    test, tally = Backtest(options, config=config), Tally()
    _play(test, tally, place, stop)
    (_print_json if json else _print)(test, tally, place)
    for warning in filter(None, (test.gaps, tally.leaps.warning)):
        complain(f"Warning: {warning}")
    for one in tally.failing.values():
        complain(f"Warning: {one.in_words(tally.sessions)}")
    complete = tally.sessions == test.sessions
    if complete and tally.failing:
        raise typer.Exit(ANYTHING_ELSE)
    return complete


def _play(test: Backtest, tally: Tally, place: Path | str, stop: StopSignals) -> None:
    """Play sessions until a stop is requested; each is loaded before the next one begins."""
    from cli.loading import load_played

    with progress(test.minutes) as advance:
        for session in test.play(advance, lambda: stop.requested):
            load_played(session, place)
            tally.add(session)


def _print(test: Backtest, tally: Tally, place: Path | str) -> None:
    from cli.tables import print_table
    from coordinator.settings import warehouse_path

    if tally.summary:
        typer.echo(tally.summary)
    risks = {} if tally.last is None else _risks(test.account, place, tally.last)
    left_out = print_table(
        ("Strategy", *SPARE[:1], "End equity", "Net P&L", "Return", *SPARE[1:]),
        [*_rows(tally, risks)],
        right=range(1, 9),
        title=f"{tally.sessions} of {test.sessions} sessions{_range(tally)}; fills: {test.model}.",
        spare=SPARE,
    )
    if left_out:
        typer.echo(f"This terminal is too narrow for {', '.join(left_out)}; the report has all.")
    typer.echo(f"Account {test.account} in the warehouse {place}")
    if tally.sessions and place == warehouse_path():
        typer.echo(f"Look at it: multi-trader report --account {test.account}")


def _rows(tally: Tally, risks: Mapping[str, tuple[str, str]]) -> Iterator[tuple[str, ...]]:
    """A row for each strategy, and below several the sums of all."""
    from coordinator.backtest.result import StrategyResult

    results = [*tally.by_strategy.values()]
    if len(results) > 1:
        names = ("start_equity", "end_equity", "net_pnl", "fees", "fills")
        sums = {name: sum(getattr(one, name) for one in results) for name in names}
        results.append(StrategyResult(f"All {len(results)}", **sums))
    for one in results:
        sharpe, drawdown = risks.get(one.strategy, ("-", "-"))
        yield (
            one.strategy,
            f"{one.start_equity:,.2f}",
            f"{one.end_equity:,.2f}",
            f"{one.net_pnl:z,.2f}",
            f"{one.return_pct:+z.2%}",
            f"{one.fees:,.2f}",
            f"{one.fills:,}",
            sharpe,
            drawdown,
        )


def _risks(account: str, place: Path | str, last: datetime.date) -> dict[str, tuple[str, str]]:
    """By strategy its Sharpe ratio and its largest drawdown, both from the ends of its days.

    Empty if an earlier run has brought the account days after the `last`: the ratios are of all.
    """
    from warehouse.queries import query

    asked = (
        "SELECT strategy, sharpe, max_drawdown FROM v_performance"
        " WHERE account = $1 AND last_date <= $2"
    )
    return {
        strategy: ("-" if sharpe is None else f"{sharpe:z.2f}", f"{drawdown:z.2%}")
        for strategy, sharpe, drawdown in query(place, asked, parameters=[account, last]).rows
    }


def _range(tally: Tally) -> str:
    return f", {tally.first} to {tally.last}" if tally.sessions else ""


def _print_json(test: Backtest, tally: Tally, place: Path | str) -> None:
    from cli.tables import print_json

    document: dict[str, object] = {
        "account": test.account,
        "mode": "backtest",
        "fill_model": test.model,
    }
    document |= tally.as_document() | {"warehouse": str(place)}
    print_json(document)
