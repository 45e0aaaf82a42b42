"""Assembles the `multi-trader` command from its subcommands, each in its own module."""

from __future__ import annotations

import sys
from importlib import metadata
from typing import Annotated

import typer

from cli.backtest import backtest
from cli.compare import compare
from cli.control import flatten, pause, resume
from cli.end_of_day import end_of_day
from cli.explain import explain
from cli.export import export
from cli.faults import ANYTHING_ELSE, complain, sentence
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
for command in (
    *(run, validate, backtest, strategies, new_strategy),
    *(status, top, explain, pause, resume, flatten, reload, reconcile, kill, revive),
    *(import_account, end_of_day, sql, compare, report, export, simulator),
):
    app.command(cls=Question if command is sql else None)(command)


def _show_version(wanted: bool) -> None:
    if not wanted:
        return
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


def main() -> None:
    """Run the command in `sys.argv` and exit with its exit code."""
    from coordinator.private import keep_private

    keep_private()
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="replace")  # an unknown character must not lose the line
    try:
        app(prog_name="multi-trader")
    except OSError as error:  # help and version are printed outside of every command
        complain(sentence(error))
        sys.exit(ANYTHING_ELSE)


if __name__ == "__main__":
    main()
