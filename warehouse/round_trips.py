"""Round trips: purchases matched with sales, first in, first out, session by session.

Each session starts from the lots that the one before left open, so a load's cost depends on its own
session only. Loading an older session again matches the later ones anew until their lots no longer
change. Long only: a sale without a loaded purchase makes no round trip.
"""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import dataclass, field
from string import Template

import duckdb
import numpy as np
import pyarrow as pa

from warehouse.columns import attos, codes, from_attos

# The session's chain: itself and the later sessions of the account, in order.
_CHAIN = """
    SELECT later.session_id FROM sessions AS s JOIN sessions AS later
      ON later.account = s.account AND later.mode = s.mode
     AND (later.opened_at, later.session_id) >= (s.opened_at, s.session_id)
    WHERE s.session_id = ? ORDER BY later.opened_at, later.session_id
"""
# Lots that were open before, and then the session's fills.
# Lots of a variant without details here are dropped: their fate is unknown.
_MOVES = """
    CREATE OR REPLACE TEMP TABLE moves AS
    SELECT $1 AS session_id, place, strategy, symbol, 'buy' AS side, execution_id, filled_at, price,
           qty, fee
    FROM open_lots WHERE session_id = (
        SELECT earlier.session_id FROM sessions AS s JOIN sessions AS earlier
          ON earlier.account = s.account AND earlier.mode = s.mode
         AND (earlier.opened_at, earlier.session_id) < (s.opened_at, s.session_id)
        WHERE s.session_id = $1
        ORDER BY earlier.opened_at DESC, earlier.session_id DESC LIMIT 1)
      AND strategy NOT IN (
        SELECT strategy FROM variants WHERE session_id = $1 AND details = 'none')
    UNION ALL
    SELECT session_id, NULL, strategy, symbol, side, execution_id, filled_at, price, qty - coin_fee,
           fee
    FROM stg_fills WHERE session_id = $1
"""
# What changed lots besides fills, and whether after the session.
_CHANGES = """
    SELECT DISTINCT a.kind, a.session_date > s.session_date
    FROM activities AS a JOIN sessions AS s USING (session_id)
    WHERE session_id = $1 AND (a.kind = 'split' AND a.qty IS NOT NULL
                               OR a.kind = 'transfer' AND a.qty < 0)
"""
# A split comes before the session's fills or, $2, after them. Its units go to all that was held,
# bought here or not: to what was left at the end without what has come since. They are shared to
# the last digit: no dust remains once all is sold.
_SPLIT = Template("""
    WITH given AS (
        SELECT a.strategy, a.symbol, a.qty, a.kind = 'split' AS is_split,
               a.kind = 'split' AND a.session_date > s.session_date AS is_late
        FROM activities AS a JOIN sessions AS s USING (session_id)
        WHERE session_id = $$1 AND a.qty IS NOT NULL
    ), added AS (
        SELECT strategy, symbol, sum(qty) AS qty FROM given WHERE is_split AND is_late = $$2
        GROUP BY strategy, symbol
    ), held AS (
        SELECT strategy, symbol, sum(qty) AS qty FROM (
            SELECT strategy, symbol, qty FROM positions WHERE session_id = $$1
            UNION ALL SELECT strategy, symbol, -qty FROM given WHERE is_late OR NOT $$2
            UNION ALL
            SELECT strategy, symbol, CASE side WHEN 'buy' THEN coin_fee - qty ELSE qty END
            FROM stg_fills WHERE session_id = $$1 AND NOT $$2)
        GROUP BY strategy, symbol
    ), grown AS (
        SELECT strategy, symbol, place,
               l.qty + fee_share(a.qty, greatest(sum(l.qty) OVER lots, h.qty),
                   sum(l.qty) OVER so_far - l.qty, sum(l.qty) OVER so_far) AS units
        FROM (FROM $lots WHERE session_id = $$1 AND place IS NOT NULL) AS l
        JOIN added AS a USING (strategy, symbol) JOIN held AS h USING (strategy, symbol)
        WINDOW lots AS (PARTITION BY strategy, symbol),
               so_far AS (PARTITION BY strategy, symbol ORDER BY place ROWS UNBOUNDED PRECEDING)
    )
    UPDATE $lots SET qty = g.units, price =
           CASE WHEN g.units = $lots.qty OR g.units <= 0 THEN price
                ELSE (price::DOUBLE * ($lots.qty::DOUBLE / g.units::DOUBLE))::DECIMAL(38, 18) END
    FROM grown AS g WHERE ($lots.session_id, $lots.strategy, $lots.symbol, $lots.place)
                        = ($$1, g.strategy, g.symbol, g.place)
""")
# Shares that left a book by a transfer are no entry of a later sale: of its lots, the oldest beyond
# what is held afterwards are dropped. `qty` is what is held, without splits that come yet. At the
# end they are dropped once more: an execution that was corrected has come anew since.
_GONE = """
    WITH moved AS (
        SELECT strategy, symbol, filled_at AS at,
               CASE side WHEN 'buy' THEN qty - coin_fee ELSE -qty END AS qty
        FROM stg_fills WHERE session_id = $1
        UNION ALL
        SELECT strategy, symbol, if(kind = 'split', 'infinity', booked_at), a.qty
        FROM activities AS a JOIN sessions AS s USING (session_id)
        WHERE session_id = $1 AND (kind <> 'split' OR a.session_date > s.session_date)
    )
    INSERT INTO moves BY NAME
    SELECT session_id, strategy, symbol, 'gone' AS side, activity_id AS execution_id,
           a.at AS filled_at, 0 AS price, 0 AS fee,
           greatest(0, coalesce(p.qty, 0) - coalesce((
               SELECT sum(m.qty) FROM moved AS m
               WHERE (m.strategy, m.symbol) = (a.strategy, a.symbol) AND m.at > a.at
           ), 0)) AS qty
    FROM (SELECT *, unnest([booked_at, '9999-12-31']) AS at FROM activities
          WHERE session_id = $1 AND kind = 'transfer' AND qty < 0) AS a
    LEFT JOIN positions AS p USING (session_id, strategy, symbol)
"""
_IN_ORDER = [(name, "ascending") for name in ("place", "filled_at", "side", "execution_id")]
"""Lots carried over have a place, and come first."""
_ROUND_TRIPS = """
    INSERT INTO round_trips BY NAME
    SELECT $1 AS session_id, strategy, symbol, qty, entry_price, exit_price, entered_at, exited_at,
           money_product(qty, exit_price - entry_price) AS gross_pnl,
           fee_share(entry_fee, entry_qty, entry_from, entry_from + qty)
           + fee_share(exit_fee, exit_qty, exit_from, exit_from + qty) AS fees,
           entry_execution_id, exit_execution_id
    FROM new_round_trips
"""
_OPEN_LOTS = """
    INSERT INTO open_lots BY NAME
    SELECT $1 AS session_id, strategy, symbol, qty - used AS qty, price,
           fee_share(fee, qty, used, qty) AS fee, filled_at, execution_id,
           row_number() OVER (PARTITION BY strategy, symbol ORDER BY no) AS place
    FROM new_open_lots
"""
_FINGERPRINT = "SELECT count(*), sum(hash(l))::TEXT FROM open_lots AS l WHERE session_id = ?"


