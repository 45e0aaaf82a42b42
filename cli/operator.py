"""The user who runs a command: name, keys and state folder, and the answer to a question."""

from __future__ import annotations

import getpass
import os
from typing import TYPE_CHECKING

import typer

from cli.faults import complain

if TYPE_CHECKING:
    from coordinator.commands.accounts import Operator


def operator(clock_speed: float) -> Operator:
    """The user as an operator, with the environment's keys and state folder."""
    from coordinator.commands.accounts import Operator
    from coordinator.settings import home_folder

    return Operator(home_folder(), os.environ, user(), complain, clock_speed)


def user() -> str:
    """The user's name, as the journal records it."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"user {os.getuid()}"  # a container may have no user names


def agreed(question: str) -> bool:
    """The answer to a yes-or-no question; Ctrl-C and a closed stdin are a no."""
    try:
        return typer.confirm(question)
    except typer.Abort:
        typer.echo()  # end the question's line
        return False
