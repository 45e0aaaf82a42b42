"""Gains by day as a calendar, and by strategy and day as a grid; tints show their size."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from html import escape

WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
GRID_DAYS_MAX = 31

Gains = Mapping[date, float]
"""Dollars by day; days without a session are absent."""


def calendar(gains: Gains) -> str:
    """A row for each week that has a session, newest first; dollars in each cell.

    A week of two years stands in that of its last session.
    """
    if not gains:
        return '<p class="quiet">No day is over yet.</p>'
    most = max(map(abs, gains.values()))
    years = {day - timedelta(days=day.weekday()): day.year for day in sorted(gains)}
    rows = []
    for year, mondays in itertools.groupby(sorted(years, reverse=True), years.__getitem__):
        rows.append(f'<tr><th scope="colgroup" colspan="7">{year}</th></tr>')
        for monday in mondays:
            days = [monday + timedelta(days=i) for i in range(7)]
            rows.append("<tr>" + "".join(_day(day, gains, most) for day in days) + "</tr>")
    head = "".join(f'<th scope="col">{name}</th>' for name in WEEKDAYS)
    return f'<table class="days"><tr>{head}</tr>{"".join(rows)}</table>'


def strategy_grid(gains: Mapping[str, Gains], names: Sequence[str]) -> str:
    """A row for each strategy, a column for each of the last days; dollars in each cell."""
    days = sorted({day for each in gains.values() for day in each})[-GRID_DAYS_MAX:]
    if not days:
        return ""
    most = max(abs(gains[n][day]) for n in names for day in days if day in gains.get(n, {}))
    head = "".join(f'<th scope="col" class="number">{day:%m-%d}</th>' for day in days)
    rows = "".join(
        f'<tr><th scope="row">{escape(name)}</th>'
        + "".join(_cell(gains.get(name, {}).get(day), most, f"{name}, {day}") for day in days)
        + "</tr>"
        for name in names
    )
    head = f'<th scope="col">strategy</th>{head}'
    return f'<div class="scroll"><table><tr>{head}</tr>{rows}</table></div>'


def _day(day: date, gains: Gains, most: float) -> str:
    has_month = day.weekday() == 0 or day.day == 1
    number = f"<b>{day:%b} {day.day}</b>" if has_month else f"<b>{day.day}</b>"
    if day not in gains:
        return f"<td>{number}</td>"
    return f"<td{_shade(gains[day], most)}>{number}{_short(gains[day])}</td>"


def _cell(gain: float | None, most: float, about: str) -> str:
    if gain is None:
        return "<td></td>"
    shade = _shade(gain, most)
    return f'<td class="number"{shade} title="{escape(about)}">{_short(gain)}</td>'


def _shade(gain: float, most: float) -> str:
    """A tint by the square root of the share of the largest, so that small days differ too."""
    if not gain or not most:
        return ""
    part = 0.08 + 0.62 * math.sqrt(abs(gain) / most)
    return f' style="background: rgba(var(--{"gain" if gain > 0 else "loss"}), {part:.2f})"'


def _short(gain: float) -> str:
    size = abs(gain)
    if size >= 10_000:
        return f"{gain / 1000:+,.0f}k"
    return f"{gain:+,.0f}" if size >= 100 else f"{gain:+.2f}" if gain else "0"
