"""Turns an exception into one sentence on stderr and an exit code.

0 done; 2 wrong configuration, arguments or credentials; 3 refused for safety; 1 anything else. A
traceback is shown only at log level DEBUG.
"""

from __future__ import annotations

import errno
import functools
import logging
import os
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec

import typer

P = ParamSpec("P")

OPERATORS_FAULT = 2
ANYTHING_ELSE = 1
INTERRUPTED = 130  # the shell's code for a command that Ctrl-C ended

log = logging.getLogger("cli")


def plainly(command: Callable[P, None]) -> Callable[P, None]:
    """Wrap a command so that an error ends it with a sentence and the right exit code."""

    @functools.wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except (typer.Exit, BrokenPipeError):
            raise  # the command ended by itself, or a reader such as `head` closed the pipe
        except KeyboardInterrupt:
            complain("Interrupted. Nothing is lost: the journal keeps every session.")
            raise typer.Exit(INTERRUPTED) from None
        except Exception as error:
            complain(sentence(error))
            log.debug("Where it happened:", exc_info=error)
            raise typer.Exit(exit_code(error)) from None

    return wrapped


def complain(text: str) -> None:
    """Print the text on stderr."""
    typer.echo(text, err=True)


def exit_code(error: Exception) -> int:
    """The exit code for an error."""
    if isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG:
        return OPERATORS_FAULT
    match _our_package(error):
        case "coordinator":
            from coordinator.errors import MultiTraderError

            return error.exit_code if isinstance(error, MultiTraderError) else ANYTHING_ELSE
        case "simulator":
            from simulator.errors import FeedError, OptionsError

            return OPERATORS_FAULT if isinstance(error, FeedError | OptionsError) else ANYTHING_ELSE
        case "warehouse":
            from warehouse.errors import ExportRefused, NothingToCompare, QueryFailed, QueryRefused

            wrong = QueryFailed | QueryRefused | NothingToCompare | ExportRefused
            return OPERATORS_FAULT if isinstance(error, wrong) else ANYTHING_ELSE
    return ANYTHING_ELSE


def sentence(error: Exception) -> str:
    """What to tell the user: the error's own message if this program raised it on purpose."""
    if isinstance(error, OSError) and error.filename is not None:
        return f"Error: {error.filename}: {error.strerror}.{_where_state_can_be(error)}"
    for full in map(os.strerror, (errno.ENOSPC, errno.EDQUOT)):
        if _our_package(error) is None and full in str(error):  # DuckDB's errors have no number
            return f"Error: {full}: make room where the output goes, and where state lies."
    if _our_package(error) is None or type(error).__name__ == "InvariantError":
        return _unforeseen(error)
    return f"Error: {error}"


def _where_state_can_be(error: OSError) -> str:
    """What to do if the state folder takes nothing; empty if the error is about another place."""
    from coordinator.settings import home_folder

    home, place = home_folder().absolute(), Path(os.fsdecode(error.filename)).absolute()
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS) and home in (place, *place.parents):
        return " State lies there: name a folder that you can write to by MULTI_TRADER_HOME."
    return ""


def _our_package(error: Exception) -> str | None:
    """The package of ours that defines the error, told by name to avoid imports; None if none."""
    package = type(error).__module__.partition(".")[0]
    return package if package in ("coordinator", "simulator", "warehouse") else None


def _unforeseen(error: Exception) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    place = f"{frames[-1].filename}, line {frames[-1].lineno}" if frames else "no place known"
    words = str(error) or "no further words"
    return (
        f"Error in Multi-Trader itself: {type(error).__name__}: {words} ({place}). "
        "The journal keeps every session; repeat with --log-level DEBUG for the whole story, "
        "and please report it."
    )
