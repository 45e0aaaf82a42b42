"""What a session does about garbage: counts it, tells of it rarely, and asks REST."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from coordinator.core import messages as m
from coordinator.core import records as r
from coordinator.core.lane import StrategySpec
from coordinator.core.orders import OrderStatus
from coordinator.core.values import MINUTE, UNASSIGNED
from coordinator.shell.alpaca_rest import AlpacaRest
from coordinator.shell.broker import Broker
from coordinator.shell.clock import BrokerClock
from coordinator.shell.coordinator import LiveSession
from coordinator.shell.gap_repair import LISTED
from coordinator.shell.journal import Journal
from coordinator.shell.narrator import Narrator
from coordinator.shell.ports import Ports
from coordinator.shell.streams import market_stream, order_stream
from coordinator.shell.watchdog import Depth
from coordinator.shell.workers import Threads
from tests.coordinator.bench import OPEN, Bench, bar, order_id, spec
from tests.coordinator.messages import BAR, FILL, fill, without
from tests.corpus.answers import Answers, answering
from tests.simulator.clients import until

NOW = OPEN + 10 * MINUTE
UPDATE = fill(order=FILL["data"]["order"] | {"client_order_id": "A.2026-03-17.1", "symbol": "SPY"})


class Desk:
    """A session in its tenth minute, with an order open, that does not run by itself.

    Strategies `beside` A may trade in it; `ports` are those that shall not be the usual ones.
    """

    def __init__(self, folder: Path, broker: Broker, *beside: StrategySpec, **ports: Any) -> None:
        self.bench = Bench(spec("A", {("SPY", 0): 1}, tickers=("SPY", "QQQ")), *beside)
        self.bench.minute(0, {"SPY": "100", "QQQ": "200"})
        self.local_s = 1000.0
        clock = BrokerClock(1, lambda: self.local_s)
        clock.advance(NOW)
        journal = Journal(folder / "journal.db", "PA1", "bench")
        self.live = LiveSession(
            self.bench.engine,
            journal,
            self.bench.name.session_id,
            replace(self._ports(), **ports),
            clock,
            lambda pace: Broker(broker._rest, feed="iex", pace=pace),
            Narrator(self.bench.books, self.bench.specs),
        )
        self.live.watchdog.next_look(suspicious=False)  # the first is due at once

    def _ports(self) -> Ports:
        return Ports(
            monotonic=lambda: self.local_s,
            sleep=lambda _: None,
            workers=Threads(),
            rest=AlpacaRest,
            order_stream=order_stream,
            market_stream=market_stream,
            open_journal=Journal,
        )

    @property
    def waiting(self) -> list[Any]:
        """What has reached the inbox."""
        return list(self.live._inbox._items)

    def is_look_due(self) -> bool:
        """Whether the account is to be looked at now, though the last look was just now."""
        return isinstance(self.live.watchdog.next_look(suspicious=False), Depth)


def rest_is_asked(
    folder: Path, story: Callable[[Desk], None], *paths: str, beside: tuple[StrategySpec, ...] = ()
) -> None:
    """In a story REST is asked for these paths, and for nothing else."""

    async def play(broker: Broker, answers: Answers) -> None:
        desk = Desk(folder, broker, *beside)
        story(desk)
        await asyncio.to_thread(answers.wait_for, set(paths))
        await desk.live._queue.stop()
        await desk.live._questions.stop()

    with answering() as (broker, answers):
        answers.always({"timestamp": NOW.isoformat(), "bars": {}})
        asyncio.run(play(broker, answers))
    assert set(answers.paths) == set(paths)


GAP = ("/v2/clock", "/v2/stocks/bars")
LOOK_UP = "/v2/orders:by_client_order_id"


def raw_bar(start: Any, **changes: Any) -> dict[str, Any]:
    return BAR | {"t": start.isoformat()} | changes


def test_a_good_bar_reaches_the_inbox_and_nobody_is_asked(tmp_path: Path) -> None:
    def story(desk: Desk) -> None:
        desk.live.handlers.on_bars([raw_bar(NOW - MINUTE)])
        assert (len(desk.waiting), desk.live.handlers.malformed) == (1, 0)

    rest_is_asked(tmp_path, story)


BAD_BARS: dict[str, Any] = {
    "no number": raw_bar(NOW - MINUTE, c=float("nan")),
    "no ticker": without(raw_bar(NOW - MINUTE), "S"),
    "no object": [1],
    "of the next minute but one": raw_bar(NOW + MINUTE),
    "of tomorrow": raw_bar(NOW + timedelta(days=1)),
    "a correction of the next century": raw_bar(NOW.replace(year=2126), T="u"),
}


@pytest.mark.parametrize("what", BAD_BARS)
def test_a_bad_bar_is_counted_and_rest_is_asked_for_the_good_one(what: str, tmp_path: Path) -> None:
    def story(desk: Desk) -> None:
        desk.live.handlers.on_bars([BAD_BARS[what]])
        assert (desk.waiting, desk.live.handlers.malformed) == ([], 1)

    rest_is_asked(tmp_path, story, *GAP)


def test_our_clock_may_be_a_minute_behind(tmp_path: Path) -> None:
    def story(desk: Desk) -> None:
        desk.live.handlers.on_bars([raw_bar(NOW)])
        assert (len(desk.waiting), desk.live.handlers.malformed) == (1, 0)

    rest_is_asked(tmp_path, story)


BAD_UPDATES: dict[str, Any] = {
    "nothing in it": {"stream": "trade_updates"},
    "a fill without a price": fill(price=None),
    "a fill of no order": {"data": without(FILL["data"], "order")},
    "no object": None,
}
NEW_KINDS: dict[str, Any] = {
    "an event that is new, with a price": UPDATE | {"data": UPDATE["data"] | {"event": "crossed"}},
    "no event": UPDATE | {"data": without(UPDATE["data"], "event")},
    "an event that is none": UPDATE | {"data": UPDATE["data"] | {"event": ["fill"]}},
    "a new event with an id alone": UPDATE
    | {"data": without(UPDATE["data"], "price", "qty") | {"event": "crossed"}},
    "an end with a price": UPDATE | {"data": UPDATE["data"] | {"event": "canceled"}},
}


@pytest.mark.parametrize("what", [*BAD_UPDATES, *NEW_KINDS])
def test_what_may_have_been_a_fill_is_looked_for_at_rest(what: str, tmp_path: Path) -> None:
    def story(desk: Desk) -> None:
        assert not desk.is_look_due()
        desk.live.handlers.on_order_update((BAD_UPDATES | NEW_KINDS)[what])
        assert (len(desk.waiting), desk.live.handlers.malformed) == (what in NEW_KINDS, 1)
        assert desk.is_look_due()

    rest_is_asked(tmp_path, story, LOOK_UP)


def test_an_open_order_of_which_nothing_is_heard_is_asked_for_again_and_again(
    tmp_path: Path,
) -> None:
    async def play(broker: Broker, answers: Answers) -> None:
        desk = Desk(tmp_path, broker)
        desk.live.resume(())
        trading = asyncio.create_task(desk.live.run())
        for count in range(1, 4):
            await until(lambda: answers.paths.count(LOOK_UP) >= count)  # noqa: B023
            desk.local_s += 61
        trading.cancel()
        await asyncio.gather(trading, return_exceptions=True)

    with answering() as (broker, answers):
        answers.always({"timestamp": NOW.isoformat(), "bars": {}})
        asyncio.run(play(broker, answers))


@pytest.mark.parametrize("killed", [False, True])
def test_a_restart_sends_no_buy_again_after_a_kill_that_came_while_it_started(
    tmp_path: Path, killed: bool
) -> None:
    def story(desk: Desk) -> None:
        desk.bench.minute(9, {"SPY": "100", "QQQ": "200"})
        assert desk.bench.order("B").decided_at == NOW
        if killed:
            journal = Journal(tmp_path / "journal.db", "PA1", "operator")
            journal.append("", [r.Killed(NOW, "an operator")])
            journal.close()
        desk.live.resume([order_id("B")])

    beside = (spec("B", {("SPY", 9): 1}),)
    sent = () if killed else ("/v2/orders",)
    rest_is_asked(tmp_path, story, LOOK_UP, *GAP, *sent, beside=beside)


@pytest.mark.parametrize("event", ["new", "accepted", "canceled", "restated", "fill"])
def test_an_event_that_is_known_asks_nobody(event: str, tmp_path: Path) -> None:
    data = UPDATE["data"] if event == "fill" else without(UPDATE["data"], "price", "qty")

    def story(desk: Desk) -> None:
        desk.live.handlers.on_order_update(
            {"data": data | {"event": event}}
        )  # with an execution's id
        assert (len(desk.waiting), desk.live.handlers.malformed) == (1, 0)
        assert not desk.is_look_due()

    rest_is_asked(tmp_path, story)


def test_a_flood_of_garbage_floods_neither_the_log_nor_the_broker_and_hides_no_good_message(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "coordinator")
    answered: list[Answers] = []

    async def play(broker: Broker) -> None:
        desk = Desk(tmp_path, broker)
        for number in range(3000):
            desk.local_s += 0.01
            desk.live.handlers.on_bars([{"T": "b", "S": "SPY"}])
            desk.live.handlers.on_order_update({"number": number})
            if number % 1000 == 0:
                desk.live.handlers.on_bars([raw_bar(NOW - MINUTE)])
                desk.live.handlers.on_order_update(UPDATE)
        assert desk.live.handlers.malformed == 6000
        assert len(desk.waiting) == 6
        await desk.live._queue.stop()
        await desk.live._questions.stop()

    with answering() as (broker, answers):
        answers.always({"timestamp": NOW.isoformat(), "bars": {}})
        answered.append(answers)
        asyncio.run(play(broker))
    told = [line for line in caplog.messages if "not understood" in line]
    assert 6 <= len(told) <= 8  # of bars and of orders, in half a minute
    assert len(answered[0].paths) <= 20


@pytest.mark.parametrize(
    ("after_s", "status"),
    [
        (0.0, r.SessionEnd.STOPPED_EARLY),
        (9.9, r.SessionEnd.STOPPED_EARLY),
        (10.0, r.SessionEnd.COMPLETED),
    ],
)
def test_a_session_is_over_ten_seconds_after_the_close_for_its_last_bars_come_after_it(
    tmp_path: Path, after_s: float, status: r.SessionEnd
) -> None:
    """It is stopped just after it has read the clock: one that was over by then is complete."""

    async def play(broker: Broker) -> None:
        desk = Desk(tmp_path, broker, monotonic=itertools.count(1000, 60).__next__)
        end = desk.bench.engine.plan.end
        desk.live._inbox.put(m.ClockRead(end + timedelta(seconds=after_s)))
        desk.live.request_stop()
        assert await desk.live.run() is status

    with answering() as (broker, answers):
        answers.always({"timestamp": NOW.isoformat(), "bars": {}})
        asyncio.run(play(broker))


@pytest.mark.parametrize(
    ("step_s", "told"),
    [(60, "stepped by 60.0 s; it is followed"), (-60, "by -60.0 s; time goes on")],
)
def test_of_a_step_of_the_brokers_clock_is_told_what_is_done_about_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, step_s: int, told: str
) -> None:
    async def play(broker: Broker) -> None:
        desk = Desk(tmp_path, broker)
        before, step = desk.live._clock.now(), timedelta(seconds=step_s)
        desk.live._take(m.ClockRead(before + step))
        await desk.live._queue.stop()
        await desk.live._questions.stop()
        assert desk.live._clock.now() - before == max(step, timedelta(0))

    with answering() as (broker, answers):
        answers.always({"timestamp": NOW.isoformat(), "bars": {}})
        asyncio.run(play(broker))
    [line] = [line for line in caplog.messages if "the broker's clock stepped" in line]
    assert told in line


@pytest.mark.parametrize("origin", [r.Origin.LIVE, r.Origin.BACKFILL])
def test_bars_are_decided_on_with_what_an_operator_has_taken_just_before(
    tmp_path: Path, origin: r.Origin
) -> None:
    def story(desk: Desk) -> None:
        takes_the_cash_of_b(desk, tmp_path).close()
        bars = (bar("QQQ", 10, "200"),)
        if origin is r.Origin.LIVE:
            desk.live._take_bars(bars)
        else:
            desk.live.intake.open_gap(["QQQ"])
            desk.live._take(m.BarsArrived(bars[0].end, bars, origin))
        assert desk.bench.books.ledger["B"].cash == 0
        assert not desk.bench.books.orders.open_of("B")

    rest_is_asked(tmp_path, story, beside=(spec("B", {("QQQ", 10): 1}, tickers=("QQQ",)),))


def test_an_order_that_spends_what_an_operator_takes_while_it_is_decided_is_not_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def story(desk: Desk) -> None:
        operator = takes_the_cash_of_b(desk, tmp_path)
        monkeypatch.setattr(desk.live, "_hear_others", lambda: None)  # it had heard of nothing yet
        desk.live._take_bars((bar("QQQ", 10, "200"),))
        order = desk.bench.order("B")
        assert (order.status, order.hold) == (OrderStatus.DENIED, 0)
        written = [entry.record for entry in operator.append("", ())]
        operator.close()
        moves = [one for one in written if isinstance(one, r.OrderMoved)]
        assert [(one.client_order_id, one.reason) for one in moves] == [
            (order.client_order_id, "buying_power")
        ]

    rest_is_asked(tmp_path, story, beside=(spec("B", {("QQQ", 10): 1}, tickers=("QQQ",)),))


def test_what_is_matched_inside_is_decided_on_all_that_an_operator_has_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def story(desk: Desk) -> None:
        desk.bench.engine._desk.intents.crossing = True
        takes_the_cash_of_b(desk, tmp_path).close()
        monkeypatch.setattr(desk.live, "_hear_others", lambda: None)  # it had heard of nothing yet
        desk.live._take_bars((bar("QQQ", 10, "200"),))
        assert desk.bench.books.last_bar["QQQ"] == bar("QQQ", 10, "200").start
        assert {order.strategy for order in desk.bench.books.orders} == {"A"}

    rest_is_asked(tmp_path, story, beside=(spec("B", {("QQQ", 10): 1}, tickers=("QQQ",)),))


def takes_the_cash_of_b(desk: Desk, folder: Path) -> Journal:
    """An operator's journal, in which a plan has just left B nothing."""
    operator = Journal(folder / "journal.db", "PA1", "/operator")
    cash = desk.bench.books.ledger["B"].cash
    operator.append("", [taken("B", -cash), taken(UNASSIGNED, cash)])
    return operator


