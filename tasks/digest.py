"""The day in Markdown, read back from the warehouse: what is wrong first, then what was earned."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path

from warehouse import LoadResult, Store

_PNL = """
SELECT strategy, start_equity, end_equity, net_pnl, fees, fills
FROM pnl_daily WHERE session_id = ? ORDER BY strategy = 'UNASSIGNED', strategy
"""
_DISCREPANCIES = """
SELECT kind, symbol, strategy, ours, brokers, note
FROM discrepancies WHERE session_id = ? ORDER BY found_at
"""


def day_markdown(location: Path, results: Sequence[LoadResult], pages: Sequence[Path]) -> str:
    """One Markdown text for all `results`; raises the warehouse's errors."""
    if not results:
        return "The journals hold nothing new."
    with Store.open_read_only(location) as store:
        parts = [_session(store, result) for result in results]
    links = [f"- `{page}`" for page in pages]
    return "\n\n".join([*parts, *(["### Pages\n" + "\n".join(links)] if links else [])])


def _session(store: Store, result: LoadResult) -> str:
    name = [result.session_id]
    parts = [f"## {result.session_id}", result.message]
    discrepancies = store.connection.execute(_DISCREPANCIES, name).fetchall()
    if discrepancies:
        head = ["Kind", "Symbol", "Strategy", "Ours", "Broker's", "Note"]
        parts += [f"### {len(discrepancies)} discrepancies", _table(head, discrepancies, _exact)]
    pnl = store.connection.execute(_PNL, name).fetchall()
    head = ["Strategy", "Start equity", "End equity", "Net P&L", "Fees", "Fills"]
    return "\n\n".join([*parts, "### P&L", _table(head, pnl, _dollars)])


def _table(
    head: Sequence[str], rows: Sequence[Sequence[object]], amount: Callable[[Decimal], str]
) -> str:
    body = [[amount(v) if isinstance(v, Decimal) else _text(v) for v in row] for row in rows]
    lines = [head, ["---"] * len(head), *body]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _dollars(value: Decimal) -> str:
    return f"{value:,.2f}"


def _exact(value: Decimal) -> str:
    return f"{value:f}".rstrip("0").rstrip(".") if "." in f"{value:f}" else f"{value:f}"


def _text(value: object) -> str:
    return str("" if value is None else value).replace("|", "\\|").replace("\n", " ")
