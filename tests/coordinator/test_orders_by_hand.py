"""Orders that no strategy gave stand in the warehouse beside the strategies' own."""

from __future__ import annotations

from dataclasses import replace

from coordinator.core import messages as m
from coordinator.core import records as r
from coordinator.core.statement import statement
from coordinator.core.values import UNASSIGNED, Side
from coordinator.shell import wire
from tests.coordinator.bench import Bench, D, spec, stranger
from tests.coordinator.messages import ACTIVITY, ORDER, fill
from tests.coordinator.test_statement import Source, ended
from warehouse import LoadStatus, Store, load_session


def a_day_of_trades_by_hand() -> list[r.Record]:
    """A human buys twice under one order, sells, and an execution of another is taken back."""
    bench = Bench(spec("A", {("SPY", 0): 1}))
    for name, side, qty, price in (
        ("x1", Side.BUY, "4", "100"),
        ("x2", Side.BUY, "1", "105"),
        ("x3", Side.SELL, "2", "101"),
        ("x4", Side.BUY, "3", "99"),
    ):
        order = {"x1": "in two parts", "x2": "in two parts"}.get(name, f"order of {name}")
        update = stranger(order, "QQQ", side, qty, price, bench.now, name)
        total = D(5) if name == "x2" else D(qty)
        assert update.execution is not None
        told = replace(update.execution, cum_qty=total)
        bench.handle(replace(update, qty=total, filled_qty=total, execution=told))
    bust = m.Bust("b4", "x4", D(3), D(99), bench.now)
    taken_back = stranger("order of x4", "QQQ", Side.BUY, "3", "99", bench.now)
    bench.handle(replace(taken_back, filled_qty=D(0), execution=None, bust=bust))
    return ended(bench)


def test_an_order_by_hand_is_unassigneds_as_far_as_it_was_executed() -> None:
    records = a_day_of_trades_by_hand()
    (opened,) = [x for x in records if isinstance(x, r.SessionOpened)]
    orders = [row for row in statement(records)["orders"] if row["strategy"] == UNASSIGNED]
    assert [row["broker_order_id"] for row in orders] == [
        "broker-in two parts",
        "broker-order of x3",
        "broker-order of x4",
    ]
    told = [
        (row["client_order_id"], row["side"], row["qty"], row["filled_avg_price"], row["status"])
        for row in orders
    ]
    assert told == [
        ("in two parts", "buy", D(5), D(101), "filled"),
        ("order of x3", "sell", D(2), D(101), "filled"),
        ("order of x4", "buy", None, None, "unknown"),
    ]
    alone = """SELECT f.execution_id FROM fills AS f
               ANTI JOIN orders USING (session_id, client_order_id, strategy)"""
    with Store.open(":memory:") as store:
        loaded = load_session(store, Source(opened.session_id, records))
        assert (loaded.status, loaded.rows["orders"]) == (LoadStatus.LOADED, 3)
        assert store.connection.execute(alone).fetchall() == []
        assert store.connection.execute("SELECT * FROM v_slippage").fetchall() == []


def test_an_order_of_which_only_what_an_earlier_session_booked_is_taken_back_is_none_of_this() -> (
    None
):
    later = [x for x in a_day_of_trades_by_hand() if getattr(x, "execution_id", "") != "x4"]
    rows = statement(later)
    assert "order of x4" in [row["client_order_id"] for row in rows["fills"]]
    assert "order of x4" not in [row["client_order_id"] for row in rows["orders"]]


OPTION = "SPY260320C00400000"
BY_HAND = ORDER | {
    "client_order_id": "by-hand",
    "symbol": OPTION,
    "asset_class": "us_option",
    "status": "filled",
    "filled_qty": "2",
    "filled_avg_price": "2.50",
}


def test_an_option_traded_by_hand_costs_a_hundred_times_its_price_and_freezes_nothing() -> None:
    bench = Bench(spec("A", {("SPY", 0): 1}))
    bench.handle(wire.parse_trade_update(fill(event="fill", price="2.50", qty="2", order=BY_HAND)))
    for _ in range(4):
        bench.look(cash="99500", positions={OPTION: "2"})
    assert bench.books.ledger[UNASSIGNED].cash == D(89_500)
    assert not bench.books.frozen
    told = fill(event="trade_bust", price="2.50", qty="2", order=BY_HAND | {"filled_qty": "0"})
    told["data"] |= {"execution_id": "b1", "previous_execution_id": "2f63ea93"}
    bench.handle(wire.parse_trade_update(told))
    assert bench.books.ledger[UNASSIGNED].cash == D(90_000)


def test_an_option_is_worth_the_same_wherever_the_broker_tells_of_it() -> None:
    listed = wire.parse_fill_activity(ACTIVITY | {"symbol": OPTION, "price": "2.50"})
    held = wire.parse_position(
        {"symbol": OPTION, "asset_class": "us_option", "qty": "2", "avg_entry_price": "2.50"}
    )
    assert listed.execution.price == wire.parse_order(BY_HAND).filled_avg_price == D(250)
    assert held.cost == D(500)
