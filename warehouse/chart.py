"""Line charts as inline SVG: no script, no network, colours from the page's style sheet.

The drawing scales with the page's width. A line has its name as a tooltip, and each interval of
time the lines' values. Lines that are thinned out keep their peaks and troughs.
"""

from __future__ import annotations

import itertools
import math
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from html import escape

WIDTH, HEIGHT = 720, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 84, 12, 12, 28
_POINTS_MAX, _GREY_POINTS_MAX = 400, 120
COLOURS = ("2563eb", "c2410c", "15803d", "9333ea", "a88600", "0e7490", "be185d", "4d7c0f")
"""Of the first lines, on white; page.py has others for the dark."""
_INTERVALS_MAX, _VALUES_MAX = 60, 12
"""The most intervals with a tooltip of values, and the most values in each."""
_DUST = 1e-9
"""A value nearer to a grid line than this fraction of a step lies on it."""
_MONDAY = datetime(1970, 1, 5, tzinfo=UTC)
_STEPS = (
    *(timedelta(minutes=m) for m in (1, 2, 5, 10, 15, 30, 60, 120, 180, 240, 360, 720)),
    *(timedelta(days=d) for d in (1, 2, 7, 14, 28, 56)),
)
_STEPS_MAX = 8
"""The most steps of time across a drawing."""
_EDGE = 20
"""Within this distance of the right edge a time's text is right-aligned, not to be cut off."""
_LONG = timedelta(days=330)
"""Beyond this length there are only months to name: short, so that no texts overlap."""
TOGETHER = "all strategies"
"""The name of the line that sums the others, without UNASSIGNED."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line: its name and its points, oldest first; the value's unit is the chart's.

    A value `holds` until the next point, or the points are joined.
    """

    name: str
    points: Sequence[tuple[datetime, float]]
    holds: bool = True


@dataclass(frozen=True, slots=True)
class Mark:
    """A triangle on a chart, pointing up if `kind` is buy, or down if it is sell."""

    at: datetime
    value: float
    kind: str
    about: str


def line_chart(
    lines: Sequence[Line], unit: str, marks: Sequence[Mark] = (), together: Line | None = None
) -> str:
    """An SVG of the lines over time (UTC). The first eight have colours, the others are grey.

    `together` is drawn over them in the colour of the text. Lines without points are left out; if
    there is no point at all, the result is a sentence.
    """
    every = [*lines, together] if together else list(lines)
    if not any(line.points for line in every) and not marks:
        return '<p class="quiet">Nothing to draw yet.</p>'
    times = [at for line in every for at, _ in line.points] + [mark.at for mark in marks]
    values = [value for line in every for _, value in line.points] + [m.value for m in marks]
    start, end = min(times), max(times)
    ticks = nice_ticks(min(values), max(values))
    length, digits = max(end - start, timedelta(seconds=1)), _digits(ticks[1] - ticks[0])
    scale = _Scale(start, length, ticks[0], ticks[-1], digits)
    drawn = [
        _line(line, colour_class(number), scale) for number, line in enumerate(lines) if line.points
    ]
    if together and together.points:
        drawn.insert(0, _line(together, "all", scale))
    summed = ' class="summed"' if together else ""
    label = f"{escape(unit)} over time, {len(lines)} lines"
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}"{summed}>'
        + "".join(_value_tick(tick, scale) for tick in ticks)
        + "".join(_time_tick(at, scale, i) for i, at in enumerate(time_ticks(start, end)))
        + "".join(reversed(drawn))  # the coloured ones on top
        + "".join(_intervals([line for line in [together, *lines] if line], scale, unit))
        + "".join(_mark(mark, scale) for mark in marks)
        + "</svg>"
    )


def colour_class(number: int) -> str:
    """The CSS class of line `number`, counted from 0."""
    return f"c{number}" if number < len(COLOURS) else "other"


def nice_ticks(low: float, high: float) -> list[float]:
    """Four to eight round numbers that enclose low..high."""
    if low == high:
        low, high = low - 1, high + 1
    rough = (high - low) / 5 * (1 - _DUST)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= rough)
    # Float errors must not add a grid line: -1e-13 is drawn at zero.
    first, last = math.floor(low / step + _DUST), math.ceil(high / step - _DUST)
    return [step * i for i in range(first, last + 1)]


def _digits(step: float) -> int:
    """The decimals that tell grid lines apart."""
    return next((n for n in range(12) if abs(round(step, n) - step) < step * _DUST), 12)


