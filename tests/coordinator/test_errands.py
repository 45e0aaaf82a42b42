"""Errands to the broker: what comes back from an order, a look-up, a cancellation, a gap."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from coordinator.core import messages as m
from coordinator.core.books import Books
from coordinator.core.orders import Order, OrderStatus
from coordinator.core.records import Origin
from coordinator.core.values import MINUTE, Reason, Side
from coordinator.settings import Settings
from coordinator.shell.alpaca_rest import AlpacaRest
from coordinator.shell.broker import Broker
from coordinator.shell.budget import Urgency
from coordinator.shell.clock import BrokerClock
from coordinator.shell.errands import STANDSTILL_S, Errands
from coordinator.shell.lookout import Depth
from coordinator.shell.pace import Budgets
from coordinator.shell.ports import Ports
from coordinator.shell.rest import Api
from simulator.server import Simulator, SimulatorOptions
from tests.coordinator.bench import D

NOW = datetime(2026, 3, 17, 15, tzinfo=UTC)
ID, SALE = "A.2026-03-17.1", "A.2026-03-17.2"
PATIENCE_S = 20.0


class LocalTime:
    """Local seconds: they stand still unless each look at them is to take `step_s`."""

    def __init__(self) -> None:
        self.now_s, self.step_s = 0.0, 0.0

    def __call__(self) -> float:
        self.now_s += self.step_s
        return self.now_s


class Desk:
    """Errands with a real broker, the orders they are about, and what came back."""

    def __init__(self, simulator: Simulator) -> None:
        url = simulator.url
        settings = Settings("k", "s", url, url, simulator.stream_url, Path("x"), "")
        self.broker = Broker(AlpacaRest(settings), feed="iex")
        self.local_s = LocalTime()
        self.clock = BrokerClock(600, self.local_s)
        self.clock.heard(NOW)
        self.books = Books()
        self.orders = self.books.orders
        self.waits_s: dict[Urgency, float] = {}
        self.turns: list[Urgency] = []
        self.answers: asyncio.Queue[m.Message] = asyncio.Queue()
        self.errands = Errands(
            replace(
                Ports.real(Budgets(settings, speed=600)), monotonic=self.local_s, turn=self._turn
            ),
            lambda pace: Broker(AlpacaRest(settings), feed="iex", pace=pace),
            self.clock,
            lambda: self.books,
            self._take,
            lambda: self.answers.put_nowait(m.SightChanged(NOW, False, frozenset())),
        )

    def _turn(self, _: Api, urgency: Urgency) -> float:
        """The budget's answer, as `waits_s` says; each turn that was had is noted."""
        wait_s = self.waits_s.get(urgency, 0.0)
        if not wait_s:
            self.turns.append(urgency)
        return wait_s

    def _take(self, messages: Iterable[m.Message]) -> None:
        for message in messages:
            self.answers.put_nowait(message)

    def order(
        self, name: str = ID, qty: str = "2", symbol: str = "SPY", side: Side = Side.BUY
    ) -> m.SubmitOrder:
        """An intent of ours, ready to be sent."""
        one = Order(
            name, "A", symbol, side, D(qty), D(1), Reason.SIGNAL, NOW, OrderStatus.SUBMITTED
        )
        self.orders.add(one)
        return m.SubmitOrder(name, symbol, side, D(qty), "day")

    async def answer(self) -> m.Message:
        """The next thing that came back."""
        return await asyncio.wait_for(self.answers.get(), PATIENCE_S)


Story = Callable[[Desk], Coroutine[None, None, None]]


