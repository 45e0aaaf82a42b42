"""A sweep's session without details: each variant's day, number of orders and turnover.

The sessions of the parts join to the session of the whole, whatever the split: variants share
nothing, and UNASSIGNED's rows are the sums of those of all parts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any, cast

import pyarrow.compute as pc

from coordinator.backtest.arrow import ArrowRows
from coordinator.backtest.played import PlayedSession
from coordinator.config import StrategyConfig
from coordinator.core.order_rows import Row
from coordinator.core.values import ATTO, UNASSIGNED, ZERO, exactly

DETAILS = ("bars", "orders", "fills", "activities", "positions", "equity")
_AMOUNTS = {
    "strategies": ("initial_cash",),
    "pnl_daily": (
        *("start_equity", "end_equity", "transfers", "realized_pnl", "unrealized_change"),
        *("fees", "net_pnl"),
    ),
    "equity": ("cash", "market_value", "equity"),
    "activities": ("amount",),
}
_KEYS = {"equity": "ts", "activities": "activity_id"}
"""The column by which UNASSIGNED's rows of a table differ, where there are several."""


@exactly
def lean(session: PlayedSession, variants: Iterable[StrategyConfig]) -> PlayedSession:
    """The session without its details, except those of UNASSIGNED."""
    rows = session.rows()
    orders = Counter(str(row["strategy"]) for row in rows["orders"])
    turnover: dict[str, Decimal] = {}
    for row in rows["fills"]:
        paid = cast(Decimal, row["qty"]) * cast(Decimal, row["price"])
        turnover[str(row["strategy"])] = turnover.get(str(row["strategy"]), ZERO) + paid
    left = {name: _unassigned(rows[name]) for name in DETAILS if name != "bars"}
    variant_rows = [
        variant_row(session.session_id, one, orders[one.name], turnover.get(one.name, ZERO))
        for one in variants
    ]
    activities = _as_one(left["activities"])
    kept = {**rows, **left, "activities": activities, "bars": [], "variants": variant_rows}
    return replace(session, played=kept, summarize=str)


def variant_row(session_id: str, one: StrategyConfig, orders: int, turnover: Decimal) -> Row:
    """The row of a variant whose details are not kept."""
    return {
        "session_id": session_id,
        "strategy": one.name,
        "sweep_of": one.sweep_of,
        "swept": dict(one.swept),
        "orders": orders,
        "turnover": turnover.quantize(ATTO),
        "details": "none",
    }


@exactly
def joined(parts: Sequence[PlayedSession], names: Iterable[str]) -> PlayedSession:
    """The lean session of all parts together, its strategies in the order of `names`."""
    first, *others = parts
    place = {name: number for number, name in enumerate([*names, UNASSIGNED])}
    rows: dict[str, list[Row]] = {name: list(some) for name, some in first.rows().items()}
    for part in others:
        assert part.session_id == first.session_id, "parts of one sweep play the same sessions"
        for table, some in part.rows().items():
            if table == "discrepancies":
                rows[table] += [row for row in some if row not in rows[table]]
            elif table != "sessions":
                rows[table] += (row for row in some if row["strategy"] != UNASSIGNED)
    for table in _AMOUNTS:
        rows[table] = [row for row in rows[table] if row["strategy"] != UNASSIGNED]
        rows[table] += _summed(table, [_unassigned(part.rows()[table]) for part in parts])
    for table in ("strategies", "pnl_daily", "variants", "faults"):
        rows[table].sort(key=lambda row: place[str(row["strategy"])])
    rows["discrepancies"].sort(key=lambda row: (str(row["found_at"]), str(row["symbol"])))
    return replace(first, played=rows)


def _unassigned(rows: Sequence[Row]) -> list[Row]:
    if isinstance(rows, ArrowRows):
        table = rows.table
        found: list[Row] = table.filter(pc.equal(table["strategy"], UNASSIGNED)).to_pylist()
        return found
    return [row for row in rows if row["strategy"] == UNASSIGNED]


def _as_one(transfers: Sequence[Row]) -> list[Row]:
    """UNASSIGNED's transfers to strategies as one, so that the rows do not depend on the parts."""
    if not transfers:
        return []
    total = sum((cast(Decimal, row["amount"]) for row in transfers), ZERO)
    return [{**transfers[0], "activity_id": "transfer.0", "amount": total}]


def _summed(table: str, parts: Sequence[Sequence[Row]]) -> list[Row]:
    """UNASSIGNED's rows of all parts, with rows of the same key added up."""
    key = _KEYS.get(table)
    sums: dict[Any, dict[str, Any]] = {}
    for row in (row for rows in parts for row in rows):
        at = row[key] if key else None
        known = sums.get(at)
        if known is None:
            sums[at] = dict(row)
            continue
        for name in _AMOUNTS[table]:
            known[name] += row[name]
    return list(sums.values())
