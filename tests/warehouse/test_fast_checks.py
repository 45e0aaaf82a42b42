"""A session that is vouched for has nothing that the checks would refuse, and a plain one is."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from decimal import Context, Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.warehouse.builder import Day, Source, d
from warehouse import Store, load_session
from warehouse.checks import contradictions, prepare
from warehouse.columns import MONEY, attos, difference, doubles, from_attos, halves, total
from warehouse.curve import draw
from warehouse.day_before import find_day_before
from warehouse.fast_checks import agree, read_before
from warehouse.frames import read_frame
from warehouse.judging import CHECKS
from warehouse.schemas import TABLES


def first_day() -> Day:
    day = Day(tickers={"Alpha": ["SPY"], "Beta": ["BTC/USD"]}, mode="paper")
    day.buy("Alpha", "SPY", "10", "450.25", "0.01")
    day.sell("Alpha", "SPY", "4", "451", "0.02")
    day.buy("Beta", "BTC/USD", "0.5", "60000")
    return day


def second_day(after: Day) -> Day:
    day = after.next_day("s2")
    day.bar("SPY", "452")
    bought = day.buy("Alpha", "SPY", "3", "452")
    day.bust(bought)
    day.sell("Alpha", "SPY", "6", "449.5", "0.02")
    day.activity("Alpha", "fee", "-0.03")
    day.activity("Beta", "transfer", "100")
    return day


def judged(store: Store, source: Source) -> tuple[bool, list[str]]:
    """Whether the source's session is vouched for, and what the checks would refuse of it."""
    frames, refused = {}, list[str]()
    for name, table in TABLES.items():
        frame, found = read_frame(table, source.tables[name])
        frames[name], refused = frame, refused + [r.reason for r in found]
        store.connection.register(f"new_{name}", frame.arrow)
    if refused:
        return False, refused
    find_day_before(store.connection, None)
    tables = {name: frame.arrow for name, frame in frames.items()}
    vouched = agree(
        tables, draw(tables["equity"], tables["activities"]), read_before(store.connection)
    )
    prepare(store.connection)
    filled = [name for name, rows in tables.items() if len(rows)]
    return vouched, [r.reason for r in contradictions(store.connection, CHECKS, {}, filled)]


def test_days_that_only_trade_and_book_dollars_are_vouched_for(store: Store) -> None:
    first = first_day()
    assert judged(store, first.source()) == (True, [])
    assert load_session(store, first.source()).status == "loaded"
    assert judged(store, second_day(first).source()) == (True, [])


def test_an_order_of_two_executions_is_vouched_for_by_its_average(store: Store) -> None:
    day = first_day()
    day.buy("Alpha", "SPY", "2", "450")
    source = day.source()
    *_, order = source.tables["orders"]
    *_, fill = source.tables["fills"]
    fill |= {"qty": d(1), "price": d("449.5")}
    source.tables["fills"].append(fill | {"execution_id": "more", "price": d("450.5")})
    source.tables["pnl_daily"][0]["fills"] += 1
    assert judged(store, source) == (True, [])
    order["filled_avg_price"] = d("450.5")
    assert judged(store, source)[0] is False


@pytest.mark.parametrize(("average", "refused"), [("4512e-9", False), ("4511e-9", True)])
def test_the_average_of_a_coin_that_costs_next_to_nothing_is_as_exact_as_the_broker_tells_it(
    store: Store, average: str, refused: bool
) -> None:
    day = Day(tickers={"Alpha": ["PEPE/USD"]})
    day.buy("Alpha", "PEPE/USD", "200000000", "45125e-10")
    source = day.source()
    (order,), (fill,) = source.tables["orders"], source.tables["fills"]
    fill |= {"qty": d("1e8"), "price": d("4512e-9")}
    source.tables["fills"].append(fill | {"execution_id": "more", "price": d("4513e-9")})
    source.tables["pnl_daily"][0]["fills"] += 1
    order["filled_avg_price"] = d(average)  # in billionths of a dollar
    reasons = judged(store, source)[1]
    assert [reason.partition(" row")[0] for reason in reasons] == (
        ["orders.filled_avg_price"] if refused else []
    )


