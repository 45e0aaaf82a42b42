"""The session's chart as an SVG file, for places that show pictures but not pages.

It contains its colours and legend: such a place has neither our style sheet nor tooltips.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from warehouse.chart import COLOURS, HEIGHT, WIDTH, colour_class, line_chart
from warehouse.figures import read_lines
from warehouse.store import Store

_ROW, _NAME = 20, 24
"""Pixels from a name of the legend to the next below, and the letters that fit a quarter of it."""
_STYLE = (
    "text { font: 11px sans-serif; fill: #5b6575; } .grid { stroke: #d9dee6; } .at { fill: none; }"
    " .line { fill: none; stroke-width: 2; } .other { stroke: #a3abb8; fill: #a3abb8; }"
    " .line.other { fill: none; }"
) + "".join(
    f" .line.c{i} {{ stroke: #{ink}; }} .key.c{i} {{ fill: #{ink}; }}"
    for i, ink in enumerate(COLOURS)
)


def session_picture(store: Store, session_id: str) -> str:
    """Each strategy's gain within a session over time, as SVG; '' if there is nothing to draw."""
    lines = [line for line in read_lines(store, [session_id]).gains if line.points]
    if not lines:
        return ""
    drawn = line_chart(lines, "dollars").partition(">")[2].removesuffix("</svg>")
    names, more = [line.name for line in lines[: len(COLOURS)]], len(lines) - len(COLOURS)
    legend, rows = _legend([*names, f"{more} more"] if more > 0 else names)
    height = HEIGHT + _ROW * rows
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}"'
        f' viewBox="0 0 {WIDTH} {height}"><style>{_STYLE}</style>'
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>{drawn}{legend}</svg>'
    )


def _legend(names: Sequence[str]) -> tuple[str, int]:
    """The names with their colours, and the number of rows that they take."""
    columns = 4 if max(map(len, names)) <= _NAME else 2
    width, marks = WIDTH // columns, []
    for number, name in enumerate(names):
        x, y = 12 + width * (number % columns), HEIGHT + _ROW * (number // columns)
        marks.append(
            f'<rect class="key {colour_class(number)}" x="{x}" y="{y}" width="10" height="10"/>'
            f'<text x="{x + 15}" y="{y + 9}">{escape(name)}</text>'
        )
    return "".join(marks), -(-len(names) // columns)
