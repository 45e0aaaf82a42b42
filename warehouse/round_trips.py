"""Round trips: what was bought and sold again, matched first in, first out, session by session.

Each session starts from the lots that the one before left open, so a load costs what its session
costs. Loading an older session again replays the later ones until their lots no longer change.
Long only: a sale of what no loaded execution bought has no entry, and makes no round trip.
"""

from __future__ import annotations

import duckdb

# The session's chain: itself and what came after it on the account, in order.
_CHAIN = """
    SELECT later.session_id FROM sessions AS s JOIN sessions AS later
      ON later.account = s.account AND later.mode = s.mode
     AND (later.opened_at, later.session_id) >= (s.opened_at, s.session_id)
    WHERE s.session_id = ? ORDER BY later.opened_at, later.session_id
"""
# Lots that were open before, in units after this session's splits.
_CARRIED = """
    CREATE OR REPLACE TEMP TABLE carried AS
    WITH before AS (
        SELECT l.* FROM open_lots AS l WHERE l.session_id = (
            SELECT earlier.session_id FROM sessions AS s JOIN sessions AS earlier
              ON earlier.account = s.account AND earlier.mode = s.mode
             AND (earlier.opened_at, earlier.session_id) < (s.opened_at, s.session_id)
            WHERE s.session_id = $1
            ORDER BY earlier.opened_at DESC, earlier.session_id DESC LIMIT 1)
    ), added AS (
        SELECT strategy, symbol, sum(qty) AS qty FROM activities
        WHERE session_id = $1 AND kind = 'split' AND qty IS NOT NULL GROUP BY strategy, symbol
    ), ratios AS (
        SELECT strategy, symbol, any_value(a.qty)::DOUBLE / sum(b.qty)::DOUBLE + 1 AS ratio
        FROM before AS b JOIN added AS a USING (strategy, symbol) GROUP BY strategy, symbol
    )
    SELECT b.* EXCLUDE (session_id, qty, price),
           CASE WHEN ratio IS NULL THEN b.qty
                ELSE (b.qty::DOUBLE * ratio)::DECIMAL(38, 18) END AS qty,
           CASE WHEN ratio IS NULL THEN b.price
                ELSE (b.price::DOUBLE / ratio)::DECIMAL(38, 18) END AS price
    FROM before AS b LEFT JOIN ratios USING (strategy, symbol)
"""
# Every purchase and sale covers a stretch [starts, ends) of all that went in or out. A sale covers
# no more than was there: `oversold` is by how much sales exceeded purchases at the worst moment.
_STRETCHES = """
    CREATE OR REPLACE TEMP TABLE stretches AS
    WITH moves AS (
        SELECT strategy, symbol, 'buy' AS side, execution_id, filled_at, price, qty, fee, place
        FROM carried
        UNION ALL
        SELECT strategy, symbol, side, execution_id, filled_at, price, qty - coin_fee, fee,
               2000000000 + row_number() OVER (ORDER BY filled_at, side, execution_id)
        FROM stg_fills WHERE session_id = $1
    ), balanced AS (
        SELECT *, sum(CASE side WHEN 'buy' THEN qty ELSE -qty END) OVER (
            PARTITION BY strategy, symbol ORDER BY place ROWS UNBOUNDED PRECEDING) AS balance
        FROM moves
    ), worst AS (
        SELECT *, greatest(0, -min(balance) OVER (
            PARTITION BY strategy, symbol ORDER BY place ROWS UNBOUNDED PRECEDING)) AS oversold
        FROM balanced
    ), covering AS (
        SELECT *, qty - oversold + coalesce(lag(oversold) OVER (
            PARTITION BY strategy, symbol ORDER BY place), 0) AS covered
        FROM worst
    )
    SELECT row_number() OVER (ORDER BY place, strategy, symbol) AS id,
           strategy, symbol, side, execution_id, filled_at, price, qty, fee, place, covered,
           sum(covered) OVER (PARTITION BY strategy, symbol, side ORDER BY place
                              ROWS UNBOUNDED PRECEDING) AS ends,
           ends - covered AS starts
    FROM covering WHERE covered > 0
"""
# Cut at every border of either side, each piece has one entry and one exit.
_ROUND_TRIPS = """
    INSERT INTO round_trips BY NAME
    WITH borders AS (
        SELECT strategy, symbol, starts AS border, id,
               CASE side WHEN 'buy' THEN id END AS entry, CASE side WHEN 'sell' THEN id END AS exit
        FROM stretches
    ), pieces AS (
        SELECT border, lead(border) OVER by_border AS next_border,
               max(entry) OVER by_border AS entry, -- the latest, since ids grow with borders
               max(exit) OVER by_border AS exit
        FROM borders
        WINDOW by_border AS (PARTITION BY strategy, symbol ORDER BY border, id
                             ROWS UNBOUNDED PRECEDING)
    ), matched AS (
        SELECT i, o, border, least(i.ends, o.ends, coalesce(next_border, i.ends)) - border AS qty
        FROM pieces AS p
        JOIN stretches AS i ON i.id = p.entry -- by id alone, or a planner that has no statistics
        JOIN stretches AS o ON o.id = p.exit -- yet may pair all entries with all exits
    )
    SELECT $1 AS session_id, i.strategy AS strategy, i.symbol AS symbol, qty,
           i.price AS entry_price, o.price AS exit_price,
           i.filled_at AS entered_at, o.filled_at AS exited_at,
           money_product(qty, o.price - i.price) AS gross_pnl,
           fee_share(i.fee, i.qty, border - i.starts, border - i.starts + qty)
           + fee_share(o.fee, o.qty, border - o.starts, border - o.starts + qty) AS fees,
           i.execution_id AS entry_execution_id, o.execution_id AS exit_execution_id
    FROM matched WHERE qty > 0
"""
_OPEN_LOTS = """
    INSERT INTO open_lots BY NAME
    WITH sold AS (
        SELECT strategy, symbol, max(ends) AS sold FROM stretches WHERE side = 'sell'
        GROUP BY strategy, symbol
    ), left_over AS (
        SELECT b.*, least(greatest(coalesce(sold, 0) - starts, 0), b.qty) AS used
        FROM stretches AS b LEFT JOIN sold USING (strategy, symbol) WHERE b.side = 'buy'
    )
    SELECT $1 AS session_id, strategy, symbol, qty - used AS qty, price,
           fee_share(fee, qty, used, qty) AS fee, filled_at, execution_id,
           row_number() OVER (PARTITION BY strategy, symbol ORDER BY place) AS place
    FROM left_over WHERE qty > used
"""
_FINGERPRINT = "SELECT count(*), sum(hash(l))::TEXT FROM open_lots AS l WHERE session_id = ?"


def match_round_trips(connection: duckdb.DuckDBPyConnection, session_id: str) -> None:
    """Matches the session anew, and the later ones as far as its open lots matter to them.

    The session's fills must be stored; the caller holds the transaction.
    """
    for (later,) in connection.execute(_CHAIN, [session_id]).fetchall():
        before = connection.execute(_FINGERPRINT, [later]).fetchall()
        connection.execute("DELETE FROM round_trips WHERE session_id = ?", [later])
        connection.execute("DELETE FROM open_lots WHERE session_id = ?", [later])
        for statement in (_CARRIED, _STRETCHES):
            connection.execute(statement, [later])
        for statement in (_ROUND_TRIPS, _OPEN_LOTS):
            connection.execute(statement, [later])
        if later != session_id and connection.execute(_FINGERPRINT, [later]).fetchall() == before:
            return
