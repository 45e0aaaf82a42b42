"""The clock is a guest of the client: it waits, and what happens does not depend on its speed."""

import asyncio
import json
import random
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from alpaca.trading.requests import LimitOrderRequest, MarketOrderRequest
from websockets.asyncio.client import connect

from simulator.clock import BrokerClock
from simulator.rules import read_ticket
from simulator.server import Simulator, SimulatorOptions
from tests.simulator.clients import order_stream, running, stock_stream, trading, until

Start = Callable[..., Simulator]
TEN = datetime(2026, 3, 17, 14, 0, tzinfo=UTC)
HEADERS = {"APCA-API-KEY-ID": "k", "APCA-API-SECRET-KEY": "s"}


def options(**more: Any) -> dict[str, Any]:
    return {
        "date": date(2026, 3, 17),
        "start": TEN,
        "clock_speed": 100_000,
        "settle_s": 0.03,
        "first_settle_s": 0.15,
        **more,
    }


async def trade(
    simulator: Simulator, minutes: int, dawdle_s: float = 0.0, work_s: float = 0.0
) -> list[str]:
    """Buy on an up minute, sell on a down one, by two symbols; what was decided and what filled."""
    story: list[str] = []
    last: dict[str, float] = {}
    client = trading(simulator, raw=True)
    dice = random.Random(1)  # noqa: S311 - how long a client dawdles
    done = asyncio.Event()
    stream, orders = stock_stream(simulator, raw=True), order_stream(simulator, raw=True)

    async def on_bar(bar: Any) -> None:
        symbol, close, start = bar["S"], bar["c"], bar["t"].to_datetime()
        if start >= TEN + timedelta(minutes=minutes):
            done.set()
            return
        before, last[symbol] = last.get(symbol, close), close
        if close == before:
            return
        await asyncio.sleep(dice.uniform(0, dawdle_s))
        busy_until_s = time.monotonic() + dice.uniform(0, work_s)
        while time.monotonic() < busy_until_s:
            sum(range(1000))
        side = "buy" if close > before else "sell"
        request = MarketOrderRequest(symbol=symbol, qty=1, side=side, time_in_force="day")
        answer = await asyncio.to_thread(client.submit_order, request)
        story.append(f"{start:%H:%M} {symbol} {side} at {answer['submitted_at'][:19]}")

    async def on_update(update: Any) -> None:
        data = update["data"]
        if data["event"] == "fill":
            story.append(f"{data['timestamp'][:19]} {data['price']} {data['position_qty']}")

    stream.subscribe_bars(on_bar, "SPY", "QQQ")
    orders.subscribe_trade_updates(on_update)
    async with running(stream, orders):
        await asyncio.wait_for(done.wait(), 60)
    return sorted(story)


def test_the_exchange_works_what_waited_at_its_open_and_settles_the_day_at_its_close() -> None:
    opens, closes = datetime(2026, 3, 17, 13, 30, tzinfo=UTC), datetime(2026, 3, 17, 20, tzinfo=UTC)
    before = opens - timedelta(minutes=1)
    exchange = Simulator(SimulatorOptions(**options(start=before, fill_model="close"))).exchange
    wish = {"symbol": "SPY", "qty": "1", "side": "buy", "time_in_force": "day"}
    order = exchange.submit(read_ticket({**wish, "type": "market"}, "a"))
    resting = exchange.submit(read_ticket({**wish, "type": "limit", "limit_price": "1"}, "b"))

    def states() -> list[str]:
        return [exchange.venue.orders.find(each.id).status.value for each in (order, resting)]

    exchange.work()
    assert states() == ["accepted", "accepted"]
    exchange.turn(opens)
    assert states() == ["new", "new"]
    exchange.clock.stand(opens)
    exchange.match(opens + timedelta(minutes=1))
    assert states() == ["filled", "new"]
    exchange.turn(closes)
    assert states() == ["filled", "expired"]
    gain = exchange.venue.account.funds(exchange.market()).equity
    assert exchange.last_equity == gain != exchange.options.cash


@pytest.mark.thorough
def test_a_slow_and_a_fast_clock_give_the_same_decisions_fills_and_cash(simulate: Start) -> None:
    outcomes = []
    for speed, habits in (
        (600, {}),
        (100_000, {}),
        (100_000, {"dawdle_s": 0.02}),
        (100_000, {"work_s": 0.15}),  # thinks for much longer than the clock waits in silence
    ):
        simulator = simulate(**options(clock_speed=speed, settle_s=0.05))
        story = asyncio.run(trade(simulator, 9, **habits))
        snapshot = simulator.snapshot()
        held = sorted(snapshot.positions.items())
        outcomes.append("\n".join([*story, f"cash {snapshot.cash}", f"held {held}"]))
    assert outcomes[0].count("at 2026") >= 15
    assert outcomes[1] == outcomes[0]
    assert outcomes[2] == outcomes[0]
    assert outcomes[3] == outcomes[0]


