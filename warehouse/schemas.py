"""The tables of the warehouse, and one strict pandera model for the rows of each.

A model admits exactly its table's columns, with the exact type, finite numbers, known words, and
every required value. Models judge single rows; checks.py judges rows against others.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pandera.pandas as pandera

from warehouse.kinds import Column, Kind, Table

UNASSIGNED = "UNASSIGNED"
"""The book for everything that no strategy owns."""
SHADOW_MARK = " (shadow)"
"""The suffix of a strategy's name if its fills were simulated beside a session."""
SHADOW_ACCOUNT = "SH-"
"""The prefix of the account number beside which they are simulated."""

MODES = ("paper", "live", "simulated", "backtest", "shadow")
SESSION_STATUSES = ("open", "closed", "stopped_early", "cancelled", "crashed", "incomplete")
SIDES = ("buy", "sell")
ORIGINS = ("backfill", "live", "corrected")
DETAILS = ("kept", "none")
ACTIVITY_KINDS = ("dividend", "interest", "fee", "transfer", "split", "rounding")
LIMIT = Decimal(10**15)
"""Far above any amount, price or quantity; sums of smaller values fit their column."""

# fmt: off
ORDER_STATUSES = (
    "new", "partially_filled", "filled", "done_for_day", "canceled", "expired", "replaced",
    "pending_cancel", "pending_replace", "pending_review", "accepted", "pending_new",
    "accepted_for_bidding", "stopped", "rejected", "suspended", "calculated", "held",
    "denied", "unknown",
)
# fmt: on


def _text(name: str, *words: str, required: bool = True) -> Column:
    return Column(name, Kind.TEXT, required, tuple(words))


def _money(name: str, *, required: bool = True, **limits: Any) -> Column:
    return Column(name, Kind.MONEY, required, **limits)


def _time(name: str, *, required: bool = True) -> Column:
    return Column(name, Kind.TIME, required)


_SESSION = _text("session_id")
_STRATEGY = _text("strategy")
_SYMBOL = _text("symbol")
_DATE = Column("session_date", Kind.DATE)

SESSIONS = Table(
    "sessions",
    (
        _SESSION,
        _text("coordinator"),
        _text("account"),
        _text("mode", *MODES),
        _DATE,
        _time("opened_at"),
        _time("closed_at", required=False),
        _text("status", *SESSION_STATUSES),
        _text("config_hash"),
    ),
    ("session_id",),
)
STRATEGIES = Table(
    "strategies",
    (
        _SESSION,
        _STRATEGY,
        _text("strategy_type"),
        Column("params", Kind.JSON),
        Column("tickers", Kind.LIST),
        _money("initial_cash", at_least=0),
    ),
    ("session_id", "strategy"),
)
BARS = Table(
    "bars",
    (
        _text("account"),
        _text("feed"),
        _SYMBOL,
        _time("ts"),
        _money("open", more_than=0),
        _money("high", more_than=0),
        _money("low", more_than=0),
        _money("close", more_than=0),
        _money("volume", at_least=0),
        Column("trade_count", Kind.COUNT, required=False, at_least=0),
        _money("vwap", required=False, at_least=0),
        _text("origin", *ORIGINS),
    ),
    ("account", "feed", "symbol", "ts", "origin"),  # of these, a minute's best origin is stored
)
ORDERS = Table(
    "orders",
    (
        _text("client_order_id"),
        _SESSION,
        _text("broker_order_id", required=False),
        _STRATEGY,
        _SYMBOL,
        _text("side", *SIDES),
        _money("qty", required=False, at_least=0),
        _money("filled_qty", at_least=0),
        _money("filled_avg_price", required=False, more_than=0),
        _text("status", *ORDER_STATUSES),
        _text("reason", required=False),
        _money("decision_price", required=False, more_than=0),
        _time("decided_at", required=False),
        _time("submitted_at", required=False),
        _time("closed_at", required=False),
    ),
    ("session_id", "client_order_id"),
)
FILLS = Table(
    "fills",
    (
        _text("execution_id"),
        _SESSION,
        _text("client_order_id", required=False),
        _DATE,
        _STRATEGY,
        _SYMBOL,
        _text("side", *SIDES),
        _money("qty", nonzero=True),
        _money("price", more_than=0),
        _money("fee"),
        _time("filled_at"),
    ),
    ("session_id", "execution_id"),
)
ACTIVITIES = Table(
    "activities",
    (
        _text("activity_id"),
        _SESSION,
        _DATE,
        _STRATEGY,
        _text("kind", *ACTIVITY_KINDS),
        _text("symbol", required=False),
        _money("qty", required=False),
        _money("amount", required=False),
        _text("allocated_by", required=False),
        _time("booked_at", required=False),
    ),
    ("session_id", "activity_id", "strategy"),
)
POSITIONS = Table(
    "positions",
    (
        _SESSION,
        _STRATEGY,
        _SYMBOL,
        _money("qty"),
        _money("avg_price", required=False, at_least=0),
        _money("mark_price", required=False, at_least=0),
        _money("market_value", required=False),
        _money("unrealized_pnl", required=False),
    ),
    ("session_id", "strategy", "symbol"),
)
PNL_DAILY = Table(
    "pnl_daily",
    (
        _DATE,
        _SESSION,
        _STRATEGY,
        _money("start_equity"),
        _money("end_equity"),
        _money("transfers"),
        _money("realized_pnl"),
        _money("unrealized_change"),
        _money("fees"),
        _money("net_pnl"),
        Column("return_pct", Kind.FRACTION, required=False),
        Column("fills", Kind.COUNT, at_least=0),
        Column("max_drawdown", Kind.FRACTION, required=False, at_least=0),
    ),
    ("session_id", "strategy"),
)
EQUITY = Table(
    "equity",
    (
        _SESSION,
        _STRATEGY,
        _time("ts"),
        _money("cash"),
        _money("market_value"),
        _money("equity"),
    ),
    ("session_id", "strategy", "ts"),
)
DISCREPANCIES = Table(
    "discrepancies",
    (
        _SESSION,
        _time("found_at"),
        _text("kind"),
        _text("symbol", required=False),
        _text("strategy", required=False),
        _money("ours", required=False),
        _money("brokers", required=False),
        _text("note", required=False),
    ),
    (),
)

