"""Line charts as inline SVG: no script, no network, colours from the page's style sheet.

The drawing scales with the page's width; every line carries its name as a tooltip.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from html import escape

WIDTH, HEIGHT = 720, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 12, 12, 28
_POINTS_MAX = 400
_COLOURS = 8


@dataclass(frozen=True, slots=True)
class Line:
    """One line: its name and its points, oldest first; the value's unit is the chart's."""

    name: str
    points: Sequence[tuple[datetime, float]]


@dataclass(frozen=True, slots=True)
class Mark:
    """A triangle on a chart: `kind` is buy (it points up) or sell (down)."""

    at: datetime
    value: float
    kind: str
    about: str


def line_chart(lines: Sequence[Line], unit: str, marks: Sequence[Mark] = ()) -> str:
    """An SVG of the lines over time (UTC). The first eight have colours, the others are grey.

    Lines without points are left out; without any point a sentence stands in the drawing's place.
    """
    if not any(line.points for line in lines) and not marks:
        return '<p class="quiet">Nothing to draw yet.</p>'
    times = [at for line in lines for at, _ in line.points] + [mark.at for mark in marks]
    values = [value for line in lines for _, value in line.points] + [m.value for m in marks]
    start, end = min(times), max(times)
    ticks = nice_ticks(min(values), max(values))
    scale = _Scale(start, max(end - start, timedelta(seconds=1)), ticks[0], ticks[-1])
    drawn = [_line(line, number, scale) for number, line in enumerate(lines) if line.points]
    label = f"{escape(unit)} over time, {len(lines)} lines"
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}">'
        + "".join(_value_tick(tick, scale) for tick in ticks)
        + "".join(_time_tick(start + (end - start) * i / 4, scale, i) for i in range(5))
        + "".join(reversed(drawn))  # the coloured ones on top
        + "".join(_mark(mark, scale) for mark in marks)
        + "</svg>"
    )


def colour_class(number: int) -> str:
    """The style of line `number`, counted from 0."""
    return f"c{number}" if number < _COLOURS else "other"


def nice_ticks(low: float, high: float) -> list[float]:
    """Four to eight round numbers that enclose low..high."""
    if low == high:
        low, high = low - 1, high + 1
    rough = (high - low) / 5
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= rough)
    first, last = math.floor(low / step), math.ceil(high / step)
    return [step * i for i in range(first, last + 1)]


@dataclass(frozen=True, slots=True)
class _Scale:
    start: datetime
    length: timedelta
    low: float
    high: float

    def x(self, at: datetime) -> float:
        return _LEFT + (at - self.start) / self.length * (WIDTH - _LEFT - _RIGHT)

    def y(self, value: float) -> float:
        part = (value - self.low) / (self.high - self.low)
        return HEIGHT - _BOTTOM - part * (HEIGHT - _TOP - _BOTTOM)


def _line(line: Line, number: int, scale: _Scale) -> str:
    points = " ".join(
        f"{scale.x(at):.1f},{scale.y(value):.1f}" for at, value in _stepped(_thin(line.points))
    )
    return (
        f'<polyline class="line {colour_class(number)}" points="{points}">'
        f"<title>{escape(line.name)}</title></polyline>"
    )


def _mark(mark: Mark, scale: _Scale) -> str:
    x, y = scale.x(mark.at), scale.y(mark.value)
    up = -1 if mark.kind == "buy" else 1
    return (
        f'<path class="mark {mark.kind}" d="M{x:.1f} {y:.1f}l-5 {-9 * up}h10z">'
        f"<title>{escape(mark.about)}</title></path>"
    )


def _thin(points: Sequence[tuple[datetime, float]]) -> list[tuple[datetime, float]]:
    """At most a few hundred points, the last one always among them."""
    stride = math.ceil(len(points) / _POINTS_MAX)
    return [*points[:-1:stride], points[-1]] if stride > 1 else list(points)


def _stepped(points: Sequence[tuple[datetime, float]]) -> Iterator[tuple[datetime, float]]:
    """A value holds until the next point: no row was written because nothing changed."""
    before: float | None = None
    for at, value in points:
        if before is not None and before != value:
            yield at, before
        yield at, value
        before = value


def _value_tick(value: float, scale: _Scale) -> str:
    y = scale.y(value)
    return (
        f'<line class="grid" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{value:,.6g}</text>'
    )


def _time_tick(at: datetime, scale: _Scale, number: int) -> str:
    anchor = "start" if number == 0 else "end" if number == 4 else "middle"
    text = at.strftime("%H:%M" if scale.length <= timedelta(days=2) else "%Y-%m-%d")
    half = ' class="half"' if number % 2 else ""  # too narrow a page shows every second one
    x = f"{scale.x(at):.1f}"
    return f'<text{half} x="{x}" y="{HEIGHT - 8}" text-anchor="{anchor}">{text}</text>'
