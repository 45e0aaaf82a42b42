"""Errands to the broker: what comes back from an order or a cancellation, and when it is sent."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from coordinator.core import messages as m
from coordinator.core.orders import OrderStatus
from coordinator.core.values import MINUTE, Side
from coordinator.shell.budget import Urgency
from coordinator.shell.clock import BrokerClock
from coordinator.shell.errands import MOST_BUSY, STANDSTILL_S, Errands
from tests.coordinator.at_the_broker import ID, NOW, SALE, Desk, run
from tests.coordinator.bench import D


def test_an_orders_answer_comes_back_as_a_report() -> None:
    async def story(desk: Desk) -> None:
        desk.errands.carry_out([desk.order()])
        update = await desk.answer()
        assert isinstance(update, m.OrderUpdate)
        assert (update.client_order_id, update.qty) == (ID, D(2))

    run(story)


def test_a_definite_no_comes_back_as_a_refusal() -> None:
    async def story(desk: Desk) -> None:
        desk.errands.carry_out([desk.order(qty="1000000")])
        refused = await desk.answer()
        assert isinstance(refused, m.SubmitRefused)
        assert "insufficient buying power" in refused.reason

    run(story)


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        ({"side": Side.SELL, "qty": "5"}, D(2)),
        ({"symbol": "BTC/USD", "qty": "3"}, None),  # there it is dollars
    ],
)
def test_a_refusal_tells_how_much_of_a_sale_the_broker_would_take(
    wanted: dict[str, Any], told: Decimal | None
) -> None:
    async def story(desk: Desk) -> None:
        desk.errands.carry_out([desk.order(qty="2")])
        await desk.answer()
        order = replace(desk.order(SALE, **wanted), time_in_force="gtc")
        desk.errands.carry_out([order])
        refused = await desk.answer()
        assert isinstance(refused, m.SubmitRefused)
        assert "available: " in refused.reason
        assert refused.available == told

    run(story)


@pytest.mark.parametrize("status", [500, 504])
def test_an_answer_that_was_lost_is_unclear_and_the_look_up_finds_the_order(
    tmp_path: Path, status: int
) -> None:
    async def story(desk: Desk) -> None:
        desk.errands.carry_out([desk.order()])
        unclear = await desk.answer()
        assert isinstance(unclear, m.SubmitUnclear)
        desk.errands.carry_out([m.LookUpOrder(ID)])
        found = await desk.answer()
        assert isinstance(found, m.OrderUpdate)
        assert found.execution is not None
        assert (found.status, found.execution.qty) == (OrderStatus.FILLED, D(2))

    run(story, tmp_path, {"kind": "http_500_after_accept", "status": status})


@pytest.mark.parametrize("status", [409, 422])
def test_an_id_that_exists_already_is_unclear_not_refused(tmp_path: Path, status: int) -> None:
    async def story(desk: Desk) -> None:
        command = desk.order()
        if status == 422:
            desk.broker.submit(command)
        desk.errands.carry_out([command])
        assert isinstance(await desk.answer(), m.SubmitUnclear)

    fault = {"kind": "http_error", "method": "POST", "status": status}
    run(story, tmp_path, *([fault] if status == 409 else []))


def test_a_cancellation_finds_the_order_by_our_id_and_a_no_changes_nothing() -> None:
    async def story(desk: Desk) -> None:
        desk.errands.carry_out([desk.order()])
        await desk.answer()
        desk.errands.carry_out([m.CancelOrder(ID, "")])
        desk.errands.carry_out([m.CancelOrder("A.2026-03-17.99", "")])
        desk.errands.carry_out([desk.order("A.2026-03-17.2")])
        update = await desk.answer()
        assert isinstance(update, m.OrderUpdate)
        assert update.client_order_id == "A.2026-03-17.2"

    run(story)


@pytest.mark.thorough
@pytest.mark.parametrize("hangs", ["GET", "POST"])
def test_a_request_that_hangs_holds_up_neither_the_loop_nor_the_other_worker(
    hangs: str, tmp_path: Path
) -> None:
    async def story(desk: Desk) -> None:
        desk.questions.read_clock()
        desk.errands.carry_out([desk.order()])
        quick, late = await desk.answer(), await desk.answer()
        answers = [m.OrderUpdate, m.ClockRead] if hangs == "GET" else [m.ClockRead, m.OrderUpdate]
        assert [type(quick), type(late)] == answers

    run(story, tmp_path, {"kind": "delay_response", "method": hangs, "delay_s": 0.8})


def test_an_entry_that_the_budget_holds_back_is_passed_by_a_sale_and_sent_in_its_turn() -> None:
    async def story(desk: Desk) -> None:
        desk.waits_s[Urgency.ENTRY] = 5.0
        desk.errands.carry_out([desk.order()])
        desk.errands.carry_out([desk.order(SALE, symbol="QQQ", side=Side.SELL)])
        sold = await desk.answer()
        assert isinstance(sold, m.OrderUpdate)
        assert sold.client_order_id == SALE
        desk.waits_s.clear()
        desk.local_s.now_s += 5
        desk.go_on()
        answers = [await desk.answer(), await desk.answer()]  # the sale is looked up meanwhile
        assert {one.client_order_id for one in answers if isinstance(one, m.OrderUpdate)} == {
            ID,
            SALE,
        }
        sent = [turn for turn in desk.turns if turn is not Urgency.QUESTION]
        assert sent == [Urgency.EXIT, Urgency.ENTRY]

    run(story)


def test_an_entry_still_in_line_at_its_next_bar_is_absent_and_never_sent() -> None:
    async def story(desk: Desk) -> None:
        desk.waits_s[Urgency.ENTRY] = 5.0
        desk.errands.carry_out([desk.order()])
        desk.local_s.now_s += STANDSTILL_S
        desk.go_on()
        assert await desk.answer() == m.OrderAbsent(ID, NOW)
        desk.waits_s.clear()
        desk.local_s.now_s += 60
        desk.go_on()
        desk.errands.carry_out([desk.order(SALE, symbol="QQQ", side=Side.SELL)])
        await desk.answer()
        assert Urgency.ENTRY not in desk.turns
        assert desk.broker.order(ID) is None

    run(story)


def test_at_real_speed_an_entry_waits_until_its_next_bar_is_due_and_no_second_longer() -> None:
    async def story(desk: Desk) -> None:
        ports, make_broker, _, books, deliver = desk.to_ask
        clock = BrokerClock(1, desk.local_s)
        clock.advance(NOW)
        errands = Errands(ports, make_broker, clock, books, deliver, desk.line, desk.questions)
        desk.waits_s[Urgency.ENTRY] = 5.0
        errands.carry_out([desk.order()])
        desk.local_s.now_s += 59.9
        desk.go_on()
        assert desk.answers.empty()
        desk.local_s.now_s += 0.1
        desk.go_on()
        assert await desk.answer() == m.OrderAbsent(ID, NOW + MINUTE)

    run(story)


def busy(times: int) -> dict[str, object]:
    """So many orders are answered with 429."""
    path = {"method": "POST", "path": "/v2/orders"}
    return {"kind": "http_429", "times": times, "retry_after_s": 1, **path}


async def answered(desk: Desk) -> m.Message:
    """The next thing that comes back as time passes."""
    while desk.answers.empty():
        desk.local_s.now_s += 0.5
        desk.go_on()
        await asyncio.sleep(0.001)
    return desk.answers.get_nowait()


def test_an_order_that_was_answered_with_429_is_sent_again_under_its_id_until_it_is_taken(
    tmp_path: Path,
) -> None:
    async def story(desk: Desk) -> None:
        desk.errands.carry_out([desk.order(SALE, symbol="QQQ", side=Side.SELL)])
        taken = await answered(desk)
        assert isinstance(taken, m.OrderUpdate)
        assert taken.client_order_id == SALE
        assert desk.turns[:4] == [Urgency.EXIT] * 4
        assert [one.client_order_id for one in desk.broker.open_orders()] in ([SALE], [])
        assert len(list(desk.broker.orders_after(NOW - MINUTE))) == 1

    run(story, tmp_path, busy(3))


def test_an_order_that_is_answered_with_429_for_too_long_is_unclear(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        desk.errands.carry_out([desk.order(SALE, symbol="QQQ", side=Side.SELL)])
        unclear = await answered(desk)
        assert isinstance(unclear, m.SubmitUnclear)
        assert "429" in unclear.reason
        assert desk.turns[: MOST_BUSY + 1] == [Urgency.EXIT] * (MOST_BUSY + 1)

    run(story, tmp_path, busy(MOST_BUSY + 1))


@pytest.mark.parametrize("ends", ["its next bar comes", "it is cancelled"])
def test_an_entry_that_was_answered_with_429_and_not_sent_again_is_unclear_and_not_absent(
    ends: str, tmp_path: Path
) -> None:
    async def story(desk: Desk) -> None:
        desk.errands.carry_out([desk.order()])
        if ends == "it is cancelled":
            desk.errands.carry_out([m.CancelOrder(ID, "")])
        unclear = await answered(desk)
        assert isinstance(unclear, m.SubmitUnclear)
        assert unclear.client_order_id == ID

    run(story, tmp_path, busy(99))


def test_a_sale_has_no_deadline() -> None:
    async def story(desk: Desk) -> None:
        desk.waits_s[Urgency.EXIT] = 5.0
        desk.errands.carry_out([desk.order(SALE, symbol="QQQ", side=Side.SELL)])
        desk.local_s.now_s += 600
        desk.go_on()
        desk.waits_s.clear()
        while not desk.turns:
            desk.local_s.now_s += 600
            desk.go_on()
            await asyncio.sleep(0.001)
        assert isinstance(await desk.answer(), m.OrderUpdate)

    run(story)


def test_the_quiet_minute_of_an_order_that_stood_in_line_begins_when_it_was_sent(
    tmp_path: Path,
) -> None:
    async def story(desk: Desk) -> None:
        desk.waits_s[Urgency.EXIT] = 5.0
        desk.errands.carry_out([desk.order(SALE, symbol="QQQ", side=Side.SELL)])
        sent = NOW + 2 * MINUTE
        desk.clock.advance(sent)
        desk.waits_s.clear()
        while desk.answers.empty():
            desk.local_s.now_s += 600
            desk.go_on()
            await asyncio.sleep(0.001)
        assert isinstance(await desk.answer(), m.SubmitUnclear)
        assert await look_often(desk, SALE) == []
        desk.clock.advance(sent + MINUTE)
        assert m.OrderAbsent(SALE, sent + MINUTE) in await look_often(desk, SALE)

    run(story, tmp_path, {"kind": "http_error", "method": "POST", "status": 503})


async def look_often(desk: Desk, order_id: str) -> list[m.Message]:
    """Look for an order as often as its absence takes; what came back."""
    back: list[m.Message] = []
    for _ in range(6):
        desk.local_s.now_s += 600
        desk.questions.look_up(order_id)
    desk.questions.read_clock()
    while not isinstance(said := await desk.answer(), m.ClockRead):
        back.append(said)
    return back


def test_an_order_that_has_not_left_is_not_looked_for_and_its_cancellation_ends_it() -> None:
    async def story(desk: Desk) -> None:
        desk.waits_s[Urgency.ENTRY] = 5.0
        desk.errands.carry_out([desk.order()])
        for _ in range(10):
            desk.questions.look_up(ID)
        desk.errands.carry_out([desk.order(SALE, symbol="QQQ", side=Side.SELL)])
        await desk.answer()
        desk.errands.carry_out([m.CancelOrder(ID, "")])
        assert await desk.answer() == m.OrderAbsent(ID, NOW)
        desk.questions.read_clock()
        assert isinstance(await desk.answer(), m.ClockRead)
        assert desk.turns == [Urgency.EXIT, Urgency.QUESTION]

    run(story)


def test_what_a_cancellation_asks_first_is_as_urgent_as_itself() -> None:
    async def story(desk: Desk) -> None:
        desk.errands.carry_out([desk.order()])
        await desk.answer()
        desk.errands.carry_out([m.CancelOrder(ID, "")])
        desk.errands.carry_out([desk.order(SALE, symbol="QQQ", side=Side.SELL)])
        await desk.answer()
        assert desk.turns == [Urgency.ENTRY, *[Urgency.EXIT] * 3]

    run(story)
