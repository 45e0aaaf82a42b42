"""The progress bar of a backtest, and where its strategies' own output goes."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, redirect_stdout
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from coordinator.backtest import Advance

ROOMY = 70
"""Columns of a terminal from which on numbers stand beside the bar."""


def apart_from_output() -> AbstractContextManager[object]:
    """Within it, what strategies print goes to standard error: --json has its output to itself."""
    return redirect_stdout(sys.stderr)


@contextmanager
def progress(minutes: int) -> Iterator[Advance]:
    """A bar with the rate and the time left on a terminal; nothing elsewhere."""
    with apart_from_output():
        yield from _shown(minutes)


def _shown(minutes: int) -> Iterator[Advance]:
    if not sys.stderr.isatty():
        yield lambda minutes: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        SpinnerColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    numbers = (
        TextColumn("{task.completed:,.0f} of {task.total:,.0f} minutes"),
        TextColumn("{task.fields[rate]}"),
    )
    columns = (
        SpinnerColumn(),  # a sweep compiles and plays its first session before it reports a minute
        TextColumn("{task.percentage:>3.0f}%"),
        BarColumn(),
        *(numbers if console.width >= ROOMY else ()),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as shown:
        task = shown.add_task("", total=minutes, rate="")

        def advance(played: int) -> None:
            shown.advance(task, played)
            speed = shown.tasks[0].speed
            shown.update(task, rate=f"{speed:,.0f} a second" if speed else "")

        yield advance
