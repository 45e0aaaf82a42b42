"""The report: one self-contained HTML file of a session, or of a range of dates.

It is made from the warehouse alone. Problems come first: refused rows and discrepancies before any
profit. Accounts and modes are never summed: a range has a part for each.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from html import escape
from pathlib import Path
from typing import Any

from warehouse.errors import WarehouseMissing
from warehouse.figures import calendar_sections, curve_sections, price_sections, read_lines
from warehouse.page import folded, heading, moment, page, section, table
from warehouse.queries import QueryResult, ask
from warehouse.schemas import SHADOW_ACCOUNT
from warehouse.store import Store, private_files

_FILLS_MAX = 500
_CALENDAR_DAYS = 90
"""How many earlier days a session's calendar shows."""
LATEST = """
    SELECT session_id FROM sessions LEFT JOIN loads USING (session_id)
    ORDER BY mode = 'shadow', opened_at DESC, loaded_at DESC, session_id DESC LIMIT 1
"""
"""The latest session in the warehouse. Simulated ones may have opened at the same time."""
_SESSION = """
    SELECT session_id, coordinator, account, mode, session_date, opened_at, closed_at,
           sessions.status,
           (SELECT params->>'fill_model' FROM strategies AS s
            WHERE s.session_id = sessions.session_id AND s.strategy = 'UNASSIGNED') AS fill_model,
           coalesce(restatements, 0) AS restatements
    FROM sessions LEFT JOIN loads USING (session_id) WHERE session_id = $1
"""
_RANGE = """
    SELECT account, mode, list(session_id ORDER BY opened_at, session_id) AS sessions,
           min(session_date) AS first, max(session_date) AS last,
           string_agg(DISTINCT params->>'fill_model', ', ') AS fill_models
    FROM sessions
    LEFT JOIN (FROM strategies WHERE strategy = 'UNASSIGNED') USING (session_id)
    WHERE session_date BETWEEN $1 AND $2 AND account = coalesce($3, account)
    GROUP BY ALL ORDER BY max(opened_at) DESC
"""
_RISK = """
    FROM (
    SELECT strategy, symbol, CASE WHEN status IN ('denied', 'rejected', 'unknown') THEN status
               ELSE side || ' by ' || reason END AS event,
           CASE WHEN status IN ('denied', 'rejected', 'unknown') THEN reason END AS reason,
           count(*) AS times, min(decided_at) AS first, max(decided_at) AS last
    FROM orders WHERE list_contains($1, session_id)
      AND (status IN ('denied', 'rejected', 'unknown') OR reason IN ('stop', 'target', 'flatten'))
    GROUP BY ALL
    UNION ALL
    SELECT strategy, symbol, 'discrepancy of ' || kind, note, count(*), min(found_at), max(found_at)
    FROM discrepancies WHERE list_contains($1, session_id) GROUP BY ALL
    UNION ALL
    SELECT NULL, NULL, 'session ' || replace(status, '_', ' '), session_id, 1, opened_at, closed_at
    FROM sessions WHERE list_contains($1, session_id) AND status NOT IN ('open', 'closed')
    ) ORDER BY first, strategy, symbol, event
"""
_QUARANTINE = (
    "SELECT reason, count(*) OVER () FROM quarantine WHERE list_contains($1, session_id)"
    " ORDER BY reason LIMIT 50"
)
_VARIANTS = """
    SELECT count(DISTINCT strategy), count(DISTINCT strategy) FILTER (details = 'kept')
    FROM variants WHERE list_contains($1, session_id)
"""
_DISCREPANCIES = """
    SELECT found_at, kind, symbol, strategy, ours, brokers, note FROM discrepancies
    WHERE list_contains($1, session_id) ORDER BY found_at
"""
# The drawdown includes falls from one day to a later one, and those within a day.
_PNL = """
    WITH days AS (
        SELECT *, product(1 + coalesce(return_pct, 0)) OVER so_far AS growth
        FROM stg_days WHERE list_contains($1, session_id)
        WINDOW so_far AS (PARTITION BY strategy ORDER BY began_at ROWS UNBOUNDED PRECEDING)
    ), falls AS (
        SELECT *, 1 - growth / greatest(1, max(growth) OVER (
            PARTITION BY strategy ORDER BY began_at ROWS UNBOUNDED PRECEDING)) AS fall
        FROM days
    )
    SELECT strategy, round(sum(net_pnl), 2) AS net_pnl,
           product(1 + coalesce(return_pct, 0)) - 1 AS "return",
           max(greatest(max_drawdown, fall)) AS max_drawdown, sum(fills)::BIGINT AS fills,
           round(arg_min(start_equity, began_at), 2) AS start_equity,
           round(arg_max(end_equity, began_at), 2) AS end_equity,
           round(sum(transfers), 2) AS transfers, round(sum(realized_pnl), 2) AS realized,
           round(sum(unrealized_change), 2) AS unrealized, round(sum(fees), 2) AS fees
    FROM falls GROUP BY strategy
    ORDER BY strategy = 'UNASSIGNED', abs(sum(net_pnl)) DESC, strategy
"""
_TOTAL = """
    SELECT coalesce(sum(net_pnl), 0), coalesce(sum(fees), 0), coalesce(sum(fills), 0)::BIGINT
    FROM stg_days WHERE list_contains($1, session_id)
"""
_SHADOWS = """
    WITH days AS (
        SELECT *, product(1 + coalesce(return_pct, 0)) OVER so_far AS growth
        FROM stg_days AS d
        WHERE mode = 'shadow' AND strategy <> 'UNASSIGNED' AND EXISTS (
            FROM sessions AS s WHERE list_contains($1, s.session_id)
                 AND d.account = $2 || s.account AND d.coordinator = s.coordinator
                 AND d.session_date = s.session_date)
        WINDOW so_far AS (PARTITION BY strategy ORDER BY began_at ROWS UNBOUNDED PRECEDING)
    ), falls AS (
        SELECT *, 1 - growth / greatest(1, max(growth) OVER (
            PARTITION BY strategy ORDER BY began_at ROWS UNBOUNDED PRECEDING)) AS fall
        FROM days
    )
    SELECT strategy, round(sum(net_pnl), 2) AS net_pnl,
           product(1 + coalesce(return_pct, 0)) - 1 AS "return",
           max(greatest(max_drawdown, fall)) AS max_drawdown, sum(fills)::BIGINT AS fills,
           list_last(list(session_id ORDER BY opened_at)) AS session
    FROM falls GROUP BY strategy ORDER BY strategy
"""
# Each strategy's last session: coordinators that share an account have sessions of their own.
_HELD = """
    WITH ends AS (
        SELECT e.* FROM v_exposure AS e JOIN stg_days AS d USING (session_id, strategy)
        WHERE list_contains($1, session_id)
        QUALIFY d.began_at = max(d.began_at) OVER (PARTITION BY strategy)
    )
    SELECT strategy, symbol, qty, round(mark_price, 9) AS mark_price,
           round(market_value, 2) AS market_value, exposure
    FROM ends WHERE symbol IS NOT NULL ORDER BY strategy, symbol
"""
_SLIPPAGE = """
    SELECT strategy, count(*) AS executions,
           round(sum(slippage_bps * abs(qty::DOUBLE) * price::DOUBLE)
                 / sum(abs(qty::DOUBLE) * price::DOUBLE), 2) AS mean_bps,
           round(sum(slippage_cost), 2) AS cost
    FROM v_slippage WHERE list_contains($1, session_id) GROUP BY strategy ORDER BY cost DESC
"""
_TRIPS = """
    SELECT strategy, count(*) AS round_trips, count(*) FILTER (net_pnl > 0) AS won,
           round(sum(net_pnl), 2) AS net_pnl, round(max(net_pnl), 2) AS best,
           round(min(net_pnl), 2) AS worst
    FROM v_round_trips WHERE list_contains($1, session_id) GROUP BY strategy ORDER BY net_pnl DESC
"""
_FILLS = """
    SELECT filled_at, strategy, symbol, side, qty, price, round(fee, 4) AS fee FROM fills
    WHERE list_contains($1, session_id)
    ORDER BY filled_at DESC, execution_id LIMIT 500
"""


