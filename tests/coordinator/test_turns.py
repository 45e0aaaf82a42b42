"""An order leaves as soon as the shared budget of requests allows, and a bar counts at the end."""

from __future__ import annotations

import asyncio
import itertools
import time
from dataclasses import replace
from pathlib import Path

from coordinator.core import messages as m
from coordinator.core import records as r
from coordinator.core.orders import OrderStatus
from coordinator.core.values import MINUTE, Side
from coordinator.shell.broker import Broker
from coordinator.shell.budget import Urgency
from coordinator.shell.folders import JOURNAL
from coordinator.shell.journal_reading import read_kinds
from coordinator.shell.rest import Api
from tests.coordinator.at_the_door import Door, at_the_door
from tests.corpus.answers import answering
from tests.corpus.test_session import NOW, Desk, raw_bar

PATIENCE_S = 20.0
A_DAY_S = 86_400.0


def test_a_bar_whose_minute_is_not_complete_when_the_session_ends_is_in_its_journal(
    short_path: Path,
) -> None:
    async def story(door: Door) -> None:
        door.desk.live.handlers.on_bars([raw_bar(NOW - MINUTE)])
        await door.ask("pause", "A")  # whose turn comes after the bar's

    at_the_door(short_path, story)
    [seen] = read_kinds(short_path / "PA1" / JOURNAL, r.BarsSeen)
    assert [bar.start for bar in seen.record.bars] == [NOW - MINUTE]  # type: ignore[union-attr]


def test_an_order_that_never_had_its_turn_is_known_not_to_be_sent_when_the_session_ends(
    tmp_path: Path,
) -> None:
    async def play(broker: Broker) -> None:
        desk = Desk(tmp_path, broker, turn=lambda *_: A_DAY_S, monotonic=itertools.count().__next__)
        [bought] = (c for c in desk.bench.commands if isinstance(c, m.SubmitOrder))
        desk.live._errands.carry_out([replace(bought, side=Side.SELL)])
        desk.live.request_stop()
        await desk.live.run()
        assert desk.bench.order("A").status is OrderStatus.DENIED

    with answering() as (broker, answers):
        answers.always({"timestamp": NOW.isoformat(), "bars": {}})
        asyncio.run(play(broker))
        assert "/v2/orders" not in answers.paths


def test_an_order_that_the_budget_held_back_leaves_when_its_turn_comes_and_not_at_a_tick(
    tmp_path: Path,
) -> None:
    waits_s = [0.05, 0.0]

    def turn(_: Api, urgency: Urgency) -> float:
        return waits_s.pop(0) if urgency is Urgency.EXIT else 0.0

    async def play(broker: Broker) -> None:
        ports = {"monotonic": time.monotonic, "turn": turn, "tick_s": A_DAY_S}
        desk = Desk(tmp_path, broker, **ports)
        [bought] = (c for c in desk.bench.commands if isinstance(c, m.SubmitOrder))
        desk.live._errands.carry_out([replace(bought, side=Side.SELL)])
        async with asyncio.timeout(PATIENCE_S):
            await desk.live._pump(lambda: desk.live._queue.is_empty)
        await desk.live._queue.stop()
        await desk.live._questions.stop()

    with answering() as (broker, answers):
        answers.always({"timestamp": NOW.isoformat(), "bars": {}})
        asyncio.run(play(broker))
        assert "/v2/orders" in answers.paths
    assert not waits_s