def run(story: Story, folder: Path | None = None, *faults: dict[str, object]) -> None:
    """Play a story against a simulator in mid-session."""
    script = None
    if faults and folder:
        script = folder / "faults.json"
        script.write_text(json.dumps(faults))
    options = SimulatorOptions(date=date(2026, 3, 17), start=NOW, faults=script)

    async def play() -> None:
        desk = Desk(simulator)
        try:
            await story(desk)
        finally:
            await desk.errands.stop()

    with Simulator(options) as simulator:
        asyncio.run(play())


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
        desk.errands.look_up(ID)
        for _ in range(5):
            desk.errands.pursue()
        desk.errands.read_clock()
        assert isinstance(await desk.answer(), m.ClockRead)
        later = NOW + MINUTE
        desk.clock.heard(later)
        desk.local_s.step_s = 100
        desk.errands.pursue()
        assert await desk.answer() == m.OrderAbsent(ID, later)
        assert desk.answers.empty()

    run(story)


def test_an_order_that_has_ended_is_pursued_no_more() -> None:
    async def story(desk: Desk) -> None:
        desk.local_s.step_s = 100
        desk.errands.carry_out([desk.order()])
        await desk.answer()
        order = desk.orders.get(ID)
        assert order is not None
        desk.orders.move(order, OrderStatus.CANCELED)
        desk.errands.pursue()
        assert desk.errands.due_s is None

    run(story)


