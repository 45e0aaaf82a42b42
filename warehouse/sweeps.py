"""A sweep's variants in order of a measure, read from the warehouse."""

from __future__ import annotations

from typing import Any

from warehouse.queries import ask
from warehouse.store import Store

_FIRST = {
    "net-pnl": ("net_pnl", -1),
    "return": ("total_return", -1),
    "sharpe": ("sharpe", -1),
    "sortino": ("sortino", -1),
    "drawdown": ("max_drawdown", 1),
}
"""By measure the column to sort by, and whether the largest (-1) or the smallest value is first."""
MEASURES = tuple(_FIRST)
"""The measures for ranking variants."""

_VARIANTS = """
    SELECT strategy, sweep_of, swept, days, start_equity, end_equity, net_pnl, total_return, sharpe,
           sortino, max_drawdown, turnover, fees, orders, fills, days_in_detail
    FROM v_sweep WHERE account = $1
"""


def ranked(store: Store, account: str, measure: str) -> list[dict[str, Any]]:
    """Every variant of a sweep, the best by `measure` first; columns as in `v_sweep`.

    `measure` is one of MEASURES. Ties are ranked by net P&L; variants without a value, such as a
    Sharpe ratio, come last.
    """
    column, sign = _FIRST[measure]

    def place(row: dict[str, Any]) -> tuple[Any, ...]:
        value = row[column]
        missing = value is None
        return missing, 0 if missing else sign * value, -row["net_pnl"], row["strategy"]

    answer = ask(store, _VARIANTS, [account])
    return sorted((dict(zip(answer.columns, row, strict=True)) for row in answer.rows), key=place)
