"""The session's report: one self-contained HTML file, read from the warehouse and nothing else.

What is wrong comes first: refused rows and discrepancies before any profit. The page needs no
network, follows the reader's light or dark theme, and its tables scroll on a phone.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from html import escape
from pathlib import Path
from typing import Any

from warehouse.chart import Line, colour_class, line_chart
from warehouse.errors import WarehouseMissing
from warehouse.queries import QueryResult, ask
from warehouse.render import plain
from warehouse.store import Store, private_files

_FILLS_MAX = 500
_STYLE = """
:root { color-scheme: light dark; --ink: #1c2330; --quiet: #5b6575; --paper: #fff; --rule: #d9dee6;
  --good: #17703c; --bad: #b3261e; --warn: #fff1d6; --c0: #2563eb; --c1: #c2410c; --c2: #15803d;
  --c3: #9333ea; --c4: #b45309; --c5: #0e7490; --c6: #be185d; --c7: #4d7c0f; --other: #a3abb8; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ef; --quiet: #9aa4b5; --paper: #12161d;
  --rule: #2c3340; --good: #63d391; --bad: #ff8a80; --warn: #4a3510; --c0: #7aa7ff; --c1: #ff9a62;
  --c2: #6ddc8f; --c3: #cf9bff; --c4: #f2b84b; --c5: #5fd0e6; --c6: #ff8ac0; --c7: #b5d95c;
  --other: #566074; } }
body { font: 16px/1.45 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  margin: 0 auto; max-width: 60rem; padding: 1rem; }
h1 { font-size: 1.4rem; margin: 0; } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
.quiet { color: var(--quiet); } .warn { background: var(--warn); padding: .6rem .8rem; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; font-size: .9rem; width: 100%; }
th, td { padding: .3rem .6rem; border-bottom: 1px solid var(--rule); text-align: left;
  white-space: nowrap; } td.wide { white-space: normal; }
.number { text-align: right; font-variant-numeric: tabular-nums; }
.good { color: var(--good); } .bad { color: var(--bad); }
svg { width: 100%; height: auto; } svg text { font-size: 11px; fill: var(--quiet); }
.grid { stroke: var(--rule); } .line { fill: none; stroke-width: 2; stroke: var(--other); }
.line.other { stroke-width: 1; } .key { display: inline-block; width: .8em; height: .8em;
  margin-right: .4em; background: var(--other); }
""" + "".join(
    f".line.c{i} {{ stroke: var(--c{i}); }} .key.c{i} {{ background: var(--c{i}); }}\n"
    for i in range(8)
)
_SESSION = """
    SELECT session_id, coordinator, account, mode, session_date, opened_at, closed_at, status,
           (SELECT params->>'fill_model' FROM strategies AS s
            WHERE s.session_id = sessions.session_id AND s.strategy = 'UNASSIGNED') AS fill_model
    FROM sessions WHERE $1::TEXT IS NULL OR session_id = $1
    ORDER BY opened_at DESC, session_id DESC LIMIT 1
"""
_QUARANTINE = "SELECT reason FROM quarantine WHERE session_id = ? ORDER BY reason LIMIT 50"
_DISCREPANCIES = """
    SELECT found_at, kind, symbol, strategy, ours, brokers, note FROM discrepancies
    WHERE session_id = ? ORDER BY found_at
"""
_PNL = """
    SELECT strategy, round(start_equity, 2) AS start_equity, round(end_equity, 2) AS end_equity,
           round(transfers, 2) AS transfers, round(realized_pnl, 2) AS realized,
           round(unrealized_change, 2) AS unrealized, round(fees, 2) AS fees,
           round(net_pnl, 2) AS net_pnl, return_pct AS "return", max_drawdown, fills
    FROM pnl_daily WHERE session_id = ?
    ORDER BY strategy = 'UNASSIGNED', abs(net_pnl) DESC, strategy
"""
_EQUITY = """
    SELECT e.strategy, e.ts, (e.equity - p.start_equity - p.transfers)::DOUBLE
    FROM equity AS e JOIN pnl_daily AS p USING (session_id, strategy)
    WHERE session_id = ? AND strategy <> 'UNASSIGNED' ORDER BY e.ts
"""
_HELD = """
    SELECT strategy, symbol, qty, round(mark_price, 4) AS mark_price,
           round(market_value, 2) AS market_value, exposure
    FROM v_exposure WHERE session_id = ? AND symbol IS NOT NULL ORDER BY strategy, symbol
"""
_SLIPPAGE = """
    SELECT strategy, count(*) AS executions,
           round(sum(slippage_bps * abs(qty * 1.0::DOUBLE) * price) / sum(abs(qty * 1.0::DOUBLE)
               * price), 2) AS mean_bps, round(sum(slippage_cost), 2) AS cost
    FROM v_slippage WHERE session_id = ? GROUP BY strategy ORDER BY cost DESC
"""
_TRIPS = """
    SELECT strategy, count(*) AS round_trips, count(*) FILTER (net_pnl > 0) AS won,
           round(sum(net_pnl), 2) AS net_pnl, round(max(net_pnl), 2) AS best,
           round(min(net_pnl), 2) AS worst
    FROM v_round_trips WHERE session_id = ? GROUP BY strategy ORDER BY net_pnl DESC
"""
_FILLS = """
    SELECT filled_at, strategy, symbol, side, qty, price, fee FROM fills WHERE session_id = ?
    ORDER BY filled_at DESC, execution_id LIMIT 500
"""


def write_report(location: str | Path, session_id: str | None, path: str | Path) -> Path:
    """Writes the report of a session (None: the latest one) to `path` (mode 600); returns it.

    Raises WarehouseMissing if there is no such session, and what Store.open_read_only raises.
    """
    with Store.open_read_only(location) as store:
        page = render_report(store, session_id)
    target = Path(path)
    with private_files():
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(target.name + ".partial")
        partial.write_text(page, encoding="utf-8")
        partial.replace(target)
    return target


def render_report(store: Store, session_id: str | None) -> str:
    """The report as one HTML text; see write_report."""
    found = ask(store, _SESSION, [session_id])
    if not found.rows:
        wanted = f"session {session_id!r}" if session_id else "any session"
        raise WarehouseMissing(
            f"The warehouse {store.location} does not hold {wanted}. See what it holds with "
            '`multi-trader sql "FROM sessions"`.'
        )
    session = dict(zip(found.columns, found.rows[0], strict=True))
    key = [session["session_id"]]
    pnl = ask(store, _PNL, key)
    lines = gain_lines(store, str(session["session_id"]))
    fills = ask(store, _FILLS, key)
    parts = [
        _head(session),
        _warnings(ask(store, _QUARANTINE, key).rows, ask(store, _DISCREPANCIES, key)),
        "<h2>Profit and loss</h2>" + _table(pnl, [line.name for line in lines]),
        "<h2>Gain within the session, dollars</h2>" + line_chart(lines, "dollars"),
        _section("Positions at the end", ask(store, _HELD, key), "No position was held."),
        _section("Round trips", ask(store, _TRIPS, key), "Nothing was bought and sold again."),
        _section("Slippage against the decision", ask(store, _SLIPPAGE, key), "No executions."),
        _section(f"Fills, the last {_FILLS_MAX}", fills, "Nothing was filled."),
    ]
    title = escape(f"{session['coordinator']} {session['session_date']}")
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<link rel="icon" href="data:,"><title>{title}</title><style>{_STYLE}</style></head>'
        f"<body>{''.join(parts)}</body></html>\n"
    )


def _head(session: dict[str, Any]) -> str:
    model = session["fill_model"]
    fills = f" (fill model: {model})" if model else ""
    facts = (
        f"Account {session['account']}, {session['mode']}{fills}. "
        f"Opened {plain(session['opened_at'])}, closed {plain(session['closed_at'])}. "
        f"Status: {session['status']}. Session {session['session_id']}. Times are UTC."
    )
    title = f"{session['coordinator']}, {session['session_date']}"
    return f'<h1>{escape(title)}</h1><p class="quiet">{escape(facts)}</p>'


def _warnings(refused: Sequence[tuple[object, ...]], discrepancies: QueryResult) -> str:
    parts = []
    if refused:
        reasons = "".join(f"<li>{escape(str(reason))}</li>" for (reason,) in refused)
        parts.append(
            '<div class="warn">Incomplete: rows were refused and are missing below.'
            f"<ul>{reasons}</ul></div>"
        )
    if discrepancies.rows:
        parts.append('<h2 class="bad">Discrepancies</h2>' + _table(discrepancies))
    return "".join(parts)


def gain_lines(store: Store, session_id: str) -> list[Line]:
    """A line per strategy, dollars gained within the session; the largest moves first."""
    pnl = ask(store, _PNL, [session_id])
    points: dict[str, list[tuple[Any, float]]] = {str(row[0]): [] for row in pnl.rows}
    points.pop("UNASSIGNED", None)
    rows: Sequence[tuple[Any, ...]] = ask(store, _EQUITY, [session_id]).rows
    for strategy, at, gain in rows:
        points[strategy].append((at, gain))
    return [Line(name, found) for name, found in points.items()]


def _section(title: str, result: QueryResult, empty: str) -> str:
    body = _table(result) if result.rows else f'<p class="quiet">{empty}</p>'
    return f"<h2>{escape(title)}</h2>{body}"


def _table(result: QueryResult, keyed: Sequence[str] = ()) -> str:
    """A table; the first column gets the colour of its line if it is among `keyed`."""
    head = "".join(f"<th>{escape(name.replace('_', ' '))}</th>" for name in result.columns)
    body = "".join(
        "<tr>" + "".join(map(_cell, result.columns, row, [keyed] * len(row))) + "</tr>"
        for row in result.rows
    )
    return f'<div class="scroll"><table><tr>{head}</tr>{body}</table></div>'


def _cell(column: str, value: object, keyed: Sequence[str]) -> str:
    text, style = plain(value), ""
    if isinstance(value, Decimal | int | float):
        style = "number"
        if column in ("net_pnl", "return"):
            style += " good" if value > 0 else " bad" if value < 0 else ""
    if isinstance(value, float):
        text = f"{value:.2%}" if column in ("return", "max_drawdown", "exposure") else f"{value:g}"
    if column == "note":
        style = "wide"
    key = ""
    if column == "strategy" and value in keyed:
        key = f'<span class="key {colour_class(keyed.index(str(value)))}"></span>'
    return f'<td class="{style}">{key}{escape(text)}</td>'
