"""Proves from Arrow's columns that the rows of a session agree with each other.

The checks of checks.py and day_checks.py are the contract and alone report contradictions, but
planning their statements costs more than storing the rows. So a session that is proved here is not
checked again; any doubt, and anything rare (a fee taken in coin, a split, an order of an earlier
session), is left to them. Tests hold the two to the same answer.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, localcontext
from typing import Any, TypeAlias

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from warehouse.columns import ATTO, MONEY, doubles, halves, total
from warehouse.curve import Curves
from warehouse.schemas import UNASSIGNED

Tables: TypeAlias = Mapping[str, pa.Table]
Holdings: TypeAlias = dict[tuple[str, str], Decimal]

_NOTHING = pa.scalar(Decimal(0), MONEY)
_NEAR = Decimal("5e-7")
"""Half the checks' tolerance for amounts, since some are computed in floats here."""
_EXACT = 80
"""Digits of decimals: a product of two amounts has no more."""
_BEFORE = "SELECT strategy, end_equity, is_bare FROM day_before"
_HELD_BEFORE = """
    SELECT strategy, symbol, qty FROM day_before JOIN positions USING (session_id, strategy)
"""


@dataclass(frozen=True, slots=True)
class Before:
    """The end of the session before: equity by strategy, strategies without details, positions."""

    equity: Mapping[str, Decimal]
    bare: frozenset[str]
    held: Holdings


def read_before(connection: duckdb.DuckDBPyConnection) -> Before:
    """Reads the end of the session before from the temporary table `day_before`."""
    left = connection.execute(_BEFORE).fetchall()
    held = connection.execute(_HELD_BEFORE).fetchall() if left else []
    return Before(
        {strategy: equity for strategy, equity, _ in left},
        frozenset(strategy for strategy, _, is_bare in left if is_bare),
        {(strategy, symbol): qty for strategy, symbol, qty in held},
    )


def agree(new: Tables, curves: Curves, before: Before) -> bool:
    """Whether certainly no check would refuse any of these rows, all of which passed so far."""
    with localcontext(prec=_EXACT):
        return (
            _is_plain(new)
            and _bars_enclose(new["bars"])
            and _orders_match_fills(new["sessions"], new["orders"], new["fills"])
            and _fees_are_plausible(new["fills"])
            and _equity_sums(new["equity"])
            and _Day(new, curves, before).agrees()
        )


def _is_plain(new: Tables) -> bool:
    """Whether executions alone moved positions, with all details, and without fees in coin."""
    if new["variants"].num_rows or new["discrepancies"].num_rows:
        return False
    in_coin = pc.and_(
        pc.match_substring(new["fills"]["symbol"], "/"), _nonzero(new["fills"]["fee"])
    )
    return not pc.any(in_coin).as_py() and new["activities"]["qty"].null_count == len(
        new["activities"]
    )


def _bars_enclose(bars: pa.Table) -> bool:
    return all(
        _all(pc.greater_equal(bars["high"], bars[name]))
        and _all(pc.less_equal(bars["low"], bars[name]))
        for name in ("open", "close", "low")
    )


def _orders_match_fills(session: pa.Table, orders: pa.Table, fills: pa.Table) -> bool:
    begun = session["opened_at"][0]
    own = pc.coalesce(orders["decided_at"], orders["submitted_at"], begun)
    places = pc.index_in(
        fills["client_order_id"], value_set=orders["client_order_id"].combine_chunks()
    )
    if places.null_count or not _all(pc.greater_equal(own, begun)):
        return False
    places = places.combine_chunks()
    alike = all(
        _all(pc.equal(orders[name].take(places), fills[name]))
        for name in ("strategy", "symbol", "side")
    )
    return (
        alike
        and not pc.any(pc.greater(orders["filled_qty"], orders["qty"])).as_py()
        and _quantities_are_sums(orders, fills, places)
        and _prices_are_averages(orders, fills, places)
    )


def _quantities_are_sums(orders: pa.Table, fills: pa.Table, places: pa.Array) -> bool:
    sums = (
        pa.table({"place": places, "qty": fills["qty"]})
        .group_by("place")
        .aggregate([("qty", "sum")])
    )
    wanted = halves(orders["filled_qty"])
    found = np.zeros_like(wanted)
    found[sums["place"].to_numpy()] = halves(sums["qty_sum"])
    return np.array_equal(found, wanted)


def _prices_are_averages(orders: pa.Table, fills: pa.Table, places: pa.Array) -> bool:
    """Whether each filled order has an average price, equal to that of its executions."""
    traded = _nonzero(orders["filled_qty"])
    if pc.any(pc.and_(traded, pc.is_null(orders["filled_avg_price"]))).as_py():
        return False
    stated = orders["filled_avg_price"].take(places)
    if stated.null_count == 0 and _all(pc.equal(stated, fills["price"])):
        return True
    where, size = places.to_numpy(), len(orders)
    qty, price = (doubles(halves(fills[name])) / ATTO for name in ("qty", "price"))
    paid, filled = np.bincount(where, qty * price, size), np.bincount(where, qty, size)
    averages = doubles(halves(pc.fill_null(orders["filled_avg_price"], _NOTHING))) / ATTO
    kept = filled > 0
    return bool(
        (paid[kept] > 0).all()
        and (np.abs(averages[kept] * filled[kept] / paid[kept] - 1) < 0.9e-4).all()
    )


def _fees_are_plausible(fills: pa.Table) -> bool:
    fee, qty, price = (doubles(halves(fills[name])) / ATTO for name in ("fee", "qty", "price"))
    return bool(((fee == 0) | ((fee * qty > 0) & (np.abs(fee) < 0.99 * np.abs(qty * price)))).all())


