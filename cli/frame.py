"""Draws one frame of `multi-trader top` from the coordinators' answers, fitted to a terminal.

A frame depends on its arguments alone; `cli/top.py` asks the coordinators and reads the keys.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from rich.console import (
    Console,
    ConsoleOptions,
    Group,
    JustifyMethod,
    RenderableType,
    RenderResult,
)
from rich.table import Table
from rich.text import Text

from cli.columns import COLUMNS, FIGURES, HELD, NAME, STATE, fitted
from cli.tables import quantity

if TYPE_CHECKING:
    from coordinator.commands.running import Answered, Event
    from coordinator.core.live_view import LiveView, StrategyView
    from coordinator.core.risk import Limits

MOST_SHOWN = 3
"""Coordinators with state lines of their own; the table has the strategies of all."""
MOST_EVENTS = 10
KEYS = "q quit  ↑↓ scroll  r turn  n name e equity d P&L p positions o orders t entries"
_UNFOLDED = 1_000
_LEVELS = {"WARNING": "yellow", "ERROR": "red", "CRITICAL": "red"}

Cell = tuple[str, str]
"""A text and its style."""


@dataclass(frozen=True, slots=True)
class Row:
    """One strategy of one coordinator."""

    view: StrategyView
    limits: Limits | None
    is_shadow: bool = False
    """Its book is simulated and counts in no sum."""

    @property
    def held(self) -> int:
        """The number of its open positions."""
        return sum(1 for qty in self.view.positions.values() if qty)


SORTS: Mapping[str, tuple[str, Callable[[Row], Any], bool]] = {
    "n": ("name", lambda row: row.view.name.lower(), False),
    "e": ("equity", lambda row: row.view.equity, True),
    "d": ("day P&L", lambda row: row.view.day_pnl, True),
    "p": ("positions", lambda row: row.held, True),
    "o": ("open orders", lambda row: row.view.open_orders, True),
    "t": ("entries", lambda row: row.view.daily_trades, True),
}
"""Sort orders by key: a name, the value to sort by, and whether the largest comes first."""


@dataclass(frozen=True, slots=True)
class Look:
    """How the table is shown: its sort key, whether that is reversed, and the first row shown."""

    by: str = "n"
    is_reversed: bool = False
    first: int = 0

    def after(self, key: str, page: int) -> Look:
        """The look after a key press, with `page` rows on the screen."""
        steps = {"up": -1, "k": -1, "down": 1, "j": 1, "page up": -page, "page down": page}
        if key in SORTS:
            return Look(key, self.is_reversed if key == self.by else False)
        if key == "r":
            return replace(self, is_reversed=not self.is_reversed, first=0)
        if key in ("home", "g"):
            return replace(self, first=0)
        if key in ("end", "G"):
            return replace(self, first=1_000_000)
        return replace(self, first=max(0, self.first + steps.get(key, 0)))

    def within(self, rows: int, page: int) -> Look:
        """The same look, scrolled no further than the last page."""
        return replace(self, first=min(self.first, max(0, rows - page)))

    def arranged(self, rows: Sequence[Row]) -> list[Row]:
        """The rows in order; equal ones are sorted by name."""
        _, value, largest_first = SORTS[self.by]
        by_name = sorted(rows, key=lambda row: row.view.name.lower())
        return sorted(by_name, key=value, reverse=largest_first is not self.is_reversed)


@dataclass(frozen=True, slots=True)
class Frame:
    """What is drawn, the number of table rows on a page, and the look within its limits."""

    drawn: RenderableType
    page: int
    look: Look


def frame(
    answers: Sequence[Answered],
    look: Look,
    *,
    width: int = _UNFOLDED,
    height: int | None = None,
    note: str = "",
) -> Frame:
    """A frame of at most `height` lines; without a height, all rows and no line of keys.

    The head is wrapped to `width` columns; other lines are truncated. `note` is a remark on the
    answers, shown below the head.
    """
    rows = [row for answer in answers for row in _rows(answer)]
    events = sorted((e for a in answers for e in a.reply.events), key=lambda event: event.at)
    top = [*_head(answers, rows, width), *([_line((note, "bold red"))] if note else [])]
    page, event_lines = len(rows), MOST_EVENTS
    if height is not None:
        room = max(height - len(top) - 4, 2)  # the table's two lines, the events' title, the keys
        page = min(len(rows), max(1, room - min(5, len(events), room // 3)))
        event_lines = max(0, min(MOST_EVENTS, room - page))
    look = look.within(len(rows), page)
    drawn: list[RenderableType] = [*top, _title(look, len(rows), page)]
    drawn.append(_Strategies(look.arranged(rows)[look.first : look.first + page]))
    drawn.append(_line(("Last events", "bold")))
    shown = min(event_lines, len(events))
    drawn += [_event(event) for event in events[len(events) - shown :]]
    if height is not None:
        drawn += [Text("")] * (event_lines - shown)
        drawn.append(_line((KEYS, "reverse")))
    return Frame(Group(*drawn), page, look)


def _rows(answer: Answered) -> Iterator[Row]:
    status = answer.reply.status
    if status is not None:
        for view in status.strategies:
            yield Row(view, status.limits.get(view.name))
        for view in status.shadows:
            yield Row(view, None, is_shadow=True)


def _head(answers: Sequence[Answered], rows: Sequence[Row], width: int) -> Iterator[Text]:
    """The coordinators, and the sums over all strategies except shadows."""
    rows = [row for row in rows if not row.is_shadow]
    for answer in answers[:MOST_SHOWN]:
        if answer.reply.status is not None:
            yield from _coordinator(answer.reply.status, answer.after_s, width)
    if len(answers) > MOST_SHOWN:
        others = ", ".join(answer.coordinator for answer in answers[MOST_SHOWN:])
        yield _line((f"and {len(answers) - MOST_SHOWN} more: {others}", "dim"))
    equity = sum((row.view.equity for row in rows), Decimal(0))
    day = sum((row.view.day_pnl for row in rows), Decimal(0))
    held, orders = sum(row.held for row in rows), sum(row.view.open_orders for row in rows)
    sums = [
        Text(f"Equity {equity:,.2f}"),
        Text.assemble("Day P&L ", _signed(day)),
        Text(f"Positions {held}"),
        Text(f"Open orders {orders}"),
    ]
    yield from _folded(sums, "   ", width)


def _coordinator(view: LiveView, after_s: float, width: int) -> Iterator[Text]:
    """A coordinator's clock and streams, and what keeps all its strategies from buying."""
    ends = f"{_clock(view.at)} UTC, closes {_clock(view.closes_at)[:5]}"
    who = [Text(view.coordinator, "bold"), Text(view.account), Text(view.mode), Text(ends)]
    yield from _folded(who, "  ", width)
    age_s = (view.at - view.last_bar).total_seconds() if view.last_bar else None
    bar = "no bar yet" if age_s is None else f"last bar {age_s:.0f} s ago"
    pace = (f"lag {view.lag_s * 1000:.0f} ms", f"answer {after_s * 1000:.0f} ms")
    yield from _folded([*_streams(view.streams), *map(Text, (bar, *pace))], "; ", width)
    if view.killed:
        yield _line(("KILLED: nothing is bought until `multi-trader revive`", "bold red"))
    if view.frozen:
        notes = "; ".join(view.frozen.values())
        yield _line((f"FROZEN: {notes}", "bold red"))
    if view.blind:
        yield _line((f"BLIND: no bars come of {', '.join(sorted(view.blind))}", "bold yellow"))


