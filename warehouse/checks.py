"""What the rows of one session owe each other: every cross-table check, in one place.

A check is one SELECT over the session's frames (`new_<table>`) that returns the rows at fault as
(row_no, strategy, complaint). A row that another one contradicts is refused, since nobody can tell
which of the two is right. A check that sums a table from which rows of the same strategy were
refused before says nothing about that strategy: one bad row must not drag its neighbours along.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import duckdb

from warehouse.frames import Rejection
from warehouse.sums import PREPARATION


@dataclass(frozen=True, slots=True)
class Check:
    """Rows of `table` that `sql` returns are wrong in `column`, given what `sums` hold."""

    table: str
    column: str
    sums: tuple[str, ...]
    sql: str


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
        SELECT row_no, strategy, filled_qty || ' is not the sum of its fills, ' || qty
        FROM own_orders WHERE filled_qty <> qty""",
    ),
    Check(
        "fills",
        "qty",
        ("orders",),
        """
        SELECT x.row_no, x.strategy, 'the fills of ' || o.client_order_id || ' sum to ' || o.qty
               || ', its order says ' || o.filled_qty
        FROM own_orders AS o JOIN new_fills AS x USING (client_order_id)
        WHERE o.filled_qty <> o.qty""",
    ),
    Check(
        "orders",
        "filled_avg_price",
        ("fills",),
        """
        WITH unequal AS (
            FROM own_orders WHERE qty > 0 AND filled_qty = qty
              AND (filled_avg_price <> lowest OR filled_avg_price <> highest)
        ), paid AS (
            SELECT client_order_id, sum(money_product(qty, price)) AS notional FROM new_fills
            WHERE client_order_id IN (SELECT client_order_id FROM unequal)
            GROUP BY client_order_id
        )
        SELECT row_no, strategy, filled_avg_price || ' is not the average of its fills, '
               || (notional::DOUBLE / qty::DOUBLE)
        FROM unequal JOIN paid USING (client_order_id)
        WHERE notional > 1
          AND abs(filled_avg_price::DOUBLE * qty::DOUBLE / notional::DOUBLE - 1) > 1e-4""",
    ),
    Check(
        "fills",
        "client_order_id",
        ("orders",),
        """
        SELECT row_no, strategy, '''' || client_order_id || ''' is no order of the session'
        FROM unlike WHERE order_id IS NULL AND strategy <> 'UNASSIGNED'""",
    ),
    Check(
        "fills",
        "strategy",
        ("orders",),
        """
        SELECT row_no, strategy, '''' || strategy || ''' differs from its order''s '''
               || order_strategy || ''''
        FROM unlike WHERE strategy <> order_strategy""",
    ),
    Check(
        "fills",
        "symbol",
        ("orders",),
        """
        SELECT row_no, strategy, '''' || symbol || ''' differs from its order''s '''
               || order_symbol || ''''
        FROM unlike WHERE symbol <> order_symbol""",
    ),
    Check(
        "fills",
        "side",
        ("orders",),
        """
        SELECT row_no, strategy, '''' || side || ''' differs from its order''s '''
               || order_side || ''''
        FROM unlike WHERE side <> order_side""",
    ),
    Check(
        "fills",
        "fee",
        (),
        """
        SELECT row_no, strategy, fee || ' is no fee of ' || qty || ' at ' || price
        FROM new_fills
        WHERE fee <> 0 AND ((qty > 0 AND fee < 0) OR (qty < 0 AND fee > 0)
                            OR abs(fee) > abs(money_product(qty, price)))""",
    ),
    Check(
        "fills",
        "execution_id",
        ("sessions",),
        """
        SELECT n.row_no, n.strategy, '''' || n.execution_id || ''' is already in session '
               || f.session_id || ' for ' || f.strategy
        FROM new_sessions AS mine
        JOIN sessions AS s ON s.account = mine.account AND s.mode = mine.mode
             AND s.session_id <> mine.session_id
        JOIN fills AS f ON f.session_id = s.session_id
        JOIN new_fills AS n ON n.execution_id = f.execution_id
        WHERE mine.mode IN ('paper', 'live')
          AND s.session_date BETWEEN mine.session_date - 7 AND mine.session_date + 7""",
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
               p.qty || ' of ' || p.symbol || ', but the fills leave ' || coalesce(e.qty, 0)
        FROM new_positions AS p JOIN traced USING (strategy)
        LEFT JOIN expected AS e USING (strategy, symbol)
        WHERE abs(p.qty - coalesce(e.qty, 0)) > coalesce(e.slack, 0)
          AND symbol NOT IN (SELECT symbol FROM new_discrepancies WHERE symbol IS NOT NULL)""",
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
        FROM ends AS e
        LEFT JOIN (SELECT strategy, sum(market_value) AS held FROM new_positions
                   GROUP BY strategy) AS p USING (strategy)
        JOIN new_sessions AS s ON s.status <> 'open'
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

DISCREPANCIES = (
    Check(
        "discrepancies",
        "kind",
        (),
        """
        SELECT row_no, NULL, '''' || kind || ''' is what only the end of day finds'
        FROM new_discrepancies WHERE kind IN ('journal', 'fill', 'fee')""",
    ),
)

SUMS = ORDERS_AND_FILLS + POSITIONS + DAYS + BARS + DISCREPANCIES
"""Whether the rows that belong to the session agree with each other."""


def contradictions(
    connection: duckdb.DuckDBPyConnection,
    checks: Iterable[Check],
    touched: Mapping[str, set[str | None]],
    filled: Collection[str],
) -> list[Rejection]:
    """Rows that `checks` find at fault among the frames registered as `new_<table>`.

    `touched` holds, per table, the strategies of rows refused before (None: not to be told).
    `filled` names the tables that have rows at all.
    """
    for statement in PREPARATION:
        connection.execute(statement)
    asked = [(check, _lost(check, touched)) for check in checks if check.table in filled]
    asked = [(check, lost) for check, lost in asked if None not in lost]
    if not asked or not connection.execute(_at_once(asked)).fetchall():
        return []
    return [
        Rejection(check.table, check.column, row_no, complaint)
        for check, lost in asked
        for row_no, strategy, complaint in connection.execute(check.sql).fetchall()
        if strategy not in lost
    ]


def _lost(check: Check, touched: Mapping[str, set[str | None]]) -> set[str | None]:
    return set[str | None]().union(*(touched.get(table, set()) for table in check.sums))


def _at_once(asked: Iterable[tuple[Check, set[str | None]]]) -> str:
    """All checks as one statement, since planning each costs more than most answers do."""
    return "\nUNION ALL\n".join(f"({check.sql})" for check, _ in asked)
