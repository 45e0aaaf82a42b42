"""The day in Markdown, read from the warehouse: discrepancies first, then profit and loss."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from warehouse import LoadResult, Store
from warehouse.picture import session_picture
from warehouse.render import plain

_PNL = """
SELECT strategy, start_equity, end_equity, net_pnl, fees, fills
FROM pnl_daily WHERE session_id = ? ORDER BY strategy = 'UNASSIGNED', strategy
"""
_DISCREPANCIES = """
SELECT kind, symbol, strategy, ours, brokers, note
FROM discrepancies WHERE session_id = ? ORDER BY found_at
"""
_TOTAL = """
SELECT coalesce(sum(net_pnl) FILTER (strategy <> 'UNASSIGNED'), 0),
       (SELECT count(*) FROM discrepancies WHERE session_id = $1)
FROM pnl_daily WHERE session_id = $1
"""


@dataclass(frozen=True, slots=True)
class DayText:
    """A day as one line and as a page of Markdown."""

    headline: str
    text: str


def read_day(
    location: Path | str, results: Sequence[LoadResult], pages: Sequence[Path], cause: str = ""
) -> DayText:
    """The day of all `results`; `cause` is the load's cause. Raises the warehouse's errors."""
    said = [cause] if cause else []
    if not results:
        nothing = "The journals hold nothing new."
        return DayText(nothing, "\n\n".join([*said, nothing]))
    with Store.open_read_only(location) as store:
        headline = " ".join(_headline(store, result.session_id) for result in results)
        parts = [_session(store, result) for result in results]
    links = [f"- [{page.name}]({page.as_uri()}) at `{page}`" for page in pages]
    shown = ["### Reports\n" + "\n".join(links)] if links else []
    return DayText(headline, "\n\n".join([*said, *parts, *shown]))


def _headline(store: Store, session_id: str) -> str:
    row = store.connection.execute(_TOTAL, [session_id]).fetchone()
    assert row is not None, "an aggregate has one row"
    gain, differing = row
    wrong = f"{_discrepancies(differing)}, " if differing else ""
    return f"{session_id}: {wrong}{_dollars(gain)} dollars."


def _session(store: Store, result: LoadResult) -> str:
    name = [result.session_id]
    parts = [f"## {result.session_id}", result.message]
    discrepancies = store.connection.execute(_DISCREPANCIES, name).fetchall()
    if discrepancies:
        head = ["Kind", "Symbol", "Strategy", "Ours", "Broker's", "Note"]
        title = f"### {_discrepancies(len(discrepancies))}"
        parts += [title, _table(head, discrepancies, plain)]
    pnl = store.connection.execute(_PNL, name).fetchall()
    head = ["Strategy", "Start equity", "End equity", "Net P&L", "Fees", "Fills"]
    parts += ["### P&L", _table(head, pnl, _dollars)]
    if picture := session_picture(store, result.session_id):
        parts += ["### Gain within the session, dollars", _image(picture)]
    return "\n\n".join(parts)


def _image(svg: str) -> str:
    """A picture embedded in the Markdown, which Prefect's pages show without fetching anything."""
    return f"![equity](data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()})"


def _table(
    head: Sequence[str], rows: Sequence[Sequence[object]], amount: Callable[[Decimal], str]
) -> str:
    body = [[amount(v) if isinstance(v, Decimal) else _text(v) for v in row] for row in rows]
    numeric = [isinstance(value, Decimal | int) for value in rows[0]] if rows else []
    rule = ["---:" if right else "---" for right in numeric] or ["---"] * len(head)
    lines = [head, rule, *body]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _discrepancies(number: int) -> str:
    return f"{number} {'discrepancy' if number == 1 else 'discrepancies'}"


def _dollars(value: Decimal) -> str:
    return f"{value:z,.2f}"


def _text(value: object) -> str:
    return str("" if value is None else value).replace("|", "\\|").replace("\n", " ")