def _streams(states: Mapping[str, str]) -> Iterator[Text]:
    """The streams by state; those that are not live come first."""
    for state in sorted(set(states.values()), key=lambda state: state == "live"):
        names = ", ".join(name for name, theirs in states.items() if theirs == state)
        yield Text(f"{state}: {names}", "green" if state == "live" else "bold red")


def _title(look: Look, rows: int, page: int) -> Text:
    by, _, _ = SORTS[look.by]
    seen = f"{look.first + 1}-{min(look.first + page, rows)} of {rows}" if rows else "none"
    turned = ", turned" if look.is_reversed else ""
    return _line(("Strategies ", "bold"), (f"{seen}, by {by}{turned}", "dim"))


@dataclass(frozen=True, slots=True)
class _Strategies:
    """The table of strategies, with the columns that fit the terminal."""

    rows: Sequence[Row]

    def __rich_console__(self, _: Console, options: ConsoleOptions) -> RenderResult:
        cells = [dict(zip(COLUMNS, _cells(row), strict=True)) for row in self.rows]
        longest = {
            name: max((len(row[name][0]) for row in cells), default=0)
            for name in (NAME, HELD, STATE)
        }
        widths = fitted(longest, options.max_width)
        table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False)
        table.header_style = "bold underline"
        for name, width in widths.items():
            justify: JustifyMethod = "right" if name in FIGURES else "left"
            table.add_column(name, width=width, justify=justify, no_wrap=True, overflow="ellipsis")
        for row in cells:
            table.add_row(*(Text(*row[name]) for name in widths))
        yield table


