"""Temporary tables that several checks share, computed once for a session."""

from __future__ import annotations

PREPARATION = (
    # Variants of a sweep without details.
    """CREATE OR REPLACE TEMP TABLE bare AS
        SELECT strategy FROM new_variants WHERE details = 'none'""",
    # Orders that never reached the broker, whose client ids belong to a foreign order with fills.
    """CREATE OR REPLACE TEMP TABLE usurped AS
        SELECT client_order_id FROM new_orders AS o
        WHERE filled_qty = 0 AND broker_order_id IS NULL AND strategy <> 'UNASSIGNED'
          AND client_order_id IN (
              SELECT client_order_id FROM new_fills WHERE strategy = 'UNASSIGNED')
          AND client_order_id NOT IN (
              SELECT client_order_id FROM new_fills
              WHERE strategy <> 'UNASSIGNED' AND client_order_id IS NOT NULL)""",
    # Orders whose executions are all in this session, with the sums of their executions. Those of
    # orders from before their strategy came into it need not be: its equity begins then.
    """CREATE OR REPLACE TEMP TABLE own_orders AS
        SELECT o.row_no, o.strategy, o.client_order_id, o.filled_qty, o.filled_avg_price,
               coalesce(f.qty, 0) AS qty, f.lowest, f.highest
        FROM new_orders AS o CROSS JOIN new_sessions AS s
        LEFT JOIN (SELECT strategy, min(ts) AS at FROM new_equity GROUP BY strategy) AS came
          USING (strategy)
        LEFT JOIN (
            SELECT client_order_id, sum(qty) AS qty, min(price) AS lowest, max(price) AS highest
            FROM new_fills WHERE client_order_id IS NOT NULL GROUP BY client_order_id
        ) AS f USING (client_order_id)
        WHERE coalesce(o.decided_at, o.submitted_at, s.opened_at) >= coalesce(came.at, s.opened_at)
          AND client_order_id NOT IN (FROM usurped)""",
    # Executions that differ from their order, or have none. An order by which a human replaced a
    # strategy's is the strategy's, under the human's id; what was executed of it before that was
    # known is in UNASSIGNED's book.
    """CREATE OR REPLACE TEMP TABLE unlike AS
        SELECT f.row_no, f.client_order_id, f.strategy, f.symbol, f.side,
               o.client_order_id AS order_id,
               CASE WHEN f.strategy = 'UNASSIGNED'
                         AND NOT starts_with(o.client_order_id, o.strategy || '.')
                    THEN f.strategy ELSE o.strategy END AS order_strategy,
               o.symbol AS order_symbol, o.side AS order_side
        FROM new_fills AS f LEFT JOIN new_orders AS o USING (client_order_id)
        WHERE f.client_order_id IS NOT NULL AND f.client_order_id NOT IN (FROM usurped)
          AND (o.client_order_id IS NULL OR f.strategy <> order_strategy
               OR f.symbol <> o.symbol OR f.side <> o.side)""",
    # The sums of each strategy's executions.
    """CREATE OR REPLACE TEMP TABLE executed AS
        SELECT strategy, count(*) AS executions, sum(sign(qty)) AS unbusted, sum(fee) AS fee
        FROM new_fills GROUP BY strategy""",
    # Each strategy's first and last equity row.
    """CREATE OR REPLACE TEMP TABLE ends AS
        SELECT strategy, arg_min(cash, ts) AS first_cash, arg_min(market_value, ts) AS first_held,
               arg_max(row_no, ts) AS row_no, arg_max(market_value, ts) AS market_value,
               arg_max(equity, ts) AS equity
        FROM new_equity GROUP BY strategy""",
    # The session's change of each position. A crypto fee is taken in coin and booked in dollars, so
    # its quantity is fee / price, of which a float has 15 digits.
    """CREATE OR REPLACE TEMP TABLE moved AS
        SELECT strategy, symbol, sum(qty) AS qty, sum(slack)::DECIMAL(38, 18) AS slack FROM (
            SELECT strategy, symbol, CASE side WHEN 'buy' THEN qty ELSE -qty END
                   - CASE WHEN side = 'buy' AND contains(symbol, '/')
                          THEN (fee::DOUBLE / price::DOUBLE)::DECIMAL(38, 18) ELSE 0 END AS qty,
                   CASE WHEN contains(symbol, '/')
                        THEN greatest(1e-8, 1e-15 * abs(fee::DOUBLE / price::DOUBLE))
                        ELSE 0 END AS slack
            FROM new_fills
            UNION ALL
            SELECT strategy, symbol, qty, CASE kind WHEN 'fee' THEN abs(qty) ELSE 0 END
            FROM new_activities WHERE symbol IS NOT NULL AND qty IS NOT NULL
        ) GROUP BY strategy, symbol""",
    # Strategies whose initial positions are known: those of the day before, or none.
    """CREATE OR REPLACE TEMP TABLE traced AS
        SELECT strategy FROM day_before WHERE NOT is_bare AND strategy NOT IN (FROM bare)
        UNION
        SELECT strategy FROM ends AS e JOIN new_pnl_daily AS p USING (strategy)
        WHERE e.first_held = 0 AND e.first_cash = p.start_equity AND strategy <> 'UNASSIGNED'""",
    # The positions that must result.
    """CREATE OR REPLACE TEMP TABLE expected AS
        SELECT strategy, symbol, sum(qty)::DECIMAL(38, 18) AS qty,
               sum(slack)::DECIMAL(38, 18) AS slack
        FROM (FROM moved UNION ALL
              SELECT strategy, symbol, qty, 0
              FROM day_before JOIN positions USING (session_id, strategy))
        WHERE strategy IN (FROM traced)
          AND symbol NOT IN (SELECT symbol FROM new_discrepancies WHERE symbol IS NOT NULL)
        GROUP BY strategy, symbol""",
    # The deepest fall of each strategy's equity below its peak, which moves with transfers.
    """CREATE OR REPLACE TEMP TABLE fallen AS
        SELECT strategy, coalesce(max((peak - equity)::DOUBLE / peak::DOUBLE) FILTER (peak > 0), 0)
               AS fall
        FROM (SELECT strategy, equity, moved + max(equity - moved) OVER (
                  PARTITION BY strategy ORDER BY ts ROWS UNBOUNDED PRECEDING) AS peak
              FROM (SELECT e.strategy, ts, equity, coalesce(sum(a.amount), 0) AS moved
                    FROM new_equity AS e LEFT JOIN new_activities AS a
                      ON a.strategy = e.strategy AND a.kind = 'transfer' AND a.booked_at <= e.ts
                    GROUP BY ALL))
        GROUP BY strategy""",
)
"""Statements over the session's frames (`new_<table>`); each makes a temporary table."""
