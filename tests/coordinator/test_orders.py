"""The life of an order: every move from state to state, and what late evidence does to it."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coordinator.core.orders import PHASE, Order, Orders, OrderStatus, Phase, Posting, may_move
from coordinator.core.values import Reason, Side

D = Decimal
S = OrderStatus
AT = datetime(2026, 3, 17, 14, tzinfo=UTC)
ARRIVING = {S.PENDING_NEW, S.ACCEPTED, S.ACCEPTED_FOR_BIDDING, S.HELD}
WORKING = {
    S.NEW,
    S.PARTIALLY_FILLED,
    S.STOPPED,
    S.SUSPENDED,
    S.CALCULATED,
    S.DONE_FOR_DAY,
    S.PENDING_CANCEL,
    S.PENDING_REPLACE,
}
LIVE = ARRIVING | WORKING
ENDED = {S.FILLED, S.CANCELED, S.EXPIRED, S.REPLACED, S.REJECTED}
DONE = ENDED | {S.DENIED}

# From each state, every state that a report may move it to.
MOVES: dict[OrderStatus, set[OrderStatus]] = {
    S.WAITING: {S.SUBMITTED} | LIVE | DONE,
    S.SUBMITTED: {S.UNKNOWN} | LIVE | DONE,
    S.UNKNOWN: {S.SUBMITTED} | LIVE | DONE,
    **{state: (LIVE | DONE) - {state} for state in ARRIVING},
    **{state: (WORKING | DONE) - {state} for state in WORKING},
    S.PARTIALLY_FILLED: (WORKING | DONE) - {S.PARTIALLY_FILLED, S.NEW},
    S.FILLED: set(),
    S.CANCELED: {S.FILLED},
    S.EXPIRED: {S.FILLED},
    S.REPLACED: {S.FILLED},
    S.REJECTED: {S.FILLED},
    S.DENIED: ENDED | LIVE,
}


@pytest.mark.parametrize("now", OrderStatus, ids=lambda status: status.value)
def test_a_report_moves_an_order_exactly_as_the_table_says(now: OrderStatus) -> None:
    assert {then for then in OrderStatus if may_move(now, then)} == MOVES[now]


def test_every_state_has_a_phase_and_only_alpacas_words_are_live() -> None:
    assert {status for status, phase in PHASE.items() if phase is Phase.LIVE} == LIVE
    assert {status for status, phase in PHASE.items() if phase is Phase.DONE} == DONE
    assert set(PHASE) == set(OrderStatus)


def order(side: Side = Side.BUY, qty: str = "10", status: OrderStatus = S.SUBMITTED) -> Order:
    return Order("A.2026-03-17.1", "A", "SPY", side, D(qty), D(50), Reason.SIGNAL, AT, status)


def posting(qty: int, cum_qty: int) -> Posting:
    return Posting(f"x{cum_qty}", D(qty), D(50), D(0), D(0), D(cum_qty), AT)


def taken(one: Order) -> Orders:
    orders = Orders()
    orders.add(one)
    return orders


def test_an_open_buy_holds_its_quantity_at_the_price_it_was_decided_on() -> None:
    one = order()
    orders = taken(one)
    assert one.hold == D(500)
    orders.fill(one, posting(4, 4))
    assert one.hold == D(300)
    orders.move(one, S.CANCELED)
    assert one.hold == D(0)
    assert order(Side.SELL).hold == D(0)


def test_an_order_that_ended_with_a_fill_missing_stays_open_until_it_is_booked() -> None:
    one = order()
    orders = taken(one)
    orders.report(one, D(6))
    orders.move(one, S.CANCELED)
    assert (one.misses_fills, one.is_open, one.open_qty) == (True, True, D(6))
    orders.fill(one, posting(2, 2))
    assert (one.misses_fills, one.open_qty) == (True, D(4))
    orders.fill(one, posting(4, 6))
    assert (one.misses_fills, one.is_open, one.open_qty) == (False, False, D(0))
    assert orders.open() == []


def test_a_fill_reported_after_the_end_opens_the_order_again_for_the_search() -> None:
    one = order(status=S.CANCELED)
    orders = taken(one)
    assert orders.open() == []
    orders.report(one, D(3))
    assert orders.open() == [one]
    assert list(orders.open_of("A")) == list(orders.open_on("SPY")) == [one]


def test_less_reported_than_before_is_an_older_report() -> None:
    one = order()
    orders = taken(one)
    orders.report(one, D(5))
    orders.report(one, D(2))
    assert one.reported_qty == D(5)


def test_a_buy_uses_up_an_entry_while_it_may_fill_and_once_it_has() -> None:
    one = order()
    orders = taken(one)
    assert one.is_entry
    orders.move(one, S.CANCELED)
    assert not one.is_entry
    orders.report(one, D(1))
    assert one.is_entry
    assert not order(Side.SELL).is_entry


def test_a_fill_that_no_report_announced_counts_as_reported() -> None:
    one = order()
    orders = taken(one)
    orders.move(one, S.CANCELED)
    orders.fill(one, posting(4, 4))
    assert (one.reported_qty, one.is_entry, one.misses_fills) == (D(4), True, False)


def test_a_part_of_a_unit_is_an_execution_and_no_bust() -> None:
    one = order()
    part = replace(posting(1, 1), qty=D("0.5"), cum_qty=D("0.5"))
    taken(one).fill(one, part)
    assert one.executions.has(part.cum_qty, part.at, part.qty, part.price)


def test_one_id_is_one_order() -> None:
    orders = taken(order())
    with pytest.raises(AssertionError, match=r"A\.2026-03-17\.1"):
        orders.add(order())


@settings(deadline=None)
@given(st.lists(st.sampled_from(OrderStatus), max_size=30))
def test_whatever_is_reported_an_order_goes_forward_only(reports: list[OrderStatus]) -> None:
    one = order()
    orders = taken(one)
    path = [one.status]
    for status in reports:
        orders.move(one, status)
        path.append(one.status)
        assert (one in orders.open()) is one.is_open
    for before, after in itertools.pairwise(path):
        backwards = PHASE[after].value < PHASE[before].value
        assert not backwards or before is S.DENIED
    if S.FILLED in path:
        assert path[-1] is S.FILLED