def test_an_order_is_pursued_for_days_without_a_number_too_large(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[object] = []
    monkeypatch.setattr(Errands, "_ask", lambda _, work: asked.append(work))

    async def story(desk: Desk) -> None:
        desk.local_s.step_s = 100
        desk.order()
        desk.errands.look_up(ID)
        for _ in range(1100):
            desk.errands.pursue()
        assert len(asked) > 1024

    run(story)


@pytest.mark.parametrize("status", [OrderStatus.PENDING_NEW, OrderStatus.PENDING_CANCEL])
def test_an_order_that_is_stuck_is_told_of_once_and_asked_for_until_it_ends(
    status: OrderStatus, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    asked: list[object] = []
    monkeypatch.setattr(Errands, "_ask", lambda _, work: asked.append(work))

    async def story(desk: Desk) -> None:
        desk.order()
        order = desk.books.order(ID)
        desk.orders.move(order, status)
        desk.errands.look_up(ID)
        desk.local_s.step_s = 100
        for minute in range(1, 31):
            desk.clock.heard(NOW + minute * MINUTE)
            desk.errands.pursue()
            assert caplog.text.count(f"order {ID} is {status.value} since") == (minute > 2)
        assert len(asked) == 31
        assert (order.is_open, order.status) == (True, status)

    run(story)


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


def test_a_gap_is_fetched_for_both_markets_up_to_the_last_whole_minute() -> None:
    async def story(desk: Desk) -> None:
        start = NOW - 5 * MINUTE
        desk.errands.fetch_bars({"SPY": start, "BTC/USD": start + 2 * MINUTE})
        bars = await desk.answer()
        assert isinstance(bars, m.BarsArrived)
        assert (bars.now, bars.origin) == (NOW, Origin.BACKFILL)
        assert {b.symbol for b in bars.bars} == {"SPY", "BTC/USD"}
        assert all(start <= b.start and b.end <= NOW for b in bars.bars)

    run(story)


@pytest.mark.parametrize("hangs", ["GET", "POST"])
def test_a_request_that_hangs_holds_up_neither_the_loop_nor_the_other_worker(
    hangs: str, tmp_path: Path
) -> None:
    async def story(desk: Desk) -> None:
        desk.errands.read_clock()
        desk.errands.carry_out([desk.order()])
        quick, late = await desk.answer(), await desk.answer()
        answers = [m.OrderUpdate, m.ClockRead] if hangs == "GET" else [m.ClockRead, m.OrderUpdate]
        assert [type(quick), type(late)] == answers

    run(story, tmp_path, {"kind": "delay_response", "method": hangs, "delay_s": 0.8})


@pytest.mark.parametrize("status", [401, 403, 503])
def test_a_look_whose_keys_are_refused_says_so_and_the_next_one_may_succeed(
    status: int, tmp_path: Path
) -> None:
    async def story(desk: Desk) -> None:
        desk.errands.look(Depth.ACCOUNT)
        desk.errands.read_clock()
        if status != 503:
            assert isinstance(await desk.answer(), m.SightChanged)
        assert isinstance(await desk.answer(), m.ClockRead)
        desk.errands.look(Depth.ACCOUNT)
        assert isinstance(await desk.answer(), m.AccountSeen)

    run(story, tmp_path, {"kind": "http_error", "path": "/v2/account", "status": status})


def test_a_question_that_fails_is_told_and_hurts_nobody(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def story(desk: Desk) -> None:
        desk.errands.read_clock()
        desk.errands.read_clock()
        assert await desk.answer() == m.ClockRead(NOW)

    run(story, tmp_path, {"kind": "http_error", "path": "/v2/clock", "times": 1})
    assert "the broker could not be asked" in caplog.text


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
        desk.errands.pursue()
        update = await desk.answer()
        assert isinstance(update, m.OrderUpdate)
        assert update.client_order_id == ID
        sent = [turn for turn in desk.turns if turn is not Urgency.QUESTION]
        assert sent == [Urgency.EXIT, Urgency.ENTRY]

    run(story)


def test_an_entry_still_in_line_at_its_next_bar_is_absent_and_never_sent() -> None:
    async def story(desk: Desk) -> None:
        desk.waits_s[Urgency.ENTRY] = 5.0
        desk.errands.carry_out([desk.order()])
        desk.local_s.now_s += STANDSTILL_S
        desk.errands.pursue()
        assert await desk.answer() == m.OrderAbsent(ID, NOW)
        desk.waits_s.clear()
        desk.local_s.now_s += 60
        desk.errands.pursue()
        desk.errands.carry_out([desk.order(SALE, symbol="QQQ", side=Side.SELL)])
        await desk.answer()
        assert Urgency.ENTRY not in desk.turns
        assert desk.broker.order(ID) is None

    run(story)


def test_a_sale_has_no_deadline() -> None:
    async def story(desk: Desk) -> None:
        desk.waits_s[Urgency.EXIT] = 5.0
        desk.errands.carry_out([desk.order(SALE, symbol="QQQ", side=Side.SELL)])
        desk.local_s.now_s += 600
        desk.errands.pursue()
        desk.waits_s.clear()
        while not desk.turns:
            desk.local_s.now_s += 600
            desk.errands.pursue()
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
        desk.clock.heard(sent)
        desk.waits_s.clear()
        while desk.answers.empty():
            desk.local_s.now_s += 600
            desk.errands.pursue()
            await asyncio.sleep(0.001)
        assert isinstance(await desk.answer(), m.SubmitUnclear)
        assert await look_often(desk, SALE) == []
        desk.clock.heard(sent + MINUTE)
        assert m.OrderAbsent(SALE, sent + MINUTE) in await look_often(desk, SALE)

    run(story, tmp_path, {"kind": "http_error", "method": "POST", "status": 503})


async def look_often(desk: Desk, order_id: str) -> list[m.Message]:
    """Look for an order as often as its absence takes; what came back."""
    back: list[m.Message] = []
    for _ in range(6):
        desk.local_s.now_s += 600
        desk.errands.look_up(order_id)
    desk.errands.read_clock()
    while not isinstance(said := await desk.answer(), m.ClockRead):
        back.append(said)
    return back


def test_an_order_that_has_not_left_is_not_looked_for_and_its_cancellation_ends_it() -> None:
    async def story(desk: Desk) -> None:
        desk.waits_s[Urgency.ENTRY] = 5.0
        desk.errands.carry_out([desk.order()])
        for _ in range(10):
            desk.errands.look_up(ID)
        desk.errands.carry_out([desk.order(SALE, symbol="QQQ", side=Side.SELL)])
        await desk.answer()
        desk.errands.carry_out([m.CancelOrder(ID, "")])
        assert await desk.answer() == m.OrderAbsent(ID, NOW)
        desk.errands.read_clock()
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
