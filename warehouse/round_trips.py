"""Round trips: purchases matched with sales, first in, first out, session by session.

Each session starts from the lots that the one before left open, so a load's cost depends on its own
session only. Sessions stand as they opened; for a strategy that moved to one that had opened before
the one that it left, in the order in which it was in them. Loading an older session again matches
the later ones anew until their lots no longer change. A correction stands where the execution stood
that it corrects. What is sold beyond all that is held, by a human or because a purchase was taken
back after its sale, is a short lot, which the next purchases buy back. A sale of what was held
without a loaded purchase makes no round trip.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from warehouse.columns import MONEY, attos, codes, from_attos
from warehouse.lots import ATTO, Book, Change, Kind, Lot, Matches, splits_first
from warehouse.write import for_each_table

# The session and the account's later ones, each with the one before it. A strategy's own sessions
# stand in the order in which it was in them.
_CHAIN = """
    WITH turns AS (
        SELECT session_id, row_number() OVER turn AS n, lag(session_id) OVER turn AS before
        FROM sessions AS s
        LEFT JOIN (FROM joined WHERE strategy = $2) AS j USING (session_id)
        WHERE (account, mode) = (SELECT (account, mode) FROM sessions WHERE session_id = $1)
        WINDOW turn AS (ORDER BY coalesce(joined_at, opened_at), opened_at, session_id)
    )
    SELECT session_id, before FROM turns
    WHERE n >= (SELECT n FROM turns WHERE session_id = $1) ORDER BY n
"""
# Who came into a session from one that opened later: for others, sessions stand as they opened.
_MOVED_BACK = """
    SELECT DISTINCT j.strategy
    FROM joined AS j JOIN sessions AS s USING (session_id)
    JOIN strategies AS e ON e.strategy = j.strategy
    JOIN sessions AS o ON o.session_id = e.session_id AND o.account = s.account AND o.mode = s.mode
     AND o.opened_at BETWEEN s.opened_at AND j.joined_at AND o.session_id <> s.session_id
    WHERE (s.account, s.mode) = (SELECT (account, mode) FROM sessions WHERE session_id = $1)
    ORDER BY j.strategy
"""
# Lots that were open before, the session's fills, and what else changed positions: what a split
# takes and what it gives are booked one by one at one time.
# Lots of a variant without details here are dropped: their fate is unknown.
_MOVES = """
    FROM (
        SELECT place, strategy, symbol, if(qty > 0, 'buy', 'sell') AS kind, execution_id, filled_at,
               price, abs(qty) AS qty, 0 AS coin_fee, coalesce(abs(cost), 0) AS worth, fee
        FROM open_lots WHERE session_id = $2 AND strategy NOT IN (
            SELECT strategy FROM variants WHERE session_id = $1 AND details = 'none')
        UNION ALL
        SELECT NULL, strategy, symbol, side, execution_id, made_at, price, qty, coin_fee, 0, fee
        FROM stg_fills WHERE session_id = $1
        UNION ALL
        SELECT NULL, strategy, symbol, what, min(activity_id),
               if(what = 'late split', '9999-12-31', coalesce(booked_at, '9999-12-31')),
               0, sum(qty), 0, 0, 0
        FROM (SELECT a.*, CASE WHEN kind <> 'split' THEN 'move'
                               WHEN a.session_date > s.session_date THEN 'late split'
                               ELSE 'split' END AS what
              FROM activities AS a JOIN sessions AS s USING (session_id)
              WHERE session_id = $1 AND a.symbol IS NOT NULL AND a.qty IS NOT NULL)
        GROUP BY strategy, symbol, what, booked_at
    ) WHERE list_contains($3, strategy) = $4
"""
_KINDS = {
    "buy": (Kind.EXECUTION, 1),
    "sell": (Kind.EXECUTION, -1),
    **{kind.value: (kind, 1) for kind in (Kind.MOVE, Kind.SPLIT, Kind.LATE_SPLIT)},
}
"""By the word in _MOVES: what it is, and the sign of its quantity."""
_OF_ONE_OWNER = ("place", "filled_at", "kind", "execution_id")
_IN_ORDER = [(name, "ascending") for name in ("strategy", "symbol", *_OF_ONE_OWNER)]
"""Lots carried over have a place, and come first."""
_AMOUNTS = ("qty", "coin_fee", "price", "worth", "fee")
# A refused position is held all the same: its lots are the next session's. Without a quantity that
# can be read it is NULL.
_HELD = """
    SELECT strategy, symbol, qty FROM positions WHERE session_id = $1
    UNION ALL
    SELECT row->>'strategy', row->>'symbol', max(TRY_CAST((row->>'qty') AS DECIMAL(38, 18)))
    FROM quarantine AS q
    WHERE session_id = $1 AND table_name = 'positions' AND NOT EXISTS (
        FROM positions AS p WHERE p.session_id = $1 AND p.strategy = (q.row->>'strategy')
                              AND p.symbol = (q.row->>'symbol'))
    GROUP BY ALL
