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
# Lots that were open before, in units after this session's splits. Of a variant whose details are
# not kept here nobody knows what became of them.
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
    SELECT row_number() OVER (ORDER BY strategy, symbol, place) AS id,
           b.* EXCLUDE (session_id, place, qty, price),
           CASE WHEN ratio IS NULL THEN b.qty
                ELSE (b.qty::DOUBLE * ratio)::DECIMAL(38, 18) END AS qty,
           CASE WHEN ratio IS NULL THEN b.price
                ELSE (b.price::DOUBLE / ratio)::DECIMAL(38, 18) END AS price
    FROM before AS b LEFT JOIN ratios USING (strategy, symbol)
    WHERE strategy NOT IN (
        SELECT strategy FROM variants WHERE session_id = $1 AND details = 'none')
"""
# Every purchase and sale covers a stretch [starts, ends) of all that went in or out. A sale covers
# no more than was there: `oversold` is by how much sales exceeded purchases at the worst moment.
# Carried lots come first, and an id grows with its strategy's and symbol's stretches.
_STRETCHES = """
    CREATE OR REPLACE TEMP TABLE stretches AS
    WITH moves AS (
        SELECT id, strategy, symbol, 'buy' AS side, execution_id, filled_at, price, qty, fee
        FROM carried
        UNION ALL
        SELECT 2000000000 + row_number() OVER (ORDER BY filled_at, side, execution_id),
               strategy, symbol, side, execution_id, filled_at, price, qty - coin_fee, fee
        FROM stg_fills WHERE session_id = $1
    ), summed AS (
        SELECT *, coalesce(sum(qty) FILTER (side = 'buy') OVER so_far, 0) AS bought,
               coalesce(sum(qty) FILTER (side = 'sell') OVER so_far, 0) AS sold
        FROM moves
        WINDOW so_far AS (PARTITION BY strategy, symbol ORDER BY id ROWS UNBOUNDED PRECEDING)
    ), worst AS (
        SELECT *, greatest(0, max(sold - bought) OVER (
                   PARTITION BY strategy, symbol ORDER BY id ROWS UNBOUNDED PRECEDING)) AS oversold,
               greatest(0, max(sold - bought) OVER (
                   PARTITION BY strategy, symbol ORDER BY id
                   ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)) AS oversold_before
        FROM summed
    )
    SELECT id, strategy, symbol, side, execution_id, filled_at, price, qty, fee,
           CASE side WHEN 'buy' THEN bought ELSE sold - oversold END AS ends,
           ends - (qty - oversold + oversold_before) AS starts
    FROM worst WHERE ends > starts
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
        SELECT i.strategy, i.symbol, border, i.price AS entry_price, o.price AS exit_price,
               least(i.ends, o.ends, coalesce(next_border, i.ends)) - border AS qty,
               i.filled_at AS entered_at, o.filled_at AS exited_at,
               i.execution_id AS entry_execution_id, o.execution_id AS exit_execution_id,
               i.fee AS entry_fee, i.qty AS entry_qty, border - i.starts AS entry_from,
               o.fee AS exit_fee, o.qty AS exit_qty, border - o.starts AS exit_from
        FROM pieces AS p
        JOIN stretches AS i ON i.id = p.entry -- by id alone, or a planner that has no statistics
        JOIN stretches AS o ON o.id = p.exit -- yet may pair all entries with all exits
    )
    SELECT $1 AS session_id, strategy, symbol, qty, entry_price, exit_price, entered_at, exited_at,
           money_product(qty, exit_price - entry_price) AS gross_pnl,
           fee_share(entry_fee, entry_qty, entry_from, entry_from + qty)
           + fee_share(exit_fee, exit_qty, exit_from, exit_from + qty) AS fees,
           entry_execution_id, exit_execution_id
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
           row_number() OVER (PARTITION BY strategy, symbol ORDER BY id) AS place
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
