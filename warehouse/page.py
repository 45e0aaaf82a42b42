"""A self-contained page of HTML: style, tables, and the frame around them.

No script, no network; it follows the reader's light or dark theme, and wide parts scroll in their
own boxes, so that the page itself never scrolls sideways on a phone.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from html import escape

from warehouse.chart import COLOURS, Line, colour_class
from warehouse.queries import QueryResult
from warehouse.render import plain

_OPEN_MAX = 60
"""A table with more rows is folded."""
_DOLLARS = frozenset(
    {
        *("net_pnl", "start_equity", "end_equity", "transfers", "realized", "unrealized", "fees"),
        *("market_value", "cost", "best", "worst"),
    }
)

_PRICES = frozenset({"price", "mark_price"})

STYLE = """
:root { color-scheme: light dark; --ink: #1c2330; --quiet: #5b6575; --paper: #fff; --rule: #d9dee6;
  --good: #17703c; --bad: #b3261e; --warn: #fff1d6; --other: #a3abb8;
  --gain: 23, 140, 70; --loss: 200, 40, 30; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ef; --quiet: #9aa4b5; --paper: #12161d;
  --rule: #2c3340; --good: #63d391; --bad: #ff8a80; --warn: #4a3510; --c0: #7aa7ff; --c1: #ff9a62;
  --c2: #6ddc8f; --c3: #cf9bff; --c4: #f4e04d; --c5: #5fd0e6; --c6: #ff8ac0; --c7: #b5d95c;
  --other: #566074; --gain: 70, 200, 120; --loss: 255, 100, 90; } }
body { font: 16px/1.45 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  margin: 0 auto; max-width: 70rem; padding: 1rem; }
h1 { font-size: 1.4rem; margin: 0; } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
h3 { font-size: .95rem; margin: 1rem 0 .2rem; }
.quiet { color: var(--quiet); } .warn { background: var(--warn); padding: .6rem .8rem; }
.scroll { overflow-x: auto; background:
  linear-gradient(to right, var(--paper) 40%, transparent) left / 2rem 100% no-repeat local,
  linear-gradient(to left, var(--paper) 40%, transparent) right / 2rem 100% no-repeat local,
  linear-gradient(to right, var(--rule), transparent) left / .8rem 100% no-repeat scroll,
  linear-gradient(to left, var(--rule), transparent) right / .8rem 100% no-repeat scroll; }
table { border-collapse: collapse; font-size: .85rem; width: 100%; }
th, td { padding: .3rem .4rem; border-bottom: 1px solid var(--rule); text-align: left;
  white-space: nowrap; } td.wide { white-space: normal; min-width: 16rem; }
th[scope=row] { font-weight: inherit; }
summary { cursor: pointer; color: var(--quiet); }
.number { text-align: right; font-variant-numeric: tabular-nums; }
.good { color: var(--good); } .bad { color: var(--bad); }
svg { width: 100%; height: auto; display: block; overflow: visible; }
svg text { font-size: 11px; fill: var(--quiet); }
@media (max-width: 500px) { svg text { font-size: 19px; } svg text.half { display: none; } }
.at { fill: transparent; } .at:hover { fill: var(--rule); fill-opacity: .5; }
.line.all { stroke: var(--ink); stroke-width: 2.5; } .key.all { background: var(--ink); }
.grid { stroke: var(--rule); } .line { fill: none; stroke-width: 2; stroke: var(--other); }
.line.other { stroke-width: 1; } .summed .line:not(.all) { opacity: .6; }
.key { display: inline-block; width: .8em; height: .8em;
  margin-right: .4em; background: var(--other); }
.legend { font-size: .85rem; display: flex; flex-wrap: wrap; gap: .2rem 1rem; }
.mark.buy { fill: var(--good); } .mark.sell { fill: var(--bad); }
.mark { stroke: var(--paper); stroke-width: 1; }
.days { table-layout: fixed; } .days td, .days th { border: 1px solid var(--paper);
  padding: .2rem; text-align: center; font-size: .75rem; overflow: hidden; }
.days b { display: block; font-weight: 400; color: var(--quiet); font-size: .65rem; }
.days td[style] b { color: inherit; }
""" + "".join(
    f".line.c{i} {{ stroke: {ink}; }} .key.c{i} {{ background: {ink}; }}\n"
    for i, ink in enumerate(f"var(--c{i}, #{light})" for i, light in enumerate(COLOURS))
)


def page(title: str, parts: Sequence[str]) -> str:
    """The whole file's text."""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<link rel="icon" href="data:,"><title>{escape(title)}</title><style>{STYLE}</style>'
        f"</head><body>{''.join(parts)}</body></html>\n"
    )