@pytest.mark.thorough
def test_the_clock_stands_until_somebody_wants_bars(simulate: Start) -> None:
    simulator = simulate(**options())
    client = trading(simulator)

    async def session() -> None:
        async with connect(simulator.stream_url + "/v2/iex", additional_headers=HEADERS) as peer:
            await asyncio.sleep(0.3)
            assert client.get_clock().timestamp == TEN
            await peer.send(json.dumps({"action": "subscribe", "trades": ["SPY"]}))
            await asyncio.sleep(0.3)
            assert client.get_clock().timestamp == TEN
            await peer.send(json.dumps({"action": "subscribe", "bars": ["SPY"]}))
            await until(lambda: simulator.snapshot().at > TEN + timedelta(minutes=3))
        await until(lambda: simulator.snapshot().connections["/v2/iex"] == 0)
        stood = client.get_clock().timestamp
        await asyncio.sleep(0.3)
        assert client.get_clock().timestamp == stood

    asyncio.run(session())


@pytest.mark.thorough
def test_the_clock_waits_for_a_client_that_is_still_asking(simulate: Start) -> None:
    simulator = simulate(**options())
    client = trading(simulator, raw=True)

    async def session() -> None:
        stream = stock_stream(simulator, raw=True)
        asked: list[datetime] = []

        async def on_bar(bar: Any) -> None:
            if asked:
                return
            ends_s = time.monotonic() + 0.4
            while time.monotonic() < ends_s:
                await asyncio.to_thread(client.get_account)
                asked.append(simulator.snapshot().at)

        stream.subscribe_bars(on_bar, "SPY")
        async with running(stream):
            await until(lambda: asked)
            await until(lambda: simulator.snapshot().at > TEN + timedelta(minutes=5))
        assert set(asked) == {TEN + timedelta(minutes=1)}

    asyncio.run(session())


@pytest.mark.thorough
def test_polling_the_clock_does_not_hold_it_up(simulate: Start) -> None:
    simulator = simulate(**options())
    client = trading(simulator)

    async def session() -> None:
        stream = stock_stream(simulator, raw=True)

        async def on_bar(bar: Any) -> None:
            return None

        stream.subscribe_bars(on_bar, "SPY")
        seen = []
        async with running(stream):
            while simulator.snapshot().at < TEN + timedelta(minutes=10):
                seen.append((await asyncio.to_thread(client.get_clock)).timestamp)
                await asyncio.sleep(0.005)
        assert all(a <= b for a, b in pairwise(seen))

    asyncio.run(asyncio.wait_for(session(), 30))


@pytest.mark.thorough
def test_once_the_clock_says_a_minute_has_passed_its_bars_have_been_sent(simulate: Start) -> None:
    simulator = simulate(**options(settle_s=0.01))
    client = trading(simulator)
    got: list[datetime] = []

    async def session() -> None:
        async with connect(simulator.stream_url + "/v2/iex", additional_headers=HEADERS) as peer:
            await peer.send(json.dumps({"action": "subscribe", "bars": ["SPY"]}))

            async def read() -> None:
                async for frame in peer:
                    got.extend(
                        datetime.fromisoformat(each["t"])
                        for each in json.loads(frame)
                        if each["T"] == "b"
                    )

            reader = asyncio.create_task(read())
            while len(got) < 10:
                said = (await asyncio.to_thread(client.get_clock)).timestamp
                ended = said.replace(second=0, microsecond=0) - timedelta(minutes=1)
                await asyncio.sleep(0.003)
                if ended >= TEN:
                    await until(lambda ended=ended: ended in got, 0.25)  # type: ignore[misc]
            reader.cancel()

    asyncio.run(asyncio.wait_for(session(), 30))
    assert got == [TEN + timedelta(minutes=n) for n in range(len(got))]


