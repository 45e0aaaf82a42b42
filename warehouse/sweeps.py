"""A sweep's variants in order of a measure, read from the warehouse."""

from __future__ import annotations

from typing import Any

from warehouse.queries import ask
from warehouse.store import Store

_SORTED_BY = {
    "net-pnl": "net_pnl",
    "return": "total_return",
    "sharpe": "sharpe",
    "sortino": "sortino",
    "drawdown": "-max_drawdown",
}
MEASURES = tuple(_SORTED_BY)
"""The measures for ranking variants; the smallest drawdown is best, else the largest value."""

_RANKED = """
    SELECT strategy, sweep_of, swept, days, start_equity, end_equity, net_pnl, total_return, sharpe,
           sortino, max_drawdown, turnover, fees, orders, fills, days_in_detail
    FROM v_sweep WHERE account = $1 ORDER BY {column} DESC NULLS LAST, net_pnl DESC, strategy
"""


def ranked(store: Store, account: str, measure: str) -> list[dict[str, Any]]:
    """Every variant of a sweep, the best by `measure` first; columns as in `v_sweep`.

    `measure` is one of MEASURES. Ties are ranked by net P&L; variants without a value, such as a
    Sharpe ratio, come last.
    """
    answer = ask(store, _RANKED.format(column=_SORTED_BY[measure]), [account])
    return [dict(zip(answer.columns, row, strict=True)) for row in answer.rows]
