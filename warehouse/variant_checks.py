"""The checks of a sweep's variants: a variant has all its details, or none.

Only a backtest may leave details out. A variant without them has days and sums, and no detail rows
that a reader could mistake for all of its trading.
"""

from __future__ import annotations

from warehouse.checks import Check


def _without_details(table: str) -> Check:
    """A table of details must have no row of a variant without details."""
    sql = """
        SELECT row_no, strategy, strategy || ' is a variant without details'
        FROM new_TABLE WHERE strategy IN (FROM bare)"""
    return Check(table, "strategy", (), sql.replace("TABLE", table))


VARIANTS = (
    Check(
        "variants",
        "details",
        (),
        """
        SELECT v.row_no, v.strategy, '''none'' in a session of mode ' || s.mode
               || ', and only a backtest may leave details out'
        FROM new_variants AS v JOIN new_sessions AS s ON s.mode <> 'backtest'
        WHERE v.details = 'none'""",
    ),
    Check(
        "variants",
        "orders",
        ("orders",),
        """
        SELECT v.row_no, v.strategy, v.orders || ' is not the number of orders rows, '
               || coalesce(o.decided, 0)
        FROM new_variants AS v
        LEFT JOIN (SELECT strategy, count(*) AS decided FROM new_orders GROUP BY strategy) AS o
             USING (strategy)
        WHERE v.details = 'kept' AND v.orders <> coalesce(o.decided, 0)""",
    ),
    Check(
        "variants",
        "turnover",
        ("fills",),
        """
        SELECT v.row_no, v.strategy, v.turnover || ' is not what the fills come to, '
               || coalesce(f.paid, 0)
        FROM new_variants AS v
        LEFT JOIN (SELECT strategy, sum(money_product(qty, price)) AS paid FROM new_fills
                   GROUP BY strategy) AS f USING (strategy)
        WHERE v.details = 'kept' AND abs(v.turnover - coalesce(f.paid, 0)) > 1e-6""",
    ),
    Check(
        "variants",
        "turnover",
        ("pnl_daily",),
        """
        SELECT v.row_no, v.strategy, v.turnover || ', although pnl_daily counts ' || p.fills
               || ' fills'
        FROM new_variants AS v JOIN new_pnl_daily AS p USING (strategy)
        WHERE (v.turnover = 0) <> (p.fills = 0)""",
    ),
    *map(_without_details, ("orders", "fills", "positions", "equity")),
)