def heading(title: str, facts: str) -> str:
    """The page's headline, with facts in small print."""
    return f'<h1>{escape(title)}</h1><p class="quiet">{escape(facts)}</p>'


def moment(at: datetime) -> str:
    """A time as the page shows it, to the second; the heading says that times are UTC."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def cents(amount: str) -> str:
    """A price with at least two decimals: 711.4 is 711.40."""
    whole, _, part = amount.partition(".")
    return f"{whole}.{part:0<2}"


def section(title: str, result: QueryResult, empty: str) -> str:
    """A table under its heading, or a sentence if it is empty."""
    body = table(result) if result.rows else f'<p class="quiet">{escape(empty)}</p>'
    return f"<h2>{escape(title)}</h2>{folded(body, len(result.rows))}"


def folded(body: str, rows: int) -> str:
    """A table of so many rows; to be opened first if they are many."""
    if rows <= _OPEN_MAX:
        return body
    return f"<details><summary>Show {rows} rows</summary>{body}</details>"


def legend(lines: Sequence[Line], together: Line | None = None) -> str:
    """The legend of the coloured lines, with the number of the others."""
    sums = (
        [f'<span><span class="key all"></span>{escape(together.name)}</span>'] if together else []
    )
    keys = [
        f'<span><span class="key {colour_class(number)}"></span>{escape(line.name)}</span>'
        for number, line in enumerate(lines)
        if colour_class(number) != "other"
    ]
    more = len(lines) - len(keys)
    others = [f'<span><span class="key other"></span>{more} more</span>'] if more else []
    return f'<div class="legend">{"".join([*sums, *keys, *others])}</div>'


def table(result: QueryResult, keyed: Sequence[str] = ()) -> str:
    """A table; strategies among `keyed` get the colour of their line."""
    columns = list(zip(*result.rows, strict=True)) or [()] * len(result.columns)
    head = "".join(map(_heading, result.columns, columns))
    body = "".join(
        "<tr>" + "".join(map(_cell, result.columns, row, [keyed] * len(row))) + "</tr>"
        for row in result.rows
    )
    return f'<div class="scroll"><table><tr>{head}</tr>{body}</table></div>'


def _heading(column: str, values: Sequence[object]) -> str:
    number = any(isinstance(value, Decimal | int | float) for value in values)
    style = ' class="number"' if number else ""
    return f'<th scope="col"{style}>{escape(column.replace("_", " "))}</th>'


def _cell(column: str, value: object, keyed: Sequence[str]) -> str:
    text, style = "" if value is None else plain(value), ""
    if isinstance(value, Decimal | int | float):
        style = "number"
        if column in ("net_pnl", "return"):
            style += " good" if value > 0 else " bad" if value < 0 else ""
    if isinstance(value, Decimal) and column in _DOLLARS:
        text = f"{value:z,.2f}"
    if isinstance(value, Decimal) and column in _PRICES:
        text = cents(text)
    if isinstance(value, datetime):
        text = moment(value)
    if isinstance(value, float):
        text = (
            f"{value:z.2%}" if column in ("return", "max_drawdown", "exposure") else f"{value:z.2f}"
        )
    if column == "note":
        style = "wide"
    key = ""
    if column == "strategy" and value in keyed:
        key = f'<span class="key {colour_class(keyed.index(str(value)))}"></span>'
    return f'<td class="{style}">{key}{escape(text)}</td>'