def time_ticks(start: datetime, end: datetime) -> list[datetime]:
    """About five round times from `start` to `end`: of whole minutes, hours, days, weeks or months.

    Times are of UTC. The start alone if none lies between them.
    """
    if end - start > _LONG:
        return _months(start, end)
    step = next(step for step in _STEPS if step * _STEPS_MAX >= end - start)
    first = -((_MONDAY - start) // step)  # rounded up
    last = (end - _MONDAY) // step
    return [_MONDAY + step * i for i in range(first, last + 1)] or [start]


def _months(start: datetime, end: datetime) -> list[datetime]:
    """The beginnings of every third, sixth or twelfth month, or of every so many years."""
    before = start - timedelta(microseconds=1)  # a start may be the beginning of a month
    first, after = (12 * at.year + at.month for at in (before, end))  # months since the year 0
    steps = itertools.chain((3, 6), itertools.count(12, 12))
    step = next(step for step in steps if step * _STEPS_MAX >= after - first)
    months = range(-(-first // step) * step, after, step)
    return [datetime(month // 12, month % 12 + 1, 1, tzinfo=UTC) for month in months]


@dataclass(frozen=True, slots=True)
class _Scale:
    start: datetime
    length: timedelta
    low: float
    high: float
    digits: int
    """The decimals of the grid lines' values."""

    def x(self, at: datetime) -> float:
        return _LEFT + (at - self.start) / self.length * (WIDTH - _LEFT - _RIGHT)

    def y(self, value: float) -> float:
        part = (value - self.low) / (self.high - self.low)
        return HEIGHT - _BOTTOM - part * (HEIGHT - _TOP - _BOTTOM)


def _line(line: Line, colour: str, scale: _Scale) -> str:
    thin = _thin(line.points, _GREY_POINTS_MAX if colour == "other" else _POINTS_MAX)
    points = " ".join(
        f"{scale.x(at):.1f},{scale.y(value):.1f}"
        for at, value in (_stepped(thin) if line.holds else thin)
    )
    return (
        f'<polyline class="line {colour}" points="{points}">'
        f"<title>{escape(line.name)}</title></polyline>"
    )


def _mark(mark: Mark, scale: _Scale) -> str:
    x, y = scale.x(mark.at), scale.y(mark.value)
    up = -1 if mark.kind == "buy" else 1
    return (
        f'<path class="mark {mark.kind}" d="M{x:.1f} {y:.1f}l-5 {-9 * up}h10z">'
        f"<title>{escape(mark.about)}</title></path>"
    )


def _thin(points: Sequence[tuple[datetime, float]], most: int) -> list[tuple[datetime, float]]:
    """About `most` points: the first, the last, and the lowest and highest of each interval."""
    stride = math.ceil(2 * len(points) / most)
    if stride <= 2:
        return list(points)
    kept = {0, len(points) - 1}
    for first in range(0, len(points), stride):
        part = range(first, min(first + stride, len(points)))
        kept |= {min(part, key=lambda i: points[i][1]), max(part, key=lambda i: points[i][1])}
    return [points[i] for i in sorted(kept)]


def _intervals(lines: Sequence[Line], scale: _Scale, unit: str) -> Iterator[str]:
    """Intervals of time across the drawing, each with the lines' values as a tooltip."""
    stops = sorted({at for line in lines for at, _ in line.points})
    if len(stops) > _INTERVALS_MAX:
        step = scale.length / _INTERVALS_MAX
        stops = [scale.start + step * (i + 0.5) for i in range(_INTERVALS_MAX)]
    times = [[at for at, _ in line.points] for line in lines[:_VALUES_MAX]]
    borders = [(a + (b - a) / 2) for a, b in itertools.pairwise(stops)]
    ends = [*borders, scale.start + scale.length]
    left = scale.x(scale.start)
    for stop, end in zip(stops, ends, strict=bool(stops)):
        texts = [f"{stop:%Y-%m-%d %H:%M}, {unit}"]
        for line, its_times in zip(lines, times, strict=False):
            place = bisect_right(its_times, stop) - 1
            if place >= 0:
                value = line.points[place][1]
                texts.append(f"{line.name}: {value:z,.{scale.digits + 2}f}")
        right, title = scale.x(end), "&#10;".join(map(escape, texts))
        yield (
            f'<rect class="at" x="{left:.1f}" y="{_TOP}" width="{max(right - left, 0):.1f}" '
            f'height="{HEIGHT - _TOP - _BOTTOM}"><title>{title}</title></rect>'
        )
        left = right


def _stepped(points: Sequence[tuple[datetime, float]]) -> Iterator[tuple[datetime, float]]:
    """Draws steps: a value holds until the next point, since unchanged values have no row."""
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
        f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{value:z,.{scale.digits}f}</text>'
    )


def _time_tick(at: datetime, scale: _Scale, number: int) -> str:
    x = scale.x(at)
    anchor = "end" if x > WIDTH - _RIGHT - _EDGE else "middle"
    half = ' class="half"' if number % 2 else ""  # a narrow page hides every second one
    day = "%m-%d" if scale.length <= _LONG else "%Y-%m"
    text = at.strftime("%H:%M" if at.hour or at.minute else day)
    return f'<text{half} x="{x:.1f}" y="{HEIGHT - 8}" text-anchor="{anchor}">{text}</text>'