@pytest.mark.thorough
def test_a_resting_order_fills_before_the_bar_that_fills_it_is_sent(simulate: Start) -> None:
    simulator = simulate(**options())
    client = trading(simulator, raw=True)
    story: list[str] = []

    async def session() -> None:
        stream, orders = stock_stream(simulator, raw=True), order_stream(simulator, raw=True)

        async def on_bar(bar: Any) -> None:
            story.append(f"bar {bar['t'].to_datetime():%H:%M}")
            if len(story) == 1:
                limit = round(bar["c"] * 0.9999, 2)
                await asyncio.to_thread(
                    client.submit_order,
                    LimitOrderRequest(
                        symbol="SPY", qty=1, side="buy", time_in_force="day", limit_price=limit
                    ),
                )

        async def on_update(update: Any) -> None:
            if update["data"]["event"] == "fill":
                story.append(f"fill {update['data']['timestamp'][11:16]}")

        stream.subscribe_bars(on_bar, "SPY")
        orders.subscribe_trade_updates(on_update)
        async with running(stream, orders):
            await until(lambda: any(line.startswith("fill") for line in story))
            await until(lambda: story[-1].startswith("bar"))

    asyncio.run(session())
    at = next(n for n, line in enumerate(story) if line.startswith("fill"))
    minute = story[at].removeprefix("fill ")
    assert story[at + 1] == f"bar {minute}"  # the minute in which it filled, sent after the fill
    assert f"bar {minute}" not in story[:at]


@pytest.mark.thorough
def test_time_goes_on_through_the_close_the_night_and_the_next_open(simulate: Start) -> None:
    late = datetime(2026, 3, 17, 19, 58, tzinfo=UTC)
    simulator = simulate(**options(start=late, settle_s=0.01))
    client = trading(simulator, raw=True)
    waiting = LimitOrderRequest(
        symbol="SPY", qty=1, side="buy", time_in_force="day", limit_price=1.0
    )
    client.submit_order(waiting)

    async def session() -> list[datetime]:
        got: list[datetime] = []
        stream = stock_stream(simulator, raw=True)

        async def on_bar(bar: Any) -> None:
            got.append(bar["t"].to_datetime())

        stream.subscribe_bars(on_bar, "SPY")
        async with running(stream):
            await until(lambda: len(got) > 2)
        return got

    got = asyncio.run(session())
    assert got[:3] == [late, late + timedelta(minutes=1), datetime(2026, 3, 18, 13, 30, tzinfo=UTC)]
    (order,) = simulator.snapshot().orders
    assert order.status.value == "expired"
    assert order.expired_at is not None
    assert order.expired_at >= datetime(2026, 3, 17, 20, 0, tzinfo=UTC)


def test_the_clock_stands_where_the_calendar_ends_and_the_simulator_goes_on(
    simulate: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("simulator.calendar._MARGIN", timedelta(days=2))
    path = tmp_path / "bars.csv"
    path.write_text(
        "symbol,timestamp,open,high,low,close,volume\nSPY,2026-03-17 14:00:00+00:00,9,9,9,9,100\n"
    )
    simulator = simulate(**options(bars=path, clock_speed=100_000_000))
    last = datetime(2026, 3, 19, 13, 29, tzinfo=UTC)

    async def leave_it_running() -> None:
        async with connect(simulator.stream_url + "/v2/iex", additional_headers=HEADERS) as peer:
            await peer.send(json.dumps({"action": "subscribe", "bars": ["SPY"]}))
            await until(lambda: simulator.exchange.now() >= last)
            for _ in range(3):
                clock = await asyncio.to_thread(trading(simulator).get_clock)
                assert clock.timestamp == last
            await asyncio.wait_for(await peer.ping(), 5)

    asyncio.run(leave_it_running())


def test_a_free_running_clock_waits_for_nobody(simulate: Start) -> None:
    simulator = simulate(**options(free_running=True, clock_speed=6000))
    began = time.monotonic()

    async def watch() -> None:
        await until(lambda: simulator.snapshot().at > TEN + timedelta(minutes=20))

    asyncio.run(watch())
    assert time.monotonic() - began > 0.19  # at no more than its speed


@pytest.mark.parametrize(("real_s", "minutes"), [(0.0, 0), (1.0, 10), (1.5, 15), (99.0, 20)])
def test_broker_time_runs_at_its_speed_up_to_its_limit(real_s: float, minutes: int) -> None:
    clock = BrokerClock(TEN, 600)
    assert clock.now(1234.0) == TEN
    clock.run(100.0, TEN + timedelta(minutes=20))
    assert clock.now(100.0 + real_s) == TEN + timedelta(minutes=minutes)


def test_stamps_never_repeat_nor_go_back() -> None:
    clock = BrokerClock(TEN, 600)
    stamps = [clock.stamp(1.0) for _ in range(5)]
    assert stamps == sorted(set(stamps))
    clock.stand(TEN + timedelta(minutes=1))
    assert clock.stamp(1.0) == TEN + timedelta(minutes=1)


def test_decisions_use_exact_decimals_whatever_the_thread(simulate: Start) -> None:
    simulator = simulate(**options(cash=Decimal("123456789.123456789")))
    assert trading(simulator, raw=True).get_account()["cash"] == "123456789.123456789"