@pytest.mark.parametrize("fee_in_coin", ["1.5", "0"])
def test_a_fee_taken_in_coin_is_left_to_the_checks(store: Store, fee_in_coin: str) -> None:
    day = Day()
    day.buy("Beta", "BTC/USD", "0.5", "60000", fee_in_coin)
    assert judged(store, day.source()) == (fee_in_coin == "0", [])


def test_many_coins_that_cost_next_to_nothing_are_held_less_their_fee(store: Store) -> None:
    day = Day(tickers={"Alpha": ["PEPE/USD"]}, cash="200000")
    fee_of_70_million_coins = "366.940000013027790582"
    day.buy("Alpha", "PEPE/USD", "28000000000.994108269", "0.000005242", fee_of_70_million_coins)
    assert judged(store, day.source()) == (False, [])


def changed(value: object) -> list[Any]:
    """Other values of the same kind, some of them near."""
    match value:
        case Decimal():
            near = [value + d(text) for text in ("1e-18", "1e-7", "-1e-3", "1", "-7")]
            return [*near, -value, d(0), None]
        case datetime():
            return [value + timedelta(minutes=m) for m in (-900, -1, 1, 900)]
        case date():
            return [value + timedelta(days=1)]
        case bool() | int():
            return [value + 1, value - 1]
        case float():
            return [value + 1e-16, value + 1e-14, value - 1e-10, value + 1e-8, 0.0]
        case str():
            return ["Alpha", "Beta", "UNASSIGNED", "SPY", "buy", "sell", "open", "rejected", ""]
        case _:
            return [d(1), "SPY"]


def spoiled(rows: list[dict[str, Any]]) -> Iterator[str]:
    """Changes the values of the first and the last row to others, one by one, and back."""
    for row in {id(row): row for row in (rows[0], rows[-1])}.values():
        for column, value in list(row.items()):
            for other in changed(value):
                row[column] = other
                yield f"{column} {value} -> {other}"
            row[column] = value


SPOILED = [name for name in TABLES if name not in ("discrepancies", "variants", "faults")]


@pytest.mark.slow
@pytest.mark.parametrize("table", SPOILED)
def test_whatever_is_changed_in_a_day_nothing_is_vouched_for_that_a_check_refuses(
    store: Store, table: str
) -> None:
    first = first_day()
    load_session(store, first.source())
    source, refused = second_day(first).source(), 0
    for change in spoiled(source.tables[table]):
        is_vouched, found = judged(store, source)
        assert not (is_vouched and found), (change, found)
        refused += bool(found)
    assert refused


@pytest.mark.parametrize("missing", ["strategies", "orders", "fills", "positions", "pnl_daily"])
def test_a_day_that_lacks_a_row_is_not_vouched_for(store: Store, missing: str) -> None:
    source = first_day().source()
    source.tables[missing].pop(0)
    assert judged(store, source)[0] is (missing == "strategies")


EXACT = Context(prec=60)
amounts = st.integers(-(10**33), 10**33)


@given(st.lists(st.tuples(amounts, amounts), min_size=1))
def test_amounts_as_whole_numbers_are_exact(pairs: list[tuple[int, int]]) -> None:
    left, right = (pa.chunked_array([from_attos(side)]) for side in zip(*pairs, strict=True))
    assert left.type == MONEY
    assert left.to_pylist() == [Decimal(one).scaleb(-18, EXACT) for one, _ in pairs]
    assert attos(left) == [one for one, _ in pairs]
    for found, wanted in (
        (total(halves(left), halves(right)), [a + b for a, b in pairs]),
        (difference(halves(left), halves(right)), [a - b for a, b in pairs]),
    ):
        assert [(int(high) << 64) + int(low) for low, high in found.tolist()] == wanted
        assert doubles(found).tolist() == pytest.approx(list(map(float, wanted)), rel=4e-16, abs=0)