def _equity_sums(equity: pa.Table) -> bool:
    sums = total(halves(equity["cash"]), halves(equity["market_value"]))
    return np.array_equal(sums, halves(equity["equity"]))


class _Day:
    """The strategies' days against the other rows, by a few figures for each."""

    def __init__(self, new: Tables, curves: Curves, before: Before) -> None:
        self._before = before
        self._days = new["pnl_daily"].to_pylist()
        self._strategies = new["strategies"]["strategy"].to_pylist()
        self._positions = new["positions"].to_pylist()
        self._booked = defaultdict[tuple[str, str], Decimal](Decimal)
        for row in new["activities"].to_pylist():
            self._booked[row["strategy"], row["kind"]] += row["amount"] or Decimal(0)
        self._falls = curves.falls()
        lines = pa.array(curves.begins[:-1]), pa.array(curves.begins[1:] - 1)
        self._first, self._last = (
            {row["strategy"]: row for row in curves.rows.take(places).to_pylist()}
            for places in lines
        )
        self._moved, self._fees, self._counts = _executed(new["fills"])

    def agrees(self) -> bool:
        """Whether certainly no check of days and positions would refuse a row."""
        return (
            {day["strategy"] for day in self._days} >= set(self._strategies)
            and all(map(self._is_sound, self._days))
            and self._positions_match_fills()
            and self._values_match_equity()
        )

    def _is_sound(self, day: Mapping[str, Any]) -> bool:
        strategy, start, end, net = (
            day[name] for name in ("strategy", "start_equity", "end_equity", "net_pnl")
        )
        last = self._last.get(strategy)
        transfers = self._booked[strategy, "transfer"]
        fees = self._fees.get(strategy, Decimal(0)) - self._booked[strategy, "fee"]
        least, most = self._counts.get(strategy, (0, 0))
        return (
            net == end - start - transfers
            and net == day["realized_pnl"] + day["unrealized_change"] - fees
            and (day["transfers"], day["fees"]) == (transfers, fees)
            and start == self._before.equity.get(strategy, start)
            and last is not None
            and last["equity"] == end
            and least <= day["fills"] <= most
            and _is_share(day["return_pct"], net, start + transfers)
            and _is_fall(day["max_drawdown"], self._falls[strategy])
        )

    def _positions_match_fills(self) -> bool:
        """Whether strategies with known initial positions hold those plus their executions."""
        traced = {day["strategy"] for day in self._days if self._is_traced(day)}
        expected = dict(self._before.held)
        for place, qty in self._moved.items():
            expected[place] = expected.get(place, Decimal(0)) + qty
        stated = {(row["strategy"], row["symbol"]): row["qty"] for row in self._positions}
        return _of(traced, expected) == _of(traced, stated)

    def _is_traced(self, day: Mapping[str, Any]) -> bool:
        strategy = day["strategy"]
        if strategy in self._before.equity and strategy not in self._before.bare:
            return True
        first = self._first[strategy]
        begun = first["market_value"] == 0 and first["cash"] == day["start_equity"]
        return bool(begun) and strategy != UNASSIGNED

    def _values_match_equity(self) -> bool:
        """Whether positions are valued at their marks, and sum to the last equity row's value."""
        worth: dict[str, Decimal] = {}
        for row in self._positions:
            value, mark = row["market_value"], row["mark_price"]
            if value is None or mark is None or abs(value - row["qty"] * mark) > _NEAR:
                return False
            worth[row["strategy"]] = worth.get(row["strategy"], Decimal(0)) + value
        return all(
            abs(row["market_value"] - worth.get(strategy, 0)) <= _NEAR
            for strategy, row in self._last.items()
        )


def _executed(fills: pa.Table) -> tuple[Holdings, dict[str, Decimal], dict[str, tuple[int, int]]]:
    """The executions' net quantities, fees, and counts without and with busts."""
    sums = (
        fills.select(["strategy", "symbol", "side", "qty", "fee"])
        .append_column("sign", pc.sign(fills["qty"]).cast(pa.int64()))
        .group_by(["strategy", "symbol", "side"])
        .aggregate([("qty", "sum"), ("fee", "sum"), ("sign", "sum"), ("sign", "count")])
    )
    moved, fees = Holdings(), dict[str, Decimal]()
    counts = dict[str, tuple[int, int]]()
    for row in sums.to_pylist():
        strategy, place = row["strategy"], (row["strategy"], row["symbol"])
        qty = row["qty_sum"] if row["side"] == "buy" else -row["qty_sum"]
        moved[place] = moved.get(place, Decimal(0)) + qty
        fees[strategy] = fees.get(strategy, Decimal(0)) + row["fee_sum"]
        least, most = counts.get(strategy, (0, 0))
        counts[strategy] = least + row["sign_sum"], most + row["sign_count"]
    return moved, fees, counts


def _of(strategies: set[str], holdings: Holdings) -> Holdings:
    return {place: qty for place, qty in holdings.items() if qty and place[0] in strategies}


def _is_share(stated: float | None, gain: Decimal, capital: Decimal) -> bool:
    if capital < 0:
        return True
    if stated is None or capital == 0:
        return stated == 0
    return abs(stated - float(gain) / float(capital)) < 0.9e-9


def _is_fall(stated: float | None, fall: float) -> bool:
    return stated is not None and abs(stated - fall) <= 0.5e-15 * max(fall, 1)


def _nonzero(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.not_equal(column, _NOTHING)


def _all(found: pa.ChunkedArray) -> bool:
    return found.null_count == 0 and bool(pc.all(found, min_count=0).as_py())
