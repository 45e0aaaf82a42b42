"""Asks the user at the terminal a yes-or-no question."""

from __future__ import annotations

import typer


def agreed(question: str) -> bool:
    """The user's answer; Ctrl-C and a closed stdin are a no."""
    try:
        return typer.confirm(question)
    except typer.Abort:
        typer.echo()  # end the question's line
        return False
