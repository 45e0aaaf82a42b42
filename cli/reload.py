"""`multi-trader reload`: shows a running session's edited configuration and applies it."""

from __future__ import annotations

from dataclasses import asdict
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from cli.faults import ANYTHING_ELSE, complain, plainly
from cli.logs import configure_logging
from cli.operator import agreed, user
from cli.options import AccountNumber, CoordinatorName, LogLevel
from cli.tables import print_json


class Remove(Enum):
    """What happens to the positions of removed strategies."""

    FLATTEN = "flatten"
    DORMANT = "dormant"


@plainly
def reload(
    config: Annotated[
        Path | None,
        typer.Option(
            "--config", metavar="FILE", help="This file instead of the one it started with."
        ),
    ] = None,
    remove: Annotated[
        Remove, typer.Option("--remove", help="Sell or keep the positions of removed strategies.")
    ] = Remove.DORMANT,
    yes: Annotated[bool, typer.Option("--yes", help="Apply it without a question.")] = False,
    account: AccountNumber = None,
    coordinator: CoordinatorName = None,
    json: Annotated[
        bool, typer.Option("--json", help="Print JSON; without --yes it only shows.")
    ] = False,
    log_level: LogLevel = "WARNING",
) -> None:
    """Apply an edited configuration to a running session.

    Shows what changes, and asks before it applies anything. The files of your own strategies are
    read again, too. Connections stay up; new strategies and new code are warmed up; removed
    strategies end their orders. Exit 1 if you say no, or if something is wrong: all problems are
    listed, those in code with file and line.

    \b
    Example:
      multi-trader reload --remove flatten
    """
    configure_logging(log_level)
    from coordinator.commands.reload import ReloadClient
    from coordinator.commands.running import RunningCoordinators
    from coordinator.settings import home_folder

    which = RunningCoordinators(home_folder(), account, coordinator)
    client = ReloadClient(which, user(), config, remove.value)
    answer = client.show()
    if answer.token and not yes and not json:
        typer.echo(answer.sentences())
        if not agreed("Let the session go on so?"):
            complain("Nothing was changed. --yes applies it without a question.")
            raise typer.Exit(ANYTHING_ELSE)
        answer = client.apply(answer)
        typer.echo(answer.said)
    else:
        answer = client.apply(answer) if answer.token and yes else answer
        if json:
            print_json(asdict(answer))
        else:
            typer.echo(answer.sentences())
    if not answer.done:
        raise typer.Exit(ANYTHING_ELSE)