def taken(strategy: str, dollars: Decimal) -> r.ActivityBooked:
    nought = Decimal(0)
    kind = r.ActivityKind.TRANSFER
    return r.ActivityBooked(
        NOW,
        "import.p1.1",
        strategy,
        kind,
        "",
        nought,
        nought,
        dollars,
        "imported by me",
        NOW.date(),
    )


@pytest.mark.parametrize(
    ("after_s", "brought", "asked"),
    [(3, ["SPY"], ["QQQ"]), (3, ["SPY", "QQQ"], None), (12, ["SPY"], None)],
)
def test_of_a_minute_that_has_just_ended_rest_is_asked_once_more_for_what_it_may_not_have_listed(
    tmp_path: Path, after_s: int, brought: list[str], asked: list[str] | None
) -> None:
    async def play(broker: Broker, answers: Answers) -> None:
        desk = Desk(tmp_path, broker)
        live, now = desk.live, NOW + timedelta(seconds=after_s)
        for ticker in ("SPY", "QQQ"):
            live.intake.open_gap([ticker])
        bars = tuple(bar(ticker, 9, "100") for ticker in brought)
        for seconds, answered in ((0, bars), (LISTED.seconds, ())):
            desk.local_s += seconds
            live._take(m.BarsArrived(now + timedelta(seconds=seconds), answered, r.Origin.BACKFILL))
            live.gap_repair.ask_again(live._clock.now())
        live.gap_repair.ask_again(live._clock.now() + MINUTE)
        if asked:
            await asyncio.to_thread(answers.wait_for, {GAP[1]})
        await live._queue.stop()
        await live._questions.stop()

    with answering() as (broker, answers):
        answers.always({"timestamp": NOW.isoformat(), "bars": {}})
        asyncio.run(play(broker, answers))
        told = [query["symbols"] for query in answers.queries if "symbols" in query]
    assert told == ([asked] if asked else [])
