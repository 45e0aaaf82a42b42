"""Prints tables, JSON and exact numbers on stdout for all commands."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table

_LEAST_TEXT = 6  # columns of a terminal that a text column keeps at least
NOT_A_TERMINAL_COLUMNS = 160  # a file or pipe has no width: lines are not wrapped there


def print_table(
    headings: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    right: Collection[int] = (),
    title: str = "",
    spare: Sequence[str] = (),
) -> Sequence[str]:
    """Print a table on stdout under its title; the columns `right` (of numbers) are right-aligned.

    A narrow terminal leaves out as many columns of `spare` as it must to keep the first column of
    texts whole, and these are returned. It wraps texts, that of the first column last, and drops
    the space between columns; if even the numbers do not fit, each cell has a line. No number loses
    a digit.
    """
    console = stdout()
    lines = [list(row) for row in rows]
    widest = [max(map(len, cells)) for cells in zip(headings, *lines, strict=True)]
    left_out = _left_out(headings, widest, right, spare, console.width)
    if left_out:
        kept = [at for at, heading in enumerate(headings) if heading not in left_out]
        headings, widest = [headings[at] for at in kept], [widest[at] for at in kept]
        lines = [[row[at] for at in kept] for row in lines]
        right = [new for new, at in enumerate(kept) if at in right]
    if title:
        console.print(title, markup=False)
    room = console.width - _least(widest, right)
    if sum(widest) + 3 * len(widest) - 1 <= console.width and _are_plain([headings, *lines]):
        _print_fitting(console, _without_rows(headings, right), lines, widest, right)
    elif room < 0:
        _print_cells(console, headings, lines)
    else:
        _print_wrapped(console, headings, lines, right, room)
    return left_out


def _left_out(
    headings: Sequence[str],
    widest: Sequence[int],
    right: Collection[int],
    spare: Sequence[str],
    width: int,
) -> Sequence[str]:
    """The first columns of `spare` without which the others fit beside whole names."""
    names = next((at for at in range(len(headings)) if at not in right), 0)
    needed = {
        heading: wide if at in right or at == names else min(wide, max(len(heading), _LEAST_TEXT))
        for at, (heading, wide) in enumerate(zip(headings, widest, strict=True))
    }
    for count in range(len(spare)):
        kept = [wide for heading, wide in needed.items() if heading not in spare[:count]]
        if sum(kept) + len(kept) + 1 <= width:
            return spare[:count]
    return spare


def _without_rows(headings: Sequence[str], right: Collection[int]) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for index, heading in enumerate(headings):
        if index in right:
            table.add_column(heading, justify="right", no_wrap=True)
        else:
            table.add_column(heading, overflow="fold")
    return table


def _print_fitting(
    console: Console,
    table: Table,
    rows: Iterable[Sequence[str]],
    widths: Sequence[int],
    right: Collection[int],
) -> None:
    """Print a table that needs no wrapping; `rich` draws all of it but the rows, of which there may
    be thousands."""
    for column, wide in zip(table.columns, widths, strict=True):
        column.min_width = wide
    with console.capture() as drawn:
        console.print(table)
    *head, foot = drawn.get().splitlines()
    body = (_line(row, widths, right) for row in rows)
    console.file.write("\n".join([*head, *body, foot, ""]))


def _print_wrapped(
    console: Console,
    headings: Sequence[str],
    rows: Sequence[Sequence[str]],
    right: Collection[int],
    room: int,
) -> None:
    """Print a table that `rich` wraps if it must; `room` is what is left beside the least width.

    The first column of texts stays whole if there is room for its longest word.
    """
    from rich.measure import Measurement
    from rich.text import Text

    table = _without_rows(headings, right)
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    unbounded = console.options.update(max_width=NOT_A_TERMINAL_COLUMNS)
    if Measurement.get(console, unbounded, table).maximum > console.width:
        table.padding = (0, 0)
        names = next(at for at in range(len(headings)) if at not in right)
        texts = [headings[names], *(row[names] for row in rows)]
        longest = max(len(word) for text in texts for word in text.split())
        if longest - _LEAST_TEXT <= room:
            table.columns[names].width = longest
    console.print(table)


def _print_cells(console: Console, headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print each cell on a line of its own, behind its heading."""
    wide = max(map(len, headings))
    for row in rows:
        for heading, cell in zip(headings, row, strict=True):
            console.print(f"{heading:<{wide}}  {cell}", markup=False)
        console.print()


def _are_plain(rows: Iterable[Sequence[str]]) -> bool:
    """Whether each character is one column wide and none breaks a line."""
    return all(text.isascii() and text.isprintable() for text in map("".join, rows))


def _line(row: Sequence[str], widths: Sequence[int], right: Collection[int]) -> str:
    """A row as `rich` draws it where nothing is wrapped, at a hundredth of the time."""
    cells = (
        cell.rjust(wide) if at in right else cell.ljust(wide)
        for at, (cell, wide) in enumerate(zip(row, widths, strict=True))
    )
    return f" {'   '.join(cells)} "


def _least(widest: Sequence[int], right: Collection[int]) -> int:
    """The least width in which the numbers fit, with a narrow column for each text."""
    needed = [wide if at in right else min(wide, _LEAST_TEXT) for at, wide in enumerate(widest)]
    return sum(needed) + len(needed) + 1


def show(thing: RenderableType) -> None:
    """Print a rich renderable on stdout."""
    stdout().print(thing)


def stdout() -> Console:
    """A console on stdout, wide enough to wrap nothing if that is no terminal."""
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=False)
    return (
        console if console.is_terminal else Console(highlight=False, width=NOT_A_TERMINAL_COLUMNS)
    )


def print_json(document: object) -> None:
    """Print a document as JSON on stdout; `plain` converts other types."""
    import json

    print(json.dumps(document, default=plain, indent=2))


def quantity(qty: Decimal) -> str:
    """A quantity without exponent and trailing zeros."""
    from coordinator.core.amounts import units

    return units(qty)


def utc_time(at: datetime) -> str:
    """'2026-03-17 13:30:00 UTC'."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def plain(value: object) -> object:
    """A JSON value for other types: strings for decimals (with all digits) and times, sorted lists
    for sets."""
    match value:
        case Decimal():
            return f"{value:f}"
        case frozenset():
            return sorted(value)
        case _:
            return str(value)