def write_report(location: str | Path, session_id: str | None, path: str | Path) -> Path:
    """Writes the report of a session (None: the latest one) to `path` (mode 600); returns it.

    Raises WarehouseMissing if there is no such session, and what Store.open_read_only raises.
    """
    with Store.open_read_only(location) as store:
        return _write(render_report(store, session_id), Path(path))


def write_range(
    location: str | Path, start: date, end: date, path: str | Path, *, account: str | None = None
) -> Path:
    """Writes the report of all sessions from `start` to `end`, both included; returns its path.

    With `account`, only of its sessions. Raises WarehouseMissing if there is none, and what
    Store.open_read_only raises.
    """
    with Store.open_read_only(location) as store:
        return _write(render_range(store, start, end, account), Path(path))


def render_report(store: Store, session_id: str | None) -> str:
    """The report of a session as HTML; see write_report."""
    scope = [session_id or next((name for (name,) in ask(store, LATEST).rows), "")]
    found = ask(store, _SESSION, scope)
    if not found.rows:
        wanted = f"session {session_id!r}" if session_id else "any session"
        raise _missing(store, wanted)
    session: dict[str, Any] = dict(zip(found.columns, found.rows[0], strict=True))
    day = session["session_date"]
    account, mode, first = session["account"], session["mode"], day - timedelta(_CALENDAR_DAYS)
    calendar = calendar_sections(store, account, mode, first, day)
    parts = [_head(session), *_parts(store, scope, "session", calendar)]
    return page(f"{session['coordinator']} {day}", parts)