@dataclass(slots=True)
class _Lot:
    """The rest of the purchase in row `no` of the moves; quantities in units of 1e-18."""

    no: int
    used: int
    left: int


@dataclass(frozen=True, slots=True)
class _Matched:
    """For each match: the rows of purchase and sale, the quantity, and its start in each."""

    entries: list[int] = field(default_factory=list)
    exits: list[int] = field(default_factory=list)
    entries_from: list[int] = field(default_factory=list)
    exits_from: list[int] = field(default_factory=list)
    taken: list[int] = field(default_factory=list)


def match_round_trips(connection: duckdb.DuckDBPyConnection, session_id: str) -> None:
    """Matches the session anew, and later ones until its open lots no longer matter to them.

    The session's fills must be stored; the caller holds the transaction.
    """
    for (later,) in connection.execute(_CHAIN, [session_id]).fetchall():
        before = connection.execute(_FINGERPRINT, [later]).fetchall()
        connection.execute("DELETE FROM round_trips WHERE session_id = ?", [later])
        connection.execute("DELETE FROM open_lots WHERE session_id = ?", [later])
        _match_one(connection, later)
        if later != session_id and connection.execute(_FINGERPRINT, [later]).fetchall() == before:
            return


def _match_one(connection: duckdb.DuckDBPyConnection, session_id: str) -> None:
    connection.execute(_MOVES, [session_id])
    changes = set(connection.execute(_CHANGES, [session_id]).fetchall())
    if ("split", False) in changes:
        connection.execute(_SPLIT.substitute(lots="moves"), [session_id, False])
    if any(kind == "transfer" for kind, _ in changes):
        connection.execute(_GONE, [session_id])
    moves = connection.table("moves").to_arrow_table().sort_by(_IN_ORDER)
    matched, lots = _first_in_first_out(moves)
    for name, rows, sql in (
        ("new_round_trips", _trips(moves, matched), _ROUND_TRIPS),
        ("new_open_lots", _left_over(moves, lots), _OPEN_LOTS),
    ):
        if rows.num_rows:
            connection.register(name, rows)
            connection.execute(sql, [session_id])
    if ("split", True) in changes:
        connection.execute(_SPLIT.substitute(lots="open_lots"), [session_id, True])


