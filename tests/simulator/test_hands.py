"""A human at the same account, and executions that are taken back: told, booked, listed."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from typing import Any

import pytest
import requests
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from simulator.amends import bust, correct
from simulator.errors import Rejection
from simulator.server import Simulator
from simulator.values import Side
from tests.simulator.bench import Bench, bar
from tests.simulator.plays import KEYS, get, order, updates

Start = Callable[..., Simulator]


def said(updates: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(each["event"], each["order"]["symbol"]) for each in updates]


def test_a_human_trades_on_the_same_account(scripted: Start) -> None:
    simulator = scripted(
        {"at": "10:01", "kind": "hand_trade", "symbol": "SPY", "side": "buy", "qty": 3},
        {"at": "10:02", "kind": "hand_trade", "symbol": "BTC/USD", "side": "buy", "qty": "0.1"},
        {"at": "10:03", "kind": "hand_trade", "symbol": "SPY", "side": "sell", "qty": 1},
    )
    told = asyncio.run(updates(simulator, 3))
    lives = [(event, name) for name in ("SPY", "BTC/USD", "SPY") for event in NORMAL]
    assert said(told) == lives
    for each in told:
        assert len(each["order"]["client_order_id"]) == 36  # a uuid, as the dashboard's are
    assert told[-1]["position_qty"] == "2"
    assert simulator.snapshot().positions == {"SPY": 2, "BTC/USD": Decimal("0.09975")}


NORMAL = ("pending_new", "new", "fill")


def test_a_silent_hand_is_seen_by_rest_alone(scripted: Start) -> None:
    simulator = scripted(
        {"at": "10:01", "kind": "hand_trade", "symbol": "SPY", "side": "buy", "qty": 3,
         "silent": True},
        {"at": "10:02", "kind": "hand_trade", "symbol": "QQQ", "side": "buy", "qty": 1},
    )  # fmt: skip
    assert said(asyncio.run(updates(simulator, 3))) == [(event, "QQQ") for event in NORMAL]
    (filled,) = get(simulator, "/v2/account/activities/FILL", direction="asc", page_size=1)
    assert (filled["symbol"], filled["qty"]) == ("SPY", "3")
    assert get(simulator, f"/v2/orders/{filled['order_id']}")["status"] == "filled"
    assert simulator.snapshot().positions == {"SPY": 3, "QQQ": 1}


def test_an_account_whose_user_has_suspended_trading_says_so_and_takes_no_order(
    scripted: Start,
) -> None:
    simulator = scripted({"at": "10:00", "kind": "suspend_trading", "for_s": 3600})
    assert get(simulator, "/v2/account")["trade_suspended_by_user"] is True
    answer = requests.post(
        simulator.url + "/v2/orders",
        json={"symbol": "SPY", "qty": 1, "side": "buy", "type": "market", "time_in_force": "day"},
        headers=KEYS,
        timeout=10,
    )
    assert (answer.status_code, answer.json()) == (
        403,
        {"code": 40310000, "message": "new orders are rejected by user request"},
    )


def test_a_human_cancels_what_rests_on_a_symbol(scripted: Start) -> None:
    simulator = scripted({"at": "10:02", "kind": "hand_cancel", "symbol": "SPY"})
    for name, symbol in (("a", "SPY"), ("b", "QQQ"), ("c", "SPY")):
        order(simulator, name, symbol=symbol, type="limit", limit_price="1")
    told = asyncio.run(updates(simulator, 3))
    ended = [(each["event"], each["order"]["client_order_id"]) for each in told]
    assert ended == [("canceled", "a"), ("canceled", "c")]
    assert [each["client_order_id"] for each in get(simulator, "/v2/orders")] == ["b"]


def test_a_human_replaces_a_resting_order(scripted: Start) -> None:
    simulator = scripted({"at": "10:02", "kind": "hand_replace", "symbol": "SPY", "qty": 7})
    order(simulator, "a", type="limit", limit_price="1", qty=5)
    order(simulator, "b", symbol="QQQ", type="limit", limit_price="1")
    told = asyncio.run(updates(simulator, 3))
    assert [each["event"] for each in told] == ["replaced", "pending_new", "new"]
    old, new = told[0]["order"], told[2]["order"]
    assert (old["client_order_id"], old["replaced_by"]) == ("a", new["id"])
    assert (new["replaces"], new["qty"], new["limit_price"]) == (old["id"], "7", "1")
    assert len(new["client_order_id"]) == 36


@pytest.mark.thorough
@pytest.mark.parametrize(
    "act",
    [
        {"kind": "hand_cancel", "symbol": "SPY"},
        {"kind": "hand_replace", "qty": 2},
        {"kind": "hand_trade", "symbol": "BTC/USD", "side": "sell", "qty": 1},
        {"kind": "bust"},
        {"kind": "correct", "price": 5},
        {"kind": "activity", "type": "SPLIT", "symbol": "SPY", "ratio": 2},
    ],
)
def test_an_act_with_nothing_to_act_on_is_told_in_the_log_alone(
    scripted: Start, act: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    simulator = scripted({"at": "10:01", **act})
    assert asyncio.run(updates(simulator, 2)) == []
    seen = simulator.snapshot()
    assert (seen.cash, seen.positions, seen.orders, seen.activities) == (100_000, {}, (), ())
    (record,) = [each for each in caplog.records if each.name == "simulator"]
    assert "at 2026-03-17 14:01" in record.getMessage()


def test_a_bust_takes_the_last_execution_back(scripted: Start) -> None:
    simulator = scripted({"at": "10:02", "kind": "bust", "symbol": "SPY"}, fill_model="close")
    order(simulator, "kept", qty=4)
    after_first = simulator.snapshot()
    order(simulator, "busted", qty=6)
    order(simulator, "other", symbol="QQQ", qty=1)
    (other,) = [fill for fill in simulator.snapshot().executions if fill.symbol == "QQQ"]
    busted = simulator.snapshot().executions[1]
    (told,) = asyncio.run(updates(simulator, 2))
    assert (
        told.items()
        >= {
            "event": "trade_bust",
            "previous_execution_id": busted.id,
            "qty": "-6",
            "position_qty": "4",
        }.items()
    )
    assert Decimal(told["price"]) == busted.price
    assert told["execution_id"] not in {fill.id for fill in (*after_first.executions, busted)}
    assert (told["order"]["filled_qty"], told["order"]["status"]) == ("0", "filled")
    assert told["order"]["filled_avg_price"] is None
    seen = simulator.snapshot()
    assert seen.positions == {"SPY": 4, "QQQ": 1}
    assert seen.cash == after_first.cash - other.price
    assert seen.executions == (*after_first.executions, other)
    assert len(get(simulator, "/v2/account/activities/FILL")) == 2
    assert get(simulator, f"/v2/orders/{busted.order_id}")["filled_qty"] == "0"


def test_a_correction_gives_an_execution_another_price_and_quantity(scripted: Start) -> None:
    simulator = scripted({"at": "10:02", "kind": "correct", "price": "99.5", "qty": 8})
    order(simulator, "a", qty=10)
    (before,) = simulator.snapshot().executions
    (told,) = asyncio.run(updates(simulator, 2))
    assert (
        told.items()
        >= {
            "event": "trade_correct",
            "previous_execution_id": before.id,
            "price": "99.5",
            "qty": "8",
            "position_qty": "8",
        }.items()
    )
    assert (told["order"]["filled_qty"], told["order"]["filled_avg_price"]) == ("8", "99.5")
    seen = simulator.snapshot()
    assert (seen.cash, seen.positions) == (100_000 - 8 * Decimal("99.5"), {"SPY": 8})
    (listed,) = get(simulator, "/v2/account/activities/FILL")
    assert (listed["price"], listed["qty"], listed["cum_qty"]) == ("99.5", "8", "8")
    assert seen.executions[0].id == told["execution_id"] != before.id


def test_an_order_that_still_rests_fills_again_after_a_bust() -> None:
    bench = Bench(model="participation:0.1")
    bench.price("SPY", "100", volume="40")
    resting = bench.order(qty=10)
    assert bust(bench.venue, None, bench.now)
    again = bench.venue.orders.find(resting.id)
    assert (again.status.value, again.filled_qty, again.remaining()) == ("new", 0, 10)
    bench.minute_of(bar("SPY", bench.now, "101", "1000"))
    assert bench.venue.ledger.qty("SPY") == 10
    (fill,) = bench.venue.executions
    assert bench.venue.ledger.cash == 100_000 - 10 * fill.price


def test_a_correction_never_fills_more_than_was_ordered() -> None:
    bench = Bench()
    bench.price("SPY", "100")
    filled = bench.order(qty=10)
    assert correct(bench.venue, "SPY", None, Decimal(50), bench.now)
    assert bench.venue.orders.find(filled.id).filled_qty == 10
    assert bench.venue.ledger.qty("SPY") == 10


def test_a_corrected_fill_of_coin_costs_what_the_venue_takes() -> None:
    bench = Bench(fee_rate="0.001")
    bench.price("BTC/USD", "100")
    bench.order(symbol="BTC/USD", qty=2)
    assert correct(bench.venue, "BTC/USD", None, Decimal(1), bench.now)
    assert bench.venue.ledger.qty("BTC/USD") == Decimal("0.999")


amounts = st.integers(1, 40_000_000_000).map(lambda nano: Decimal(nano).scaleb(-9))


@pytest.mark.thorough
@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(["SPY", "BTC/USD"]), st.sampled_from(Side), amounts)),
    amounts,
    amounts,
    st.sampled_from([None, 2]),
)
def test_whatever_was_done_before_a_bust_restores_the_books_exactly(
    orders: list[tuple[str, Side, Decimal]], qty: Decimal, price: Decimal, decimals: int | None
) -> None:
    bench = Bench()
    bench.venue.ledger.cash_decimals = decimals
    bench.price("SPY", "100.01")
    bench.price("BTC/USD", "77.77")
    for symbol, side, each in orders:
        with suppress(Rejection):  # more than is held
            bench.order(symbol=symbol, side=side.value, qty=each.to_integral_value() + 1)
    ledger = bench.venue.ledger
    before = (ledger.cash, dict(ledger.positions))
    try:
        bench.order(symbol="SPY", qty=qty.to_integral_value() + 1)
    except Rejection:  # more than a short position owes
        reject()
    assert correct(bench.venue, "SPY", price, None, bench.now)
    assert bust(bench.venue, "SPY", bench.now)
    assert (ledger.cash, ledger.positions) == before