"""
_ROUND_TRIPS = "INSERT INTO round_trips BY NAME SELECT $1 AS session_id, * FROM new_round_trips"
_OPEN_LOTS = """
    INSERT INTO open_lots BY NAME
    SELECT $1 AS session_id, * EXCLUDE (no),
           row_number() OVER (PARTITION BY strategy, symbol ORDER BY no) AS place
    FROM new_open_lots
"""
_FORGET = for_each_table(
    "DELETE FROM $table WHERE session_id = $$1 AND list_contains($$2, strategy) = $$3",
    ("round_trips", "open_lots"),
)
_FINGERPRINT = """
    SELECT count(*), sum(hash(l))::TEXT FROM open_lots AS l
    WHERE session_id = $1 AND list_contains($2, strategy) = $3
"""
_MOST = 10**38
"""The first amount, in units of 1e-18, that the warehouse's decimals cannot hold."""


Choice = tuple[list[str], bool]
"""Whose trades are matched: these strategies' alone, or with False those of all others."""


def match_round_trips(connection: duckdb.DuckDBPyConnection, session_id: str) -> None:
    """Matches the session anew, and later ones until its open lots no longer matter to them.

    The session's rows must be stored; the caller holds the transaction.
    """
    moved = [name for (name,) in connection.execute(_MOVED_BACK, [session_id]).fetchall()]
    _match_chain(connection, session_id, None, (moved, False))
    for name in moved:
        _match_chain(connection, session_id, name, ([name], True))


def _match_chain(
    connection: duckdb.DuckDBPyConnection, session_id: str, strategy: str | None, whose: Choice
) -> None:
    """Matches the session and those after it, in the strategy's order, or as they opened."""
    for later, before in connection.execute(_CHAIN, [session_id, strategy]).fetchall():
        was = connection.execute(_FINGERPRINT, [later, *whose]).fetchall()
        for statement in _FORGET.values():
            connection.execute(statement, [later, *whose])
        _match_one(connection, later, before, whose)
        found = connection.execute(_FINGERPRINT, [later, *whose]).fetchall()
        if later != session_id and found == was:
            return


def _match_one(
    connection: duckdb.DuckDBPyConnection, session_id: str, before: str | None, whose: Choice
) -> None:
    found = connection.sql(_MOVES, params=[session_id, before, *whose])
    moves = found.to_arrow_table().sort_by(_IN_ORDER)
    if not moves.num_rows:
        return
    held = connection.sql(_HELD, params=[session_id]).to_arrow_table()
    owners = zip(held["strategy"].to_pylist(), held["symbol"].to_pylist(), strict=True)
    known, qty = held["qty"].is_valid().to_pylist(), attos(held["qty"].fill_null(0))
    held_qty = {o: n if k else None for o, n, k in zip(owners, qty, known, strict=True)}
    matches, lots = _first_in_first_out(moves, held_qty)
    for name, rows, sql in (
        ("new_round_trips", _trips(moves, matches), _ROUND_TRIPS),
        ("new_open_lots", _left_over(moves, lots), _OPEN_LOTS),
    ):
        if rows.num_rows:
            connection.register(name, rows)
            connection.execute(sql, [session_id])


