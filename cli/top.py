"""`multi-trader top`: shows the running sessions live in the terminal."""

from __future__ import annotations

import os
import sys
import threading
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.faults import plainly
from cli.operator import user
from cli.options import AccountNumber, CoordinatorName
from cli.signals import interrupt_on_sigterm
from cli.tables import print_json, stdout

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console
    from rich.live import Live

    from cli.keys import Keys
    from coordinator.commands.running import Answered, RunningCoordinators

REFRESH_S, DRAW_S = 1.0, 0.5
"""Local seconds between two requests, and the most between two frames."""
GONE = "No coordinator answers any more: this is the last that was heard."

Once = Annotated[bool, typer.Option("--once", help="Print one frame and end.")]
Json = Annotated[
    bool, typer.Option("--json", help="Print one snapshot as JSON: a list of sessions.")
]


@plainly
def top(
    account: AccountNumber = None,
    coordinator: CoordinatorName = None,
    once: Once = False,
    json: Json = False,
) -> None:
    """Watch the running sessions, live in the terminal.

    It refreshes every second and changes nothing. Keys: q quits; n e d p o t sort by name, equity,
    day P&L, positions, open orders, entries; r reverses the order; arrows and page keys
    scroll. Without a terminal it prints one frame. Exit 1 if no coordinator runs.

    \b
    Example:
      multi-trader top
    """
    from coordinator.commands.running import RunningCoordinators
    from coordinator.settings import home_folder

    which, by = RunningCoordinators(home_folder(), account, coordinator), user()
    answers = which.some_statuses(by)
    if json:
        print_json(_plain(answers))
    elif once or not (sys.stdin.isatty() and sys.stdout.isatty()):
        from cli.frame import Look, frame

        console = stdout()
        console.print(frame(answers, Look(), width=console.width).drawn)
    else:
        _watch(which, by, answers)


def _plain(answers: Sequence[Answered]) -> list[dict[str, Any]]:
    return [
        {
            **asdict(answer.reply.status),
            "answered_after_s": answer.after_s,
            "events": [asdict(event) for event in answer.reply.events],
        }
        for answer in answers
        if answer.reply.status is not None
    ]


class _Poller:
    """Asks the coordinators in a thread, so that a slow answer delays no key press."""

    def __init__(self, which: RunningCoordinators, by: str, first: Sequence[Answered]) -> None:
        self._which, self._by = which, by
        self._over = threading.Event()
        self.answers, self.note = first, ""

    def __enter__(self) -> _Poller:
        threading.Thread(target=self._ask, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()

    def _ask(self) -> None:
        while not self._over.wait(REFRESH_S):
            found = self._which.statuses(self._by)
            self.answers, self.note = (found, "") if found else (self.answers, GONE)


def _watch(which: RunningCoordinators, by: str, first: Sequence[Answered]) -> None:
    """Draw until the user quits, then restore the screen."""
    from rich.console import Console
    from rich.live import Live

    from cli.keys import keys_of

    interrupt_on_sigterm()
    console = Console(highlight=False)
    try:
        with (
            keys_of(sys.stdin.fileno()) as keys,
            _Poller(which, by, first) as poller,
            Live(console=console, screen=True, auto_refresh=False) as live,
        ):
            _draw(live, console, keys, poller)
    except KeyboardInterrupt:
        return  # Ctrl-C is a way to quit


def _draw(live: Live, console: Console, keys: Keys, poller: _Poller) -> None:
    from rich.console import ConsoleDimensions

    from cli.frame import Look, frame

    look = Look()
    while True:
        # Exported COLUMNS and LINES can be outdated: ask the terminal for its size.
        console.size = ConsoleDimensions(*os.get_terminal_size(sys.stdout.fileno()))
        width, height = console.size
        drawn = frame(poller.answers, look, width=width, height=height, note=poller.note)
        live.update(drawn.drawn, refresh=True)
        look = drawn.look
        for key in keys.wait(DRAW_S):
            if key == "q":
                return
            look = look.after(key, drawn.page)
