"""What the rows of one session owe each other: every cross-table check, in one place.

A check is one SELECT over the session's frames (`new_<table>`) that returns the rows at fault as
(row_no, strategy, complaint). A row that another one contradicts is refused, since nobody can tell
which of the two is right. A check that sums a table from which rows of the same strategy were
refused before says nothing about that strategy: one bad row must not drag its neighbours along.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import duckdb

from warehouse.frames import Rejection


@dataclass(frozen=True, slots=True)
class Check:
    """Rows of `table` that `sql` returns are wrong in `column`, given what `sums` hold."""

    table: str
    column: str
    sums: tuple[str, ...]
    sql: str


PREPARATION = (
    # What each order's executions come to.
    """CREATE OR REPLACE TEMP TABLE filled AS
        SELECT client_order_id, sum(qty) AS qty, sum(money_product(qty, price)) AS notional
        FROM new_fills WHERE client_order_id IS NOT NULL GROUP BY client_order_id""",
    # Orders whose executions all lie in this session; an older one's lie elsewhere too.
    """CREATE OR REPLACE TEMP TABLE own_orders AS
        SELECT o.row_no, o.strategy, o.client_order_id, o.filled_qty, o.filled_avg_price
        FROM new_orders AS o, new_sessions AS s
        WHERE coalesce(o.decided_at, o.submitted_at, s.opened_at) >= s.opened_at""",
    # What the session added to each position. A crypto fee is taken in coin and booked in dollars,
    # so that its quantity is fee / price.
    """CREATE OR REPLACE TEMP TABLE moved AS
        SELECT strategy, symbol, sum(qty) AS qty, sum(slack)::DECIMAL(38, 18) AS slack FROM (
            SELECT strategy, symbol, CASE side WHEN 'buy' THEN qty ELSE -qty END
                   - CASE WHEN side = 'buy' AND contains(symbol, '/')
                          THEN (fee::DOUBLE / price::DOUBLE)::DECIMAL(38, 18) ELSE 0 END AS qty,
                   CASE WHEN contains(symbol, '/') THEN 1e-8 ELSE 0 END AS slack
            FROM new_fills
            UNION ALL
            SELECT strategy, symbol, qty, CASE kind WHEN 'fee' THEN abs(qty) ELSE 0 END
            FROM new_activities WHERE symbol IS NOT NULL AND qty IS NOT NULL
        ) GROUP BY strategy, symbol""",
    # The positions that must follow, where the strategy certainly began without any.
    """CREATE OR REPLACE TEMP TABLE expected AS
        SELECT m.* FROM moved AS m
        JOIN (SELECT strategy, arg_min(cash, ts) AS cash, arg_min(market_value, ts) AS held
              FROM new_equity GROUP BY strategy) AS e USING (strategy)
        JOIN new_pnl_daily AS p USING (strategy)
        WHERE e.held = 0 AND e.cash = p.start_equity AND strategy <> 'UNASSIGNED'
          AND symbol NOT IN (SELECT symbol FROM new_discrepancies WHERE symbol IS NOT NULL)""",
)
"""Sums that several checks share, as temporary tables."""

ORDERS_AND_FILLS = (
    Check(
        "orders",
        "filled_qty",
        (),
        """
        SELECT row_no, strategy, filled_qty || ' is more than the ordered qty ' || qty
        FROM new_orders WHERE filled_qty > qty""",
    ),
    Check(
        "orders",
        "filled_avg_price",
        (),
        """
        SELECT row_no, strategy, 'is missing, although filled_qty is ' || filled_qty
        FROM new_orders WHERE filled_qty > 0 AND filled_avg_price IS NULL""",
    ),
    Check(
        "orders",
        "filled_qty",
        ("fills",),
        """
        SELECT o.row_no, o.strategy,
               o.filled_qty || ' is not the sum of its fills, ' || coalesce(f.qty, 0)
        FROM own_orders AS o LEFT JOIN filled AS f USING (client_order_id)
        WHERE o.filled_qty <> coalesce(f.qty, 0)""",
    ),
    Check(
        "fills",
        "qty",
        ("orders",),
        """
        SELECT x.row_no, x.strategy, 'the fills of ' || o.client_order_id || ' sum to ' || f.qty
               || ', its order says ' || o.filled_qty
        FROM own_orders AS o JOIN filled AS f USING (client_order_id)
        JOIN new_fills AS x USING (client_order_id) WHERE o.filled_qty <> f.qty""",
    ),
    Check(
        "orders",
        "filled_avg_price",
        ("fills",),
        """
        SELECT o.row_no, o.strategy, o.filled_avg_price || ' is not the average of its fills, '
               || (f.notional::DOUBLE / f.qty::DOUBLE)
        FROM own_orders AS o JOIN filled AS f USING (client_order_id)
        WHERE f.qty > 0 AND f.notional > 1 AND o.filled_qty = f.qty
          AND abs(o.filled_avg_price::DOUBLE * f.qty::DOUBLE / f.notional::DOUBLE - 1) > 1e-4""",
    ),
    Check(
        "fills",
        "client_order_id",
        ("orders",),
        """
        SELECT row_no, strategy, '''' || client_order_id || ''' is no order of the session'
        FROM new_fills WHERE client_order_id IS NOT NULL AND strategy <> 'UNASSIGNED'
          AND client_order_id NOT IN (SELECT client_order_id FROM new_orders)""",
    ),
    Check(
        "fills",
        "strategy",
        ("orders",),
        """
        SELECT f.row_no, f.strategy, '''' || f.strategy || ''' differs from its order''s '''
               || o.strategy || ''''
        FROM new_fills AS f JOIN new_orders AS o USING (client_order_id)
        WHERE f.strategy <> o.strategy""",
    ),
    Check(
        "fills",
        "symbol",
        ("orders",),
        """
        SELECT f.row_no, f.strategy, '''' || f.symbol || ''' differs from its order''s '''
               || o.symbol || ''''
        FROM new_fills AS f JOIN new_orders AS o USING (client_order_id)
        WHERE f.symbol <> o.symbol""",
    ),
    Check(
        "fills",
        "side",
        ("orders",),
        """
        SELECT f.row_no, f.strategy, '''' || f.side || ''' differs from its order''s '''
               || o.side || ''''
        FROM new_fills AS f JOIN new_orders AS o USING (client_order_id)
        WHERE f.side <> o.side""",
    ),
    Check(
        "fills",
        "fee",
        (),
        """
        SELECT row_no, strategy, fee || ' is no fee of ' || qty || ' at ' || price
        FROM new_fills
        WHERE (qty > 0 AND fee < 0) OR (qty < 0 AND fee > 0)
           OR abs(fee) > abs(money_product(qty, price))""",
    ),
    Check(
        "fills",
        "execution_id",
        ("sessions",),
        """
        SELECT n.row_no, n.strategy, '''' || n.execution_id || ''' is already in session '
               || f.session_id || ' for ' || f.strategy
        FROM new_fills AS n JOIN new_sessions AS mine ON mine.mode IN ('paper', 'live')
        JOIN fills AS f ON f.execution_id = n.execution_id AND f.session_id <> n.session_id
        JOIN sessions AS s ON s.session_id = f.session_id
             AND s.account = mine.account AND s.mode = mine.mode
        WHERE f.session_date BETWEEN mine.session_date - 7 AND mine.session_date + 7""",
    ),
)

POSITIONS = (
    Check(
        "positions",
        "market_value",
        (),
        """
        SELECT row_no, strategy, market_value || ' is not ' || qty || ' x ' || mark_price
        FROM new_positions WHERE abs(market_value - money_product(qty, mark_price)) > 1e-6""",
    ),
    Check(
        "positions",
        "qty",
        ("fills", "activities", "equity", "pnl_daily"),
        """
        SELECT p.row_no, p.strategy,
               p.qty || ' of ' || p.symbol || ', but the fills leave ' || e.qty
        FROM new_positions AS p JOIN expected AS e USING (strategy, symbol)
        WHERE abs(p.qty - e.qty) > e.slack""",
    ),
    Check(
        "strategies",
        "strategy",
        ("fills", "activities", "equity", "pnl_daily", "positions"),
        """
        SELECT s.row_no, strategy,
               'no positions row for ' || e.symbol || ', of which the fills leave ' || e.qty
        FROM new_strategies AS s JOIN expected AS e USING (strategy)
        ANTI JOIN new_positions AS p USING (strategy, symbol) WHERE abs(e.qty) > e.slack""",
    ),
    Check(
        "equity",
        "equity",
        (),
        """
        SELECT row_no, strategy, equity || ' is not cash ' || cash || ' + market_value '
               || market_value
        FROM new_equity WHERE equity <> cash + market_value""",
    ),
    Check(
        "equity",
        "market_value",
        ("positions",),
        """
        SELECT e.row_no, e.strategy, e.market_value || ' at the end is not the positions'' '
               || coalesce(p.held, 0)
        FROM (SELECT * FROM new_equity QUALIFY row_number() OVER (
                  PARTITION BY strategy ORDER BY ts DESC) = 1) AS e
        LEFT JOIN (SELECT strategy, sum(market_value) AS held FROM new_positions
                   GROUP BY strategy) AS p USING (strategy)
        JOIN new_sessions AS s ON s.status <> 'open' AND s.mode <> 'backtest'
        WHERE abs(e.market_value - coalesce(p.held, 0)) > 1e-6""",
    ),
)

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
        ("fills", "activities"),
        """
        SELECT p.row_no, p.strategy, p.fees || ' is not the sum of the fills'' fees and the fee '
               || 'activities, ' || (coalesce(f.fee, 0) - coalesce(a.amount, 0))
        FROM new_pnl_daily AS p
        LEFT JOIN (SELECT strategy, sum(fee) AS fee FROM new_fills GROUP BY strategy) AS f
             USING (strategy)
        LEFT JOIN (SELECT strategy, sum(amount) AS amount FROM new_activities WHERE kind = 'fee'
                   GROUP BY strategy) AS a USING (strategy)
        WHERE p.fees <> coalesce(f.fee, 0) - coalesce(a.amount, 0)""",
    ),
    Check(
        "pnl_daily",
        "fills",
        ("fills",),
        """
        SELECT p.row_no, p.strategy, p.fills || ' is not the number of executions, '
               || coalesce(f.executions, 0)
        FROM new_pnl_daily AS p
        LEFT JOIN (SELECT strategy, count(*) AS executions, sum(sign(qty)) AS unbusted
                   FROM new_fills GROUP BY strategy) AS f USING (strategy)
        JOIN new_sessions AS s ON s.mode <> 'backtest' OR f.executions IS NOT NULL
        WHERE p.fills NOT BETWEEN coalesce(f.unbusted, 0) AND coalesce(f.executions, 0)""",
    ),
    Check(
        "pnl_daily",
        "end_equity",
        ("equity",),
        """
        SELECT p.row_no, p.strategy, p.end_equity || ' is not the last equity row''s, '
               || coalesce(e.equity::TEXT, 'which is missing')
        FROM new_pnl_daily AS p
        LEFT JOIN (SELECT strategy, arg_max(equity, ts) AS equity FROM new_equity
                   GROUP BY strategy) AS e USING (strategy)
        JOIN new_sessions AS s ON s.mode <> 'backtest' OR e.equity IS NOT NULL
        WHERE e.equity IS DISTINCT FROM p.end_equity""",
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

BARS = (
    Check(
        "bars",
        "high",
        (),
        """
        SELECT row_no, NULL, 'high ' || high || ' and low ' || low || ' do not enclose open '
               || open || ' and close ' || close
        FROM new_bars WHERE high < greatest(open, close, low) OR low > least(open, close, high)""",
    ),
)

SUMS = ORDERS_AND_FILLS + POSITIONS + DAYS + BARS
"""Whether the rows that belong to the session agree with each other."""


def contradictions(
    connection: duckdb.DuckDBPyConnection,
    checks: Iterable[Check],
    touched: Mapping[str, set[str | None]],
) -> list[Rejection]:
    """Rows that `checks` find at fault among the frames registered as `new_<table>`.

    `touched` holds, per table, the strategies of rows refused before (None: not to be told).
    """
    found = []
    for statement in PREPARATION:
        connection.execute(statement)
    for check in checks:
        lost = set[str | None]().union(*(touched.get(table, set()) for table in check.sums))
        if None in lost:
            continue
        found += [
            Rejection(check.table, check.column, row_no, complaint)
            for row_no, strategy, complaint in connection.execute(check.sql).fetchall()
            if strategy not in lost
        ]
    return found