def render_range(store: Store, start: date, end: date, account: str | None = None) -> str:
    """The report of a range of dates as HTML; see write_range."""
    found = ask(store, _RANGE, [start, end, account]).rows
    if not found:
        whose = f" of account {account}" if account else ""
        raise _missing(store, f"any session{whose} from {start} to {end}")
    parts = []
    for number, mode, sessions, first, last, models in found:
        several = "s" * (len(sessions) > 1)
        played = f"{mode}{_fills(models)}"
        facts = f"{len(sessions)} session{several} from {first} to {last}, {played}. Times are UTC."
        parts.append(heading(f"Account {number}, {first} to {last}", facts))
        calendar = calendar_sections(store, number, mode, start, end)
        parts += _parts(store, sessions, "range", calendar)
    return page(f"{start} to {end}", parts)


def _parts(store: Store, sessions: Sequence[str], span: str, calendar: str) -> list[str]:
    """The parts of a page about these sessions, which are of one account and mode."""
    scope = [list(sessions)]
    curves = read_lines(store, sessions)
    names = [line.name for line in curves.gains]
    fills, pnl = ask(store, _FILLS, scope), ask(store, _PNL, scope)
    return [
        _warnings(ask(store, _QUARANTINE, scope).rows, ask(store, _DISCREPANCIES, scope)),
        _total(ask(store, _TOTAL, scope)) + folded(table(pnl, names), len(pnl.rows)),
        _kept(ask(store, _VARIANTS, scope)),
        _shadows(ask(store, _SHADOWS, [*scope, SHADOW_ACCOUNT])),
        curve_sections(curves, span),
        price_sections(store, sessions),
        section("Risk events", ask(store, _RISK, scope), "Nothing was denied, forced or found."),
        section("Positions at the end", ask(store, _HELD, scope), "No position was held."),
        section("Round trips", ask(store, _TRIPS, scope), "Nothing was bought and sold again."),
        section("Slippage against the decision", ask(store, _SLIPPAGE, scope), "No executions."),
        calendar,
        section(f"Fills, the last {_FILLS_MAX}", fills, "Nothing was filled."),
    ]


def _total(sums: QueryResult) -> str:
    """The heading of the table of P&L, and what all of its rows come to."""
    ((net, fees, fills),) = sums.rows
    filled = "1 fill" if fills == 1 else f"{fills:,} fills"
    together = f"All together: net P&L {net:z,.2f}, fees {fees:z,.2f}, {filled}."
    return f"<h2>Profit and loss</h2><p>{escape(together)}</p>"


def _shadows(beside: QueryResult) -> str:
    """The shadows beside these sessions, which no other number of the page includes."""
    if not beside.rows:
        return ""
    return "<h2>Shadow strategies: simulated fills, in no sum above</h2>" + table(beside)


def _kept(variants: QueryResult) -> str:
    """For a sweep: what the rest of the page leaves out."""
    ((count, kept),) = variants.rows
    if count == kept:
        return ""
    return (
        f'<p class="quiet">Of {count} variants, fills, positions, round trips and slippage are'
        f" those of the {kept} whose details are kept. v_sweep has the results of all.</p>"
    )


def _write(text: str, target: Path) -> Path:
    with private_files():
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(target.name + ".partial")
        partial.write_text(text, encoding="utf-8")
        partial.replace(target)
    return target


def _missing(store: Store, wanted: str) -> WarehouseMissing:
    return WarehouseMissing(
        f"The warehouse {store.location} does not hold {wanted}. See what it holds with "
        '`multi-trader sql "FROM sessions"`.'
    )


def _fills(model: str | None) -> str:
    """Which model made the fills; of a broker's own (None) there is nothing to say."""
    return f" (fill model: {model})" if model else ""


def _head(session: dict[str, Any]) -> str:
    times = session["restatements"]
    restated = f" Restated {times} time{'s' * (times > 1)} since." if times else ""
    closed = session["closed_at"]
    ended = f"closed {moment(closed)}" if closed else "not closed"
    facts = (
        f"Account {session['account']}, {session['mode']}{_fills(session['fill_model'])}. "
        f"Opened {moment(session['opened_at'])}, {ended}. "
        f"Status: {session['status']}.{restated} Session {session['session_id']}. Times are UTC."
    )
    return heading(f"{session['coordinator']}, {session['session_date']}", facts)


def _warnings(refused: Sequence[tuple[str, int]], discrepancies: QueryResult) -> str:
    parts = []
    if refused:
        reasons = "".join(f"<li>{escape(reason)}</li>" for reason, _ in refused)
        parts.append(
            '<div class="warn">Incomplete: rows were refused and are missing below; quarantine'
            f" holds {refused[0][1]}.<ul>{reasons}</ul></div>"
        )
    if discrepancies.rows:
        parts.append('<h2 class="bad">Discrepancies</h2>' + table(discrepancies))
    return "".join(parts)