def _first_in_first_out(moves: pa.Table) -> tuple[_Matched, list[_Lot]]:
    """The matches of purchases and sales, and the lots that remain open."""
    owners = np.stack([codes(moves[name])[0] for name in ("strategy", "symbol")])
    sides = moves["side"].to_pylist()
    waiting = defaultdict[tuple[int, int], deque[_Lot]](deque)
    matched = _Matched()
    for no, (owner, side, qty) in enumerate(
        zip(zip(*owners.tolist(), strict=True), sides, attos(moves["qty"]), strict=True)
    ):
        if side == "sell":
            _sell(waiting[owner], no, qty, matched)
        elif side == "gone":
            _drop(waiting[owner], sum(lot.left for lot in waiting[owner]) - qty)
        elif qty > 0:
            waiting[owner].append(_Lot(no, 0, qty))
    return matched, [lot for lots in waiting.values() for lot in lots]


def _sell(lots: deque[_Lot], no: int, qty: int, matched: _Matched) -> None:
    """Takes from the oldest lots; a quantity beyond them makes no round trip."""
    sold = 0
    while lots and sold < qty:
        lot = lots[0]
        taken = min(lot.left, qty - sold)
        matched.entries.append(lot.no)
        matched.exits.append(no)
        matched.entries_from.append(lot.used)
        matched.exits_from.append(sold)
        matched.taken.append(taken)
        sold, lot.used, lot.left = sold + taken, lot.used + taken, lot.left - taken
        if not lot.left:
            lots.popleft()


def _drop(lots: deque[_Lot], qty: int) -> None:
    """Takes from the oldest lots what left without a sale."""
    while qty > 0:
        lot = lots[0]
        taken = min(lot.left, qty)
        qty, lot.used, lot.left = qty - taken, lot.used + taken, lot.left - taken
        if not lot.left:
            lots.popleft()


def _trips(moves: pa.Table, matched: _Matched) -> pa.Table:
    entries, exits = (moves.take(pa.array(m, pa.int64())) for m in (matched.entries, matched.exits))
    return pa.table(
        {
            "strategy": exits["strategy"],
            "symbol": exits["symbol"],
            "qty": from_attos(matched.taken),
            "entry_price": entries["price"],
            "exit_price": exits["price"],
            "entered_at": entries["filled_at"],
            "exited_at": exits["filled_at"],
            "entry_fee": entries["fee"],
            "exit_fee": exits["fee"],
            "entry_qty": entries["qty"],
            "exit_qty": exits["qty"],
            "entry_from": from_attos(matched.entries_from),
            "exit_from": from_attos(matched.exits_from),
            "entry_execution_id": entries["execution_id"],
            "exit_execution_id": exits["execution_id"],
        }
    )


def _left_over(moves: pa.Table, lots: list[_Lot]) -> pa.Table:
    numbers = pa.array([lot.no for lot in lots], pa.int64())
    left = moves.take(numbers).append_column("no", numbers)
    return left.append_column("used", from_attos([lot.used for lot in lots]))
