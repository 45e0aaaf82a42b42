"""Assembles the `multi-trader` command from its subcommands, each in its own module."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.backtest import backtest
from cli.command import Command
from cli.compare import compare
from cli.control import flatten, pause, resume
from cli.end_of_day import end_of_day
from cli.explain import explain
from cli.export import export
from cli.import_account import import_account
from cli.kill import kill, revive
from cli.new_strategy import new_strategy
from cli.reconcile import reconcile
from cli.reload import reload
from cli.report import report
from cli.run import run
from cli.simulator import simulator
from cli.sql import Question, sql
from cli.status import status
from cli.strategies import strategies
from cli.top import top
from cli.validate import validate

app = typer.Typer(
    name="multi-trader",
    no_args_is_help=True,
    rich_markup_mode=None,  # errors stay plain sentences that can be searched and piped
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for one in (
    *(run, validate, backtest, strategies, new_strategy),
    *(status, top, explain, pause, resume, flatten, reload, reconcile, kill, revive),
    *(import_account, end_of_day, sql, compare, report, export, simulator),
):
    app.command(cls=Question if one is sql else Command)(one)


def _show_version(wanted: bool) -> None:
    if not wanted:
        return
    from importlib import metadata

    try:
        version = metadata.version("multi-trader")
    except metadata.PackageNotFoundError:
        version = "(not installed: run from its source folder)"
    typer.echo(f"multi-trader {version}")
    raise typer.Exit


@app.callback()
def multi_trader(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Many trading strategies on one Alpaca account: one connection, and a book for each.

    Exit codes: 0 done; 2 wrong configuration, arguments or credentials, before any
    network call; 3 refused for safety; 1 anything else.

    \b
    Example:
      multi-trader run --simulate --config configs/multi_trader_simple.json
    """
