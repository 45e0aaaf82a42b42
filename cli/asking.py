"""A question to whoever sits at the terminal."""

from __future__ import annotations

import typer


def agreed(question: str) -> bool:
    """The human's word; Ctrl-C, or nobody there to ask, is a no."""
    try:
        return typer.confirm(question)
    except typer.Abort:
        typer.echo()  # the question's line has no end yet
        return False
