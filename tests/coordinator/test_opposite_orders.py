"""Opposite orders on one ticker never stand at the broker together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coordinator.core import messages as m
from coordinator.core import records as r
from coordinator.core.arbiter import next_waiting
from coordinator.core.orders import Order, OrderStatus, Phase
from coordinator.core.values import Reason, Side
from tests.coordinator.bench import (
    CLOSE,
    DAY,
    OPEN,
    Bench,
    D,
    bust,
    order_id,
    report,
    spec,
    stranger,
)

HALF = "0.5"


def crossing(**more: dict[tuple[str, int], int]) -> Bench:
    """A is long and wants out in the minute in which B wants in."""
    bench = Bench(
        spec("A", {("SPY", 0): 1, ("SPY", 1): -1}, max_position_size=HALF),
        *(spec(name, said, max_position_size=HALF) for name, said in more.items()),
    )
    bench.minute(0, {"SPY": "100"})
    bench.fill(bench.order("A"))
    return bench


def test_an_entry_waits_for_the_exit_of_another_strategy_and_follows_it() -> None:
    bench = crossing(B={("SPY", 1): 1})
    bench.minute(1, {"SPY": "100"})
    assert [s[:3] for s in bench.sent()[1:]] == [("A", "SPY", Side.SELL)]
    assert bench.order("B").status is OrderStatus.WAITING
    outcome = bench.fill(bench.order("A", 2))
    assert [c.client_order_id for c in outcome.commands] == [order_id("B")]
    assert bench.order("B").status is OrderStatus.SUBMITTED


def test_an_entry_that_still_waits_at_its_tickers_next_bar_is_dropped_as_stale() -> None:
    bench = crossing(B={("SPY", 1): 1})
    bench.minute(1, {"SPY": "100"})
    bench.minute(2, {"SPY": "100"})
    moved = [x for x in bench.records if isinstance(x, r.OrderMoved)][-1]
    assert (moved.client_order_id, moved.status) == (order_id("B"), OrderStatus.DENIED)
    assert moved.reason == "stale"
    bench.fill(bench.order("A", 2))
    assert [s[0] for s in bench.sent()] == ["A", "A"]
    assert bench.books.days["B"].entries == 0


def test_an_entry_that_still_waits_at_the_close_is_never_sent() -> None:
    bench = Bench(
        spec("A", {("SPY", 387): 1, ("SPY", 388): -1}, max_position_size=HALF),
        spec("B", {("SPY", 388): 1}, max_position_size=HALF),
    )
    bench.minute(387, {"SPY": "100"})
    bench.fill(bench.order("A"))
    bench.minute(388, {"SPY": "100"})  # the last bar on which decisions are made
    assert bench.order("B").status is OrderStatus.WAITING
    bench.now = CLOSE  # the broker ends the day's orders before the last bar comes
    outcome = bench.update(bench.order("A", 2), OrderStatus.EXPIRED)
    assert outcome.commands == []
    moved = [x for x in outcome.records if isinstance(x, r.OrderMoved)][-1]
    assert (moved.client_order_id, moved.status) == (order_id("B"), OrderStatus.DENIED)
    assert moved.reason == "stale"
    assert bench.books.days["B"].entries == 0


def a_fee_of(dollars: str) -> r.ActivityBooked:
    kind = r.ActivityKind.FEE
    return r.ActivityBooked(OPEN, "a1", "B", kind, "", D(0), D(0), -D(dollars), "test", DAY)


def a_difference(symbol: str) -> r.DiscrepancyFound:
    return r.DiscrepancyFound(OPEN, "position", symbol, "", D(1), D(2), "", "d1")


@pytest.mark.parametrize(
    ("meanwhile", "denied"),
    [
        (a_fee_of("5000"), None),  # which leaves what its order holds
        (a_fee_of("5000.01"), "buying_power"),
        (a_difference("QQQ"), None),
        (a_difference("SPY"), "frozen"),
        (a_difference(""), "frozen"),
    ],
)
def test_an_entry_whose_book_lost_its_cash_or_was_frozen_while_it_waited_is_not_sent(
    meanwhile: r.Record, denied: str | None
) -> None:
    bench = crossing(B={("SPY", 1): 1})
    bench.minute(1, {"SPY": "100"})
    assert bench.order("B").hold == 5000
    bench.books.apply_foreign(meanwhile)
    outcome = bench.fill(bench.order("A", 2))
    if denied is None:
        assert [c.client_order_id for c in outcome.commands] == [order_id("B")]
    else:
        assert outcome.commands == []
        moved = [x for x in outcome.records if isinstance(x, r.OrderMoved)][-1]
        assert (moved.client_order_id, moved.status) == (order_id("B"), OrderStatus.DENIED)
        assert moved.reason == denied
        assert bench.books.days["B"].entries == 0


def by_hand(side: Side, qty: str) -> Callable[[Bench], m.Message]:
    return lambda bench: stranger("hand", "SPY", side, qty, "100", bench.now)


def a_bust_of_the_purchase(bench: Bench) -> m.Message:
    fill = m.Execution(f"x.{order_id('A')}.50.0000", D(50), D(100), D(50), bench.now)
    return bust(bench.order("A"), fill, bench.now)


def a_reading_of_the_clock(bench: Bench) -> m.Message:
    return m.ClockRead(bench.now)


@pytest.mark.parametrize(
    ("meanwhile", "left"),
    [
        (a_reading_of_the_clock, [50]),
        (by_hand(Side.SELL, "20"), [30]),
        (by_hand(Side.SELL, "50"), []),
        (by_hand(Side.SELL, "60"), []),
        (by_hand(Side.BUY, "20"), [50]),
        (a_bust_of_the_purchase, []),
    ],
)
@pytest.mark.parametrize("then", [[], [a_reading_of_the_clock]])
def test_an_exit_sells_what_is_left_when_its_turn_comes(
    meanwhile: Callable[[Bench], m.Message],
    then: list[Callable[[Bench], m.Message]],
    left: list[int],
) -> None:
    bench = crossing(B={("SPY", 0): 1})  # B's buy is still open when A wants out
    bench.minute(1, {"SPY": "100"})
    assert bench.order("A", 2).status is OrderStatus.WAITING
    for message in (meanwhile, *then):
        bench.handle(message(bench))
    bench.update(bench.order("B"), OrderStatus.CANCELED)
    assert bench.sent()[2:] == [("A", "SPY", Side.SELL, D(qty)) for qty in left]
    if left != [50]:
        denied = bench.order("A", 2)
        moved = [x for x in bench.records if isinstance(x, r.OrderMoved)]
        reasons = [x.reason for x in moved if x.client_order_id == denied.client_order_id]
        assert (denied.status, reasons) == (OrderStatus.DENIED, ["not_held"])


@pytest.mark.parametrize(("meanwhile", "sent"), [("0", 1), ("20", 0)])
def test_an_exit_that_a_restart_finds_unsent_is_sent_if_there_is_as_much_to_sell(
    meanwhile: str, sent: int
) -> None:
    bench = crossing()
    bench.minute(1, {"SPY": "100"})
    if D(meanwhile):
        bench.handle(by_hand(Side.SELL, meanwhile)(bench))
    outcome = bench.engine.resume([order_id("A", 2)], bench.now)
    assert len(outcome.commands) == sent


@pytest.mark.parametrize("qqq_first", [True, False])
@pytest.mark.parametrize(("fee", "denied"), [("0.99", False), ("1.00", True)])
def test_an_entry_that_waits_is_sent_whether_or_not_the_minutes_others_have_cost_more(
    qqq_first: bool, fee: str, denied: bool
) -> None:
    """B's first order takes nearly all of its cash, its second nearly all of the rest: $0.99 is
    free. The first then costs $1.98 more."""
    both = spec("B", {("QQQ", 1): 1, ("SPY", 1): 1})
    bench = Bench(*crossing().specs, both)
    bench.minute(0, {"SPY": "100", "QQQ": "100"})
    bench.fill(bench.order("A"))
    bench.minute(1, {"SPY": "100", "QQQ": "100"})
    bench.books.apply_foreign(a_fee_of(fee))
    first, second = bench.order("B"), bench.order("B", 2)
    assert [first.hold, second.hold] == [D("9900.99"), D("98.02")]
    if qqq_first:
        bench.fill(first, "100.02")
    bench.fill(bench.order("A", 2))
    if not qqq_first:
        bench.fill(first, "100.02")
    assert second.status is (OrderStatus.DENIED if denied else OrderStatus.SUBMITTED)


def test_an_exit_that_waits_at_the_close_is_sent_all_the_same() -> None:
    bench = Bench(
        spec("A", {("SPY", 0): 1, ("SPY", 388): -1}, max_position_size=HALF),
        spec("B", {("SPY", 387): 1}, max_position_size=HALF),
    )
    bench.minute(0, {"SPY": "100"})
    bench.fill(bench.order("A"))
    bench.minute(387, {"SPY": "100"})
    bench.minute(388, {"SPY": "100"})
    assert bench.order("A", 2).status is OrderStatus.WAITING
    bench.now = CLOSE
    outcome = bench.update(bench.order("B"), OrderStatus.EXPIRED)
    assert [c.client_order_id for c in outcome.commands] == [order_id("A", 2)]


def test_a_bar_of_another_ticker_drops_nothing() -> None:
    bench = crossing(B={("SPY", 1): 1, ("QQQ", 5): 1})
    bench.minute(1, {"SPY": "100"})
    bench.minute(2, {"QQQ": "100"})
    assert bench.order("B").status is OrderStatus.WAITING


def test_a_dropped_entry_may_be_decided_anew_on_the_same_bar() -> None:
    bench = crossing(B={("SPY", 1): 1, ("SPY", 2): 1})
    bench.minute(1, {"SPY": "100"})
    bench.minute(2, {"SPY": "101"})
    assert bench.order("B", 2).status is OrderStatus.WAITING
    bench.fill(bench.order("A", 2))
    assert bench.sent()[2:] == [("B", "SPY", Side.BUY, D("49.5049"))]


def test_an_exit_waits_for_an_entry_and_is_not_dropped() -> None:
    bench = crossing(B={("SPY", 0): 1})  # B's buy is still open when A wants out
    bench.minute(1, {"SPY": "100"})
    assert bench.order("A", 2).status is OrderStatus.WAITING
    bench.minute(2, {"SPY": "90"})
    assert bench.order("A", 2).status is OrderStatus.WAITING
    bench.fill(bench.order("B"))
    assert bench.sent()[2:] == [("A", "SPY", Side.SELL, D(50))]


def test_an_exit_waits_for_the_order_that_a_human_put_in_place_of_the_one_in_its_way() -> None:
    bench = crossing(B={("SPY", 0): 1})
    buy = bench.order("B")
    bench.update(buy, OrderStatus.NEW)
    bench.minute(1, {"SPY": "100"})
    changed = replace(report(buy, OrderStatus.REPLACED, "0", bench.now), replaced_by="broker-hand")
    outcome = bench.handle(changed)
    assert outcome.commands == [m.LookUpOrder(buy.client_order_id)]
    assert bench.order("A", 2).status is OrderStatus.WAITING
    instead = replace(
        report(buy, OrderStatus.NEW, "0", bench.now),
        client_order_id="by-hand",
        broker_order_id="broker-hand",
        qty=D(20),
        replaces=buy.broker_order_id,
    )
    bench.handle(instead, changed)
    assert [o.client_order_id for o in bench.books.orders.open()] == [order_id("A", 2), "by-hand"]
    assert bench.order("A", 2).status is OrderStatus.WAITING
    bench.update(bench.books.order("by-hand"), OrderStatus.CANCELED)
    assert bench.sent()[2:] == [("A", "SPY", Side.SELL, D(50))]


def test_of_orders_that_all_wait_an_exit_is_the_next() -> None:
    entry, exit_ = (
        Order(name, name, "SPY", side, D(1), D(100), Reason.SIGNAL, OPEN, OrderStatus.WAITING)
        for name, side in (("B", Side.BUY), ("A", Side.SELL))
    )
    assert next_waiting([entry, exit_]) is exit_
    assert next_waiting([entry]) is entry


def test_exits_go_before_entries_once_the_way_is_free() -> None:
    said = {("SPY", 0): 1, ("SPY", 1): -1}
    bench = Bench(
        spec("A", said, max_position_size=HALF),
        spec("B", {("SPY", 0): 1}, max_position_size=HALF),
        spec("C", {("SPY", 1): 1}, max_position_size=HALF),
        spec("E", said, max_position_size=HALF),
    )
    bench.minute(0, {"SPY": "100"})
    bench.fill(bench.order("A"))
    bench.fill(bench.order("E"))
    bench.minute(1, {"SPY": "100"})  # B's buy stands: A and E wait, C may go beside B
    waiting = [o.client_order_id for o in bench.books.orders.open() if o.phase is Phase.LOCAL]
    assert order_id("A", 2) in waiting
    bench.fill(bench.order("C"))
    outcome = bench.fill(bench.order("B"))
    sides = [(c.client_order_id[0], c.side) for c in outcome.commands]
    assert sides == [("A", Side.SELL), ("E", Side.SELL)]


def test_orders_of_one_side_stand_together() -> None:
    said = {("SPY", 0): 1}
    bench = Bench(*(spec(name, said) for name in "ABC"))
    bench.minute(0, {"SPY": "100"})
    assert [s[0] for s in bench.sent()] == ["A", "B", "C"]


def test_what_waits_when_the_session_closes_is_never_sent() -> None:
    bench = crossing(B={("SPY", 1): 1})
    bench.minute(1, {"SPY": "100"})
    outcome = bench.engine.close(bench.now)
    assert [x.reason for x in outcome.records if isinstance(x, r.OrderMoved)] == ["session_over"]
    bench.fill(bench.order("A", 2))
    assert [s[0] for s in bench.sent()] == ["A", "A"]


def test_bars_after_the_close_set_marks_and_open_nothing() -> None:
    bench = crossing(B={("SPY", 2): 1})
    bench.engine.close(bench.now)
    outcome = bench.minute(2, {"SPY": "103"})
    assert outcome.commands == []
    assert bench.books.ledger.marks["SPY"] == D(103)


wishes = st.dictionaries(
    st.tuples(st.just("SPY"), st.integers(0, 11)), st.sampled_from([1, -1]), max_size=12
)
replies = st.lists(
    st.tuples(st.integers(0, 3), st.sampled_from(["fill", "part", "cancel", "reject"])), max_size=4
)


@settings(max_examples=60, deadline=None)
@given(st.lists(wishes, min_size=2, max_size=4), st.lists(replies, min_size=12, max_size=12))
def test_whatever_strategies_want_the_broker_never_sees_both_sides(
    said: list[dict[tuple[str, int], int]], answers: list[list[tuple[int, str]]]
) -> None:
    bench = Bench(
        *(
            spec(name, s, tickers=["SPY"], max_position_size=HALF)
            for name, s in zip("ABCD", said, strict=False)
        )
    )
    for minute, replies in enumerate(answers):
        bench.minute(minute, {"SPY": str(100 + minute)})
        for index, reply in replies:
            standing = [o for o in bench.books.orders.open() if o.status is not OrderStatus.WAITING]
            if index >= len(standing):
                continue
            one = standing[index]
            match reply:
                case "fill":
                    bench.fill(one)
                case "part":
                    bench.fill(one, "100", (one.open_qty / 2).quantize(D("0.0001")))
                case "cancel":
                    bench.update(one, OrderStatus.CANCELED, one.booked_qty)
                case _ if not one.booked_qty:
                    bench.handle(m.SubmitRefused(one.client_order_id, bench.now, "no"))
            sides = {
                o.side for o in bench.books.orders.open() if o.status is not OrderStatus.WAITING
            }
            assert len(sides) <= 1
        net = bench.books.ledger.net_positions().get("SPY", D(0))
        assert net >= sum(
            (o.open_qty for o in bench.books.orders.open() if o.side is Side.SELL), D(0)
        )


def sold_more_than_there_is(bench: Bench, outcome: m.Outcome) -> list[m.SubmitOrder]:
    """The sales that were sent of more than their books, or the account, have."""
    at_the_broker = [
        order
        for order in bench.books.orders.open_on("SPY")
        if order.side is Side.SELL and order.status is not OrderStatus.WAITING
    ]
    on_sale = sum((order.open_qty for order in at_the_broker), D(0))
    is_short = on_sale > bench.books.ledger.held("SPY")
    sales = (x for x in outcome.commands if isinstance(x, m.SubmitOrder) and x.side is Side.SELL)
    owners = {order.client_order_id: order.strategy for order in at_the_broker}
    return [
        sale
        for sale in sales
        if is_short or sale.qty > bench.position(owners[sale.client_order_id], "SPY")
    ]


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.lists(st.sampled_from([1, -1]), min_size=10, max_size=10), min_size=3, max_size=3),
    st.lists(
        st.lists(
            st.tuples(st.integers(0, 2), st.sampled_from(["fill", "part", "cancel", "human"])),
            min_size=1,
            max_size=3,
        ),
        min_size=10,
        max_size=10,
    ),
)
def test_whatever_a_human_sells_no_sale_is_sent_of_more_than_there_is(
    said: list[list[int]], answers: list[list[tuple[int, str]]]
) -> None:
    bench = Bench(
        *(
            spec(name, {("SPY", n): s for n, s in enumerate(signals)}, max_position_size=HALF)
            for name, signals in zip("ABC", said, strict=True)
        )
    )
    for minute, replies in enumerate(answers):
        assert not sold_more_than_there_is(bench, bench.minute(minute, {"SPY": "100"}))
        for number, (index, reply) in enumerate(replies):
            standing = [o for o in bench.books.orders.open() if o.status is not OrderStatus.WAITING]
            if reply == "human":
                some = (bench.books.ledger.held("SPY") / (index + 1)).quantize(D("0.0001"))
                name = f"by-hand.{minute}.{number}"
                sale = stranger(name, "SPY", Side.SELL, str(some), "100", bench.now, name)
                outcome = bench.handle(*[sale] * bool(some))
            elif index >= len(standing):
                continue
            elif reply == "cancel":
                outcome = bench.update(
                    standing[index], OrderStatus.CANCELED, standing[index].booked_qty
                )
            else:
                share = 1 if reply == "fill" else 2
                qty = (standing[index].open_qty / share).quantize(D("0.0001"))
                outcome = bench.fill(standing[index], "100", qty)
            assert not sold_more_than_there_is(bench, outcome)
