"""The checks of `pnl_daily`: each strategy's day against the other tables and the day before."""

from __future__ import annotations

from warehouse.checks import Check

DAYS = (
    Check(
        "pnl_daily",
        "net_pnl",
        (),
        """
        SELECT row_no, strategy, net_pnl || ' is not end_equity - start_equity - transfers, '
               || (end_equity - start_equity - transfers)
        FROM new_pnl_daily WHERE net_pnl <> end_equity - start_equity - transfers""",
    ),
    Check(
        "pnl_daily",
        "net_pnl",
        (),
        """
        SELECT row_no, strategy, net_pnl || ' is not realized_pnl + unrealized_change - fees, '
               || (realized_pnl + unrealized_change - fees)
        FROM new_pnl_daily WHERE net_pnl <> realized_pnl + unrealized_change - fees""",
    ),
    Check(
        "pnl_daily",
        "start_equity",
        (),
        """
        SELECT p.row_no, p.strategy, p.start_equity || ' is not the end_equity of ' || b.session_id
               || ', ' || b.end_equity
        FROM new_pnl_daily AS p JOIN day_before AS b USING (strategy)
        WHERE p.start_equity <> b.end_equity""",
    ),
    Check(
        "pnl_daily",
        "transfers",
        ("activities", "variants"),
        """
        SELECT p.row_no, p.strategy, p.transfers || ' is not the sum of the transfer activities, '
               || coalesce(a.amount, 0)
        FROM new_pnl_daily AS p
        LEFT JOIN (SELECT strategy, sum(amount) AS amount FROM new_activities
                   WHERE kind = 'transfer' GROUP BY strategy) AS a USING (strategy)
        WHERE p.transfers <> coalesce(a.amount, 0) AND p.strategy NOT IN (FROM bare)""",
    ),
    Check(
        "pnl_daily",
        "max_drawdown",
        ("equity",),
        """
        SELECT p.row_no, p.strategy, coalesce(p.max_drawdown::TEXT, 'NULL')
               || ' is not the deepest fall of the equity rows, ' || f.fall
        FROM new_pnl_daily AS p JOIN fallen AS f USING (strategy)
        WHERE coalesce(abs(p.max_drawdown - f.fall) > 1e-15 * greatest(f.fall, 1), true)""",
    ),
    Check(
        "pnl_daily",
        "return_pct",
        (),
        """
        SELECT row_no, strategy, coalesce(return_pct::TEXT, 'NULL')
               || ' is not net_pnl / (start_equity + transfers)'
        FROM new_pnl_daily
        WHERE (start_equity + transfers > 0 AND coalesce(abs(
                  return_pct - net_pnl::DOUBLE / (start_equity + transfers)::DOUBLE) > 1e-9, true))
           OR (start_equity + transfers = 0 AND return_pct <> 0)""",
    ),
    Check(
        "pnl_daily",
        "fees",
        ("fills", "activities", "variants"),
        """
        SELECT p.row_no, p.strategy, p.fees || ' is not the sum of the fills'' fees and the fee '
               || 'activities, ' || (coalesce(f.fee, 0) - coalesce(a.amount, 0))
        FROM new_pnl_daily AS p LEFT JOIN executed AS f USING (strategy)
        LEFT JOIN (SELECT strategy, sum(amount) AS amount FROM new_activities WHERE kind = 'fee'
                   GROUP BY strategy) AS a USING (strategy)
        WHERE p.fees <> coalesce(f.fee, 0) - coalesce(a.amount, 0)
          AND p.strategy NOT IN (FROM bare)""",
    ),
    Check(
        "pnl_daily",
        "fills",
        ("fills", "variants"),
        """
        SELECT p.row_no, p.strategy, p.fills || ' is not the number of executions, '
               || coalesce(f.executions, 0)
        FROM new_pnl_daily AS p LEFT JOIN executed AS f USING (strategy)
        WHERE p.fills NOT BETWEEN coalesce(f.unbusted, 0) AND coalesce(f.executions, 0)
          AND p.strategy NOT IN (FROM bare)""",
    ),
    Check(
        "pnl_daily",
        "end_equity",
        ("equity", "variants"),
        """
        SELECT p.row_no, p.strategy, p.end_equity || ' is not the last equity row''s, '
               || coalesce(e.equity::TEXT, 'which is missing')
        FROM new_pnl_daily AS p LEFT JOIN ends AS e USING (strategy)
        WHERE e.equity IS DISTINCT FROM p.end_equity AND p.strategy NOT IN (FROM bare)""",
    ),
    Check(
        "strategies",
        "strategy",
        ("pnl_daily", "sessions"),
        """
        SELECT n.row_no, n.strategy, '''' || n.strategy || ''' has no pnl_daily row'
        FROM new_strategies AS n JOIN new_sessions AS s ON s.status <> 'open'
        WHERE n.strategy NOT IN (SELECT strategy FROM new_pnl_daily)""",
    ),
)
