"""Tables and exact numbers on stdout, the same from every command."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

_STRIP = 6
NOT_A_TERMINAL_COLUMNS = 160  # a file or pipe has no width: nothing is folded there


def print_table(
    headings: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    right: Collection[int] = (),
    title: str = "",
) -> None:
    """Prints a table on stdout under its title; the columns of numbers are `right`-aligned.

    A narrow terminal folds texts and takes the room between columns; one that is narrower than the
    numbers breaks the lines. No number loses a digit.
    """
    from rich import box
    from rich.measure import Measurement
    from rich.table import Table
    from rich.text import Text

    console = stdout()
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for index, heading in enumerate(headings):
        if index in right:
            table.add_column(heading, justify="right", no_wrap=True)
        else:
            table.add_column(heading, overflow="fold")
    lines = [list(row) for row in rows]
    for row in lines:
        table.add_row(*(Text(cell) for cell in row))
    unbounded = console.options.update(max_width=NOT_A_TERMINAL_COLUMNS)
    if Measurement.get(console, unbounded, table).maximum > console.width:
        table.padding = (0, 0)
    if title:
        console.print(title, markup=False)
    console.width = max(console.width, _least(headings, lines, right))
    console.print(table)


def _least(headings: Sequence[str], rows: Sequence[Sequence[str]], right: Collection[int]) -> int:
    """The columns of a terminal that the numbers need, beside a strip of each text."""
    widest = [max(map(len, cells)) for cells in zip(headings, *rows, strict=True)]
    needed = [wide if at in right else min(wide, _STRIP) for at, wide in enumerate(widest)]
    return sum(needed) + len(needed) + 1


def show(thing: RenderableType) -> None:
    """Prints anything of rich's on stdout."""
    stdout().print(thing)


def stdout() -> Console:
    """The terminal, or whatever stdout is, where nothing is folded that need not be."""
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=False)
    return (
        console if console.is_terminal else Console(highlight=False, width=NOT_A_TERMINAL_COLUMNS)
    )


def print_json(document: object) -> None:
    """Prints a document as JSON on stdout, what JSON has no word for as `plain` says it."""
    import json

    print(json.dumps(document, default=plain, indent=2))


def quantity(qty: Decimal) -> str:
    """Without an exponent or trailing zeros."""
    text = f"{qty:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def utc_time(at: datetime) -> str:
    """'2026-03-17 13:30:00 UTC'."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def plain(value: object) -> object:
    """What JSON has no word for: every digit of a decimal and a time as texts, a set as a list."""
    match value:
        case Decimal():
            return f"{value:f}"
        case frozenset():
            return sorted(value)
        case _:
            return str(value)
