"""Results that views would otherwise compute anew for each query: stored with each session's load.

They are in tables of the loader's own, and derive from the session's rows in the other tables
alone. Zero amounts are not divided: converting an amount to a double is most of the cost.
"""

from __future__ import annotations

import duckdb

from warehouse.curve import Curves

_CURVES = (
    """INSERT INTO equity_curve BY NAME
    SELECT session_id, strategy, ts, cash, market_value, equity, peak,
           CASE WHEN peak <= 0 THEN NULL WHEN peak = equity THEN 0
                ELSE (peak - equity)::DOUBLE / peak::DOUBLE END AS drawdown
    FROM new_curves""",
    """INSERT INTO exposures BY NAME
    SELECT session_id, strategy, favg(part) AS average,
           max(CASE WHEN market_value < 0 THEN -part ELSE part END) AS highest
    FROM (SELECT session_id, strategy, market_value,
                 CASE WHEN market_value = 0 AND equity <> 0 THEN 0
                      ELSE market_value::DOUBLE / nullif(equity, 0)::DOUBLE END AS part
          FROM new_equity)
    GROUP BY session_id, strategy""",
)
_JOINED = """
    INSERT INTO joined BY NAME
    SELECT s.session_id, f.strategy, f.ts AS joined_at
    FROM new_firsts AS f JOIN new_sessions AS s ON f.ts > s.opened_at
"""
_SLIPPAGES = """
    INSERT INTO slippages BY NAME
    SELECT * EXCLUDE (worse),
           CASE WHEN worse = 0 THEN 0
                ELSE worse::DOUBLE / decision_price::DOUBLE * 10000 END AS slippage_bps,
           CASE WHEN worse = 0 THEN 0 ELSE money_product(qty, worse) END AS slippage_cost
    FROM (
        SELECT f.session_id, f.session_date, f.strategy, f.symbol, f.side, client_order_id,
               f.execution_id, f.qty, o.decision_price, f.price, o.decided_at, f.filled_at,
               CASE f.side WHEN 'buy' THEN f.price - o.decision_price
                           ELSE o.decision_price - f.price END AS worse
        FROM stg_fills AS f JOIN new_orders AS o USING (client_order_id, strategy)
        WHERE f.session_id = $1 AND o.decision_price IS NOT NULL
    )
"""


def store_derived(connection: duckdb.DuckDBPyConnection, session_id: str, curves: Curves) -> None:
    """Computes and stores a session's results after its fills are written.

    Its accepted frames must be registered as `new_<table>`, and `curves` are of its accepted
    equity; the caller holds the transaction.
    """
    connection.register("new_curves", curves.rows)
    connection.register("new_firsts", curves.firsts())
    for statement in (*_CURVES, _JOINED):
        connection.execute(statement)
    connection.execute(_SLIPPAGES, [session_id])
