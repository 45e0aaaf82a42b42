"""Questions to the broker: what comes back from a look-up, a look at the account, a gap."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from coordinator.core import messages as m
from coordinator.core.books import Books
from coordinator.core.orders import Order, OrderStatus
from coordinator.core.records import Origin
from coordinator.core.values import MINUTE, Reason, Side
from coordinator.shell.clock import BrokerClock
from coordinator.shell.missed_bars import GAP_TRIES
from coordinator.shell.order_lookups import OrderLookups
from coordinator.shell.questions import Questions
from coordinator.shell.watchdog import Depth
from tests.coordinator.at_the_broker import ID, NOW, Desk, LocalTime, run
from tests.coordinator.bench import D


def test_another_order_under_our_id_is_not_adopted() -> None:
    async def story(desk: Desk) -> None:
        desk.broker.submit(m.SubmitOrder(ID, "SPY", Side.BUY, D(5), "day"))
        desk.order(qty="2")
        desk.errands.carry_out([m.LookUpOrder(ID)])
        refused = await desk.answer()
        assert isinstance(refused, m.SubmitRefused)
        assert refused.reason == "another order stands under this id"

    run(story)


def test_an_order_that_is_not_there_is_absent_after_several_looks_and_a_quiet_minute() -> None:
    async def story(desk: Desk) -> None:
        desk.local_s.step_s = 10
        desk.order()
        desk.questions.look_up(ID)
        for _ in range(5):
            desk.go_on()
        desk.questions.read_clock()
        assert isinstance(await desk.answer(), m.ClockRead)
        later = NOW + MINUTE
        desk.clock.advance(later)
        desk.local_s.step_s = 100
        desk.go_on()
        assert await desk.answer() == m.OrderAbsent(ID, later)
        assert desk.answers.empty()

    run(story)


def test_an_order_that_the_books_have_no_more_is_not_asked_for() -> None:
    async def story(desk: Desk) -> None:
        desk.errands.carry_out([m.LookUpOrder(ID)])
        assert desk.questions.due_s is None
        desk.questions.read_clock()
        assert isinstance(await desk.answer(), m.ClockRead)

    run(story)


def test_an_order_that_has_ended_is_pursued_no_more() -> None:
    async def story(desk: Desk) -> None:
        desk.local_s.step_s = 100
        desk.errands.carry_out([desk.order()])
        await desk.answer()
        assert desk.questions.due_s is not None, "it is open, and will be asked for"
        order = desk.orders.get(ID)
        assert order is not None
        desk.orders.move(order, OrderStatus.CANCELED)
        desk.go_on()
        assert desk.questions.due_s is None

    run(story)


def test_an_order_that_stays_open_is_asked_for_ever_more_rarely_but_each_minute() -> None:
    local = LocalTime()
    clock = BrokerClock(1, local)
    clock.advance(NOW)
    books = Books()
    side, status = Side.BUY, OrderStatus.NEW
    order = Order(ID, "A", "SPY", side, D(2), D(1), Reason.SIGNAL, NOW, status)
    books.orders.add(order)
    lookups, asked = OrderLookups(books, clock, local), list[int]()
    lookups.hasten(order)
    for second in range(200):
        local.now_s = second
        asked += [second for _ in lookups.due()]
    assert asked == [0, 1, 3, 7, 15, 31, 63, 123, 183]


def test_an_order_is_pursued_for_days_without_a_number_too_large(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[object] = []
    monkeypatch.setattr(Questions, "_ask", lambda _, work: asked.append(work))

    async def story(desk: Desk) -> None:
        desk.local_s.step_s = 100
        desk.order()
        desk.questions.look_up(ID)
        for _ in range(1100):
            desk.go_on()
        assert len(asked) > 1024

    run(story)


@pytest.mark.parametrize("status", [OrderStatus.PENDING_NEW, OrderStatus.PENDING_CANCEL])
def test_an_order_that_is_stuck_is_told_of_once_and_asked_for_until_it_ends(
    status: OrderStatus, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    asked: list[object] = []
    monkeypatch.setattr(Questions, "_ask", lambda _, work: asked.append(work))

    async def story(desk: Desk) -> None:
        desk.order()
        order = desk.books.order(ID)
        desk.orders.move(order, status)
        desk.questions.look_up(ID)
        desk.local_s.step_s = 100
        for minute in range(1, 31):
            desk.clock.advance(NOW + minute * MINUTE)
            desk.go_on()
            assert caplog.text.count(f"order {ID} is {status.value} since") == (minute > 2)
        assert len(asked) == 31
        assert (order.is_open, order.status) == (True, status)

    run(story)


def test_a_gap_is_fetched_for_both_markets_up_to_the_last_whole_minute() -> None:
    async def story(desk: Desk) -> None:
        start = NOW - 5 * MINUTE
        desk.questions.fetch_bars({"SPY": start, "BTC/USD": start + 2 * MINUTE})
        bars = await desk.answer()
        assert isinstance(bars, m.BarsArrived)
        assert (bars.now, bars.origin) == (NOW, Origin.BACKFILL)
        assert {b.symbol for b in bars.bars} == {"SPY", "BTC/USD"}
        assert all(start <= b.start and b.end <= NOW for b in bars.bars)

    run(story)


@pytest.mark.parametrize(("refusals", "found"), [(GAP_TRIES - 1, True), (GAP_TRIES, False)])
def test_a_gap_is_given_up_only_after_several_tries_and_then_ends_without_bars(
    refusals: int, found: bool, tmp_path: Path
) -> None:
    async def story(desk: Desk) -> None:
        desk.questions.fetch_bars({"SPY": NOW - 5 * MINUTE})
        bars = await desk.answer()
        assert isinstance(bars, m.BarsArrived)
        assert (bars.origin, bool(bars.bars)) == (Origin.BACKFILL, found)

    fault = {"kind": "http_error", "path": "/v2/clock", "status": 500, "times": refusals}
    run(story, tmp_path, fault)


def test_missed_bars_are_not_asked_for_again_once_the_session_is_stopped(tmp_path: Path) -> None:
    waits, goes_on = threading.Event(), threading.Event()

    def sleep(_: float) -> None:
        waits.set()
        assert goes_on.wait(60)

    async def story(desk: Desk) -> None:
        ports, *rest = desk.to_ask
        questions = Questions(replace(ports, sleep=sleep), *rest, desk.line.holds)
        questions.fetch_bars({"SPY": NOW - 5 * MINUTE})
        assert await asyncio.to_thread(waits.wait, 60)
        stopped = asyncio.create_task(questions.stop())
        await asyncio.sleep(0)
        goes_on.set()
        await stopped
        assert len(desk.turns) == 1

    fault = {"kind": "http_error", "path": "/v2/clock", "status": 500, "times": GAP_TRIES}
    run(story, tmp_path, fault)


def test_what_was_executed_while_a_start_took_minutes_is_in_its_first_look() -> None:
    async def story(desk: Desk) -> None:
        ports, make_broker, _, books, deliver = desk.to_ask
        clock = BrokerClock(1, desk.local_s)
        clock.advance(NOW)
        desk.broker.submit(m.SubmitOrder("by-hand", "SPY", Side.BUY, D(3), "day"))
        desk.local_s.now_s = 600.0  # the history of many tickers
        questions = Questions(ports, make_broker, clock, books, deliver, desk.line.holds)
        questions.look(Depth.ACCOUNT)
        seen = await desk.answer()
        await questions.stop()
        assert isinstance(seen, m.AccountSeen)
        assert [u.execution.qty for u in seen.updates if u.execution] == [D(3)]

    run(story)


def test_while_the_account_is_looked_at_no_second_look_is_begun_and_after_it_one_may() -> None:
    async def story(desk: Desk) -> None:
        for _ in range(2):
            desk.questions.look(Depth.ACCOUNT)
            desk.questions.look(Depth.ACCOUNT)
            desk.questions.read_clock()
            assert isinstance(await desk.answer(), m.AccountSeen)
            assert isinstance(await desk.answer(), m.ClockRead)

    run(story)


@pytest.mark.parametrize("status", [401, 403, 503])
def test_a_look_whose_keys_are_refused_says_so_and_the_next_one_may_succeed(
    status: int, tmp_path: Path
) -> None:
    async def story(desk: Desk) -> None:
        desk.questions.look(Depth.ACCOUNT)
        desk.questions.read_clock()
        if status != 503:
            assert isinstance(await desk.answer(), m.SightChanged)
        assert isinstance(await desk.answer(), m.ClockRead)
        desk.questions.look(Depth.ACCOUNT)
        assert isinstance(await desk.answer(), m.AccountSeen)

    run(story, tmp_path, {"kind": "http_error", "path": "/v2/account", "status": status})


def test_order_rules_are_asked_for_until_the_broker_answers_or_knows_no_such_ticker(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def story(desk: Desk) -> None:
        for _ in range(3):
            for symbol in ("SPY", "NOSUCH"):
                desk.questions.read_asset(symbol)
            desk.questions.read_clock()
            while not isinstance(said := await desk.answer(), m.ClockRead):
                answers.append(said)

    answers: list[m.Message] = []
    outage = {"kind": "http_error", "path": "/v2/assets/SPY", "times": 1}
    unknown = {"kind": "http_error", "path": "/v2/assets/NOSUCH", "status": 404, "times": 9}
    run(story, tmp_path, outage, unknown)
    [read] = answers
    assert isinstance(read, m.AssetRead)
    assert (read.now, read.asset.symbol) == (NOW, "SPY")
    refused = [line for line in caplog.messages if "NOSUCH is held, and cannot be sold" in line]
    assert len(refused) == 1


def test_a_question_that_fails_is_told_and_hurts_nobody(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def story(desk: Desk) -> None:
        desk.questions.read_clock()
        desk.questions.read_clock()
        assert await desk.answer() == m.ClockRead(NOW)

    run(story, tmp_path, {"kind": "http_error", "path": "/v2/clock", "times": 1})
    assert "the broker could not be asked" in caplog.text
    assert "Traceback" not in caplog.text, "it is the broker's fault, and has no place here"


def test_an_outage_is_told_at_once_and_then_each_minute_and_not_with_every_question(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def story(desk: Desk) -> None:
        for now_s in (0.0, 5.0, 59.0, 60.0, 65.0):
            desk.local_s.now_s = now_s
            desk.questions.look(Depth.ACCOUNT)
            desk.questions.read_clock()
            assert isinstance(await desk.answer(), m.ClockRead)

    run(story, tmp_path, {"kind": "http_error", "path": "/v2/account", "status": 503, "times": 5})
    told = [line for line in caplog.messages if line.startswith("the broker could not be asked")]
    assert len(told) == 2
    assert told[1] == f"{told[0]} (and 2 times since it was last said)"


def test_a_bug_of_ours_in_a_question_is_logged_with_its_place(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def story(desk: Desk) -> None:
        desk.questions.fetch_bars({"SPY": None})  # type: ignore[dict-item]
        desk.questions.read_clock()
        assert await desk.answer() == m.ClockRead(NOW)

    run(story)
    assert "Traceback" in caplog.text