def _first_in_first_out(
    moves: pa.Table, held: dict[tuple[str, str], int | None]
) -> tuple[Matches, list[tuple[int, Lot]]]:
    """The matches of purchases and sales, and the lots that remain open, with their signs.

    `held` are the positions at the session's end; None is one that nobody knows, and then the lots
    are all that was held.
    """
    kinds = [_KINDS[word] for word in moves["kind"].to_pylist()]
    carried = moves["place"].is_valid().to_pylist()
    qty, coins, price, worth, fee = (attos(moves[name]) for name in _AMOUNTS)
    size = [gross - coin for gross, coin in zip(qty, coins, strict=True)]
    worth = list(map(_worth, worth, qty, coins, price))
    matches = Matches()
    lots: list[tuple[int, Lot]] = []
    for owner, own in _owners(moves):
        # Made for one book at a time: Python's collector would go over those of all books.
        rows = map(Lot, range(own.start, own.stop), size[own], worth[own], price[own], fee[own])
        changes = [
            (kind, row, sign * row.size) for (kind, sign), row in zip(kinds[own], rows, strict=True)
        ]
        found, news = changes[: sum(carried[own])], changes[sum(carried[own]) :]
        at_end = held.get(owner, 0)
        if at_end is None:
            at_end = sum(units for _, _, units in changes)
        book = Book(at_end - sum(units for _, _, units in news), matches)
        for _, lot, units in found:
            book.lots[1 if units > 0 else -1].append(lot)
        if any(kind is Kind.SPLIT for kind, _, _ in news):
            news = splits_first(news, book.held)
        _play(book, news)
        lots += ((sign, lot.rest()) for sign in book.lots for lot in book.lots[sign])
    return matches, lots


def _owners(moves: pa.Table) -> Iterator[tuple[tuple[str, str], slice]]:
    """Each strategy and ticker, and which rows are its own."""
    (strategies, names), (symbols, tickers) = (codes(moves[n]) for n in ("strategy", "symbol"))
    owners = strategies * len(tickers) + symbols
    starts = np.flatnonzero(np.diff(owners, prepend=-1)).tolist()
    for start, end in pairwise([*starts, len(owners)]):
        strategy, symbol = divmod(int(owners[start]), len(tickers))
        yield (names[strategy], tickers[symbol]), slice(start, end)


def _play(book: Book, changes: Iterable[Change]) -> None:
    for kind, deal, qty in changes:
        match kind:
            case Kind.EXECUTION:
                book.execute(deal, buys=qty > 0)
            case Kind.MOVE:
                book.move(qty)
            case Kind.SPLIT | Kind.LATE_SPLIT:
                book.split(qty)


def _worth(known: int, qty: int, coins: int, price: int) -> int:
    """The dollars of a row: a purchase's are net of the fee in coin, as its units are."""
    return known or _product(qty, price) - (_product(coins, price) if coins else 0)


def _product(qty: int, price: int) -> int:
    """Dollars, rounded half-even as the books round them."""
    whole, rest = divmod(qty * price, ATTO)
    return whole + (2 * rest + (whole & 1) > ATTO)


def _trips(moves: pa.Table, matches: Matches) -> pa.Table:
    bought, sold = (
        moves.take(pa.array(rows, pa.int64())) for rows in (matches.entries, matches.exits)
    )
    return pa.table(
        {
            "strategy": sold["strategy"],
            "symbol": sold["symbol"],
            "qty": from_attos(matches.qty),
            "entry_price": from_attos(matches.entry_prices),
            "exit_price": from_attos(matches.exit_prices),
            "entered_at": bought["filled_at"],
            "exited_at": sold["filled_at"],
            "gross_pnl": _amounts(matches.gross),
            "fees": from_attos(matches.fees),
            "entry_execution_id": bought["execution_id"],
            "exit_execution_id": sold["execution_id"],
        }
    )


def _left_over(moves: pa.Table, lots: Sequence[tuple[int, Lot]]) -> pa.Table:
    numbers = pa.array([lot.no for _, lot in lots], pa.int64())
    kept = ["strategy", "symbol", "filled_at", "execution_id"]
    columns = {
        "qty": from_attos([sign * lot.size for sign, lot in lots]),
        "price": from_attos([lot.price for _, lot in lots]),
        "cost": _amounts([sign * lot.worth for sign, lot in lots]),
        "fee": from_attos([lot.fee for _, lot in lots]),
        "no": numbers,
    }
    left = moves.take(numbers).select(kept)
    for name, column in columns.items():
        left = left.append_column(name, column)
    return left


def _amounts(values: Sequence[int]) -> pa.Array:
    """A column of amounts; NULL where one is larger than any amount that the warehouse holds."""
    fits = [-_MOST < value < _MOST for value in values]
    if all(fits):
        return from_attos(values)
    held = [value if small else 0 for value, small in zip(values, fits, strict=True)]
    return pc.if_else(pa.array(fits), from_attos(held), pa.scalar(None, MONEY))