def _cells(row: Row) -> Iterator[Cell]:
    view, limits = row.view, row.limits
    yield view.name, ""
    yield _dollars(view.equity), ""
    yield _signed(view.day_pnl)
    held = [f"{_short(qty)} {name}" for name, qty in view.positions.items() if qty]
    yield ", ".join(held) or "-", ""
    yield str(view.open_orders), "bold" if view.open_orders else ""
    most = limits.max_daily_trades if limits else None
    is_spent = most is not None and view.daily_trades >= most
    entries = f"{view.daily_trades}/{most}" if most is not None else str(view.daily_trades)
    yield entries, "yellow" if is_spent else ""
    yield _loss(view, limits)
    yield ("shadow", "dim") if row.is_shadow and not view.stopped else _state(view)


def _loss(view: StrategyView, limits: Limits | None) -> Cell:
    """The used share of the day's permitted loss."""
    most = limits.max_daily_loss if limits else None
    if most is None:
        return "-", ""
    share = max(Decimal(0), -view.day_pnl / most)
    return f"{100 * share:.0f}%", "red" if share >= 1 else "yellow" if share >= Decimal(
        "0.8"
    ) else ""


def _state(view: StrategyView) -> Cell:
    """What keeps the strategy from buying; to save room, only the reason of a stop is shown."""
    if view.stopped:
        return view.stopped, "red"
    return (view.halted, "yellow") if view.halted else ("", "")


def _event(event: Event) -> Text:
    style = _LEVELS.get(event.level, "")
    return _line((f"{_clock(event.at)} ", "dim"), (event.said.replace("\n", " "), style))


def _folded(parts: Sequence[Text], between: str, width: int) -> Iterator[Text]:
    """The parts wrapped to lines of `width` columns; no part is split."""
    line: list[Text] = []
    for part in parts:
        if line and len(Text(between).join([*line, part])) > width:
            yield _truncated(Text(between).join(line))
            line = []
        line.append(part)
    yield _truncated(Text(between).join(line))


def _truncated(line: Text) -> Text:
    line.no_wrap, line.overflow = True, "ellipsis"
    return line


def _line(*parts: Cell) -> Text:
    return Text.assemble(*parts, no_wrap=True, overflow="ellipsis")


def _signed(amount: Decimal) -> Cell:
    amount = round(amount, 2)
    style = "green" if amount > 0 else "red" if amount < 0 else ""
    text = _dollars(amount)
    return (f"+{text}" if amount > 0 else text), style


def _dollars(amount: Decimal) -> str:
    """Dollars with cents, or without them from a million on."""
    return f"{amount:z,.2f}" if abs(amount) < 1_000_000 else f"{amount:,.0f}"


def _short(qty: Decimal) -> str:
    """A quantity in at most six significant digits."""
    return quantity(Decimal(f"{qty:.6g}"))


def _clock(at: datetime) -> str:
    return f"{at.astimezone(UTC):%H:%M:%S}"
