"""The cross-table checks of one session's rows, and how they are run.

A check is one SELECT over the session's frames (`new_<table>`) that returns the rows at fault as
(row_no, strategy, complaint). Both of two contradicting rows are refused, since either may be
wrong. A check that sums a table skips a strategy of which rows of that table have been refused: one
bad row must not take its neighbours with it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import duckdb

from warehouse.frames import Rejection
from warehouse.sums import PREPARATION


@dataclass(frozen=True, slots=True)
class Check:
    """Rows of `table` that `sql` returns are wrong in `column`; `sums` are the tables it sums."""

    table: str
    column: str
    sums: tuple[str, ...]
    sql: str


def _as_in_order(column: str) -> Check:
    """A fill's value in this column must equal its order's."""
    sql = """
        SELECT row_no, strategy, '''' || COLUMN || ''' differs from its order''s '''
               || order_COLUMN || ''''
        FROM unlike WHERE COLUMN <> order_COLUMN"""
    return Check("fills", column, ("orders",), sql.replace("COLUMN", column))


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
          AND abs(filled_avg_price::DOUBLE * qty::DOUBLE / notional::DOUBLE - 1) > 1e-4
          AND abs(filled_avg_price::DOUBLE - notional::DOUBLE / qty::DOUBLE) > 1e-9""",
    ),
    Check(
        "fills",
        "client_order_id",
        ("orders",),
        """
        SELECT row_no, strategy, '''' || client_order_id || ''' is no order of the session'
        FROM unlike WHERE order_id IS NULL AND strategy <> 'UNASSIGNED'""",
    ),
    *map(_as_in_order, ("strategy", "symbol", "side")),
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

ELSEWHERE = (
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
"""Checks against sessions that are stored already."""

SUMS = ORDERS_AND_FILLS + POSITIONS + BARS + DISCREPANCIES
"""Checks of the session's rows against each other; those of days are in day_checks.py."""


def prepare(connection: duckdb.DuckDBPyConnection) -> None:
    """Makes the tables for checks of a session's own rows, from its frames and `day_before`."""
    for statement in PREPARATION:
        connection.execute(statement)


def contradictions(
    connection: duckdb.DuckDBPyConnection,
    checks: Iterable[Check],
    touched: Mapping[str, set[str | None]],
    filled: Collection[str],
) -> list[Rejection]:
    """The rows that `checks` find at fault among the frames registered as `new_<table>`.

    All checks but ELSEWHERE need `prepare`. `touched` are, by table, the strategies of rows refused
    before (None: an unreadable one). `filled` names the tables that have rows.
    """
    runs = [(check, _skipped(check, touched)) for check in checks if check.table in filled]
    runs = [(check, skipped) for check, skipped in runs if None not in skipped]
    if not runs or not connection.execute(_at_once(runs)).fetchall():
        return []
    return [
        Rejection(check.table, check.column, row_no, complaint)
        for check, skipped in runs
        for row_no, strategy, complaint in connection.execute(check.sql).fetchall()
        if strategy not in skipped
    ]


def _skipped(check: Check, touched: Mapping[str, set[str | None]]) -> set[str | None]:
    """The strategies of which a check may lack rows."""
    return set[str | None]().union(*(touched.get(table, set()) for table in check.sums))


def _at_once(runs: Iterable[tuple[Check, set[str | None]]]) -> str:
    """All checks as one statement, since planning one costs more than running most."""
    return "\nUNION ALL\n".join(f"({check.sql})" for check, _ in runs)
