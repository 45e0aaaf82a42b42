"""A desk before a broker: what is sent and asked, and what comes back, in mid-session."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

from coordinator.core import messages as m
from coordinator.core.books import Books
from coordinator.core.orders import Order, OrderStatus
from coordinator.core.values import Reason, Side
from coordinator.settings import simulator_settings
from coordinator.shell.alpaca_rest import AlpacaRest
from coordinator.shell.broker import Broker
from coordinator.shell.budget import Urgency
from coordinator.shell.clock import BrokerClock
from coordinator.shell.errand_queue import ErrandQueue
from coordinator.shell.errands import Errands
from coordinator.shell.pace import Budgets
from coordinator.shell.ports import Ports
from coordinator.shell.questions import Questions
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
    """Errands and questions with a real broker, the orders they are about, and what came back."""

    def __init__(self, simulator: Simulator) -> None:
        settings = simulator_settings(simulator.url, Path("x"))
        self.broker = Broker(AlpacaRest(settings), feed="iex")
        self.local_s = LocalTime()
        self.clock = BrokerClock(600, self.local_s)
        self.clock.advance(NOW)
        self.books = Books()
        self.orders = self.books.orders
        self.waits_s: dict[Urgency, float] = {}
        self.turns: list[Urgency] = []
        self.answers: asyncio.Queue[m.Message] = asyncio.Queue()
        ports = replace(
            Ports.real(Budgets(settings, speed=600)), monotonic=self.local_s, turn=self._turn
        )
        self.line = ErrandQueue(ports.workers.one("orders"), ports.monotonic, lambda: None)
        to_ask = (
            ports,
            lambda pace: Broker(AlpacaRest(settings), feed="iex", pace=pace),
            self.clock,
            self.books,
            self._take,
        )
        self.to_ask = to_ask
        self.questions = Questions(
            *to_ask,
            self.line.holds,
            lambda: self.answers.put_nowait(m.SightChanged(NOW, False, frozenset())),
        )
        self.errands = Errands(*to_ask, self.line, self.questions)

    def go_on(self) -> None:
        """Send and look up what is due by now."""
        self.line.go_on()
        self.questions.look_up_due()

    async def stop(self) -> None:
        """End both workers."""
        await self.line.stop()
        await self.questions.stop()

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
            await desk.stop()

    with Simulator(options) as simulator:
        asyncio.run(play())