VARIANTS = Table(
    "variants",
    (
        _SESSION,
        _STRATEGY,
        _text("sweep_of", required=False),
        Column("swept", Kind.JSON),
        Column("orders", Kind.COUNT, at_least=0),
        _money("turnover", at_least=0),
        _text("details", *DETAILS),
    ),
    ("session_id", "strategy"),
)

FAULTS = Table("faults", (_SESSION, _STRATEGY, _text("reason")), ("session_id", "strategy"))

TABLES: dict[str, Table] = {
    table.name: table
    for table in (
        SESSIONS,
        STRATEGIES,
        BARS,
        ORDERS,
        FILLS,
        ACTIVITIES,
        POSITIONS,
        PNL_DAILY,
        EQUITY,
        DISCREPANCIES,
        VARIANTS,
        FAULTS,
    )
}
"""The tables that a session's source provides, by name; `quarantine` is the loader's own."""

MAY_BE_LEFT_OUT = (VARIANTS.name, FAULTS.name)
"""Tables that a source need not provide if it has no such rows."""


def model(table: Table) -> pandera.DataFrameSchema:
    """The strict pandera model of `table`, for frames whose columns are Arrow-backed.

    A failed check's `error` continues a sentence that begins with the column: "is negative".
    """
    return _MODELS[table.name]


def _checks(column: Column) -> list[pandera.Check]:
    checks = []
    if column.kind is Kind.TEXT and column.required:
        checks.append(_check(lambda s: s != "", "is empty"))
    if column.words:
        checks.append(
            _check(lambda s: s.isin(column.words), f"is none of {', '.join(column.words)}")
        )
    if column.kind is Kind.FRACTION:
        checks.append(_check(_finite, "is not a finite number"))
    if column.more_than is not None:
        least = Decimal(column.more_than)
        checks.append(_check(lambda s: s > least, f"is not more than {least}"))
    if column.at_least is not None:
        floor: Decimal | int = column.at_least
        if column.kind is Kind.MONEY:
            floor = Decimal(floor)
        checks.append(_check(lambda s: ~(s < floor), f"is less than {floor}"))
    if column.kind is Kind.MONEY:
        checks.append(_check(_plausible, f"is beyond {LIMIT:,}"))
    if column.nonzero:
        checks.append(_check(lambda s: s != Decimal(0), "is zero"))
    return checks


def _check(holds: Callable[[pd.Series[Any]], Any], complaint: str) -> pandera.Check:
    return pandera.Check(holds, error=complaint)


def _finite(values: pd.Series[Any]) -> pd.Series[bool]:
    floats = values.to_numpy(dtype="float64", na_value=0.0)
    return pd.Series(np.isfinite(floats), index=values.index, dtype=bool)


def _plausible(values: pd.Series[Any]) -> Any:
    return (values < LIMIT) & (values > -LIMIT)


def _build(table: Table) -> pandera.DataFrameSchema:
    return pandera.DataFrameSchema(
        {
            column.name: pandera.Column(
                pd.ArrowDtype(column.kind.value),
                checks=_checks(column),
                nullable=not column.required,
            )
            for column in table.columns
        },
        strict=True,
        name=table.name,
    )


_MODELS = {name: _build(table) for name, table in TABLES.items()}
