"""Orders for extended hours: live from 04:00 to 20:00 in New York, 17:00 after an early close."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from alpaca.trading.requests import LimitOrderRequest

from simulator.rules import read_ticket
from simulator.server import Simulator, SimulatorOptions
from tests.simulator.bench import CLOSE, OPEN, Bench
from tests.simulator.clients import order_stream, running, stock_stream, trading, until

EARLY = datetime(2026, 3, 17, 8, 0, tzinfo=UTC)  # 04:00 in New York
LATE = datetime(2026, 3, 18, 0, 0, tzinfo=UTC)  # 20:00
EXTENDED: dict[str, Any] = {"qty": 1, "type": "limit", "extended_hours": True}


def ends(bench: Bench, at: datetime) -> list[str]:
    """The updates of trading beginning or ending at that moment."""
    bench.now = at
    bench.venue.turn(bench.market())
    return bench.events()


@pytest.mark.parametrize("at", [EARLY + timedelta(minutes=1), LATE - timedelta(minutes=1)])
def test_a_marketable_order_for_extended_hours_takes_the_quote_before_and_after_the_session(
    at: datetime,
) -> None:
    bench = Bench(now=at)
    bench.price("SPY", "100")
    assert bench.submit(**EXTENDED, limit_price="101").status.value == "pending_new"
    bench.venue.work(bench.market())
    assert bench.events() == ["pending_new", "new", "fill"]
    assert bench.venue.ledger.positions["SPY"].cost == 100


@pytest.mark.parametrize("tif", ["day", "gtc"])
def test_an_order_for_extended_hours_meets_the_bars_around_the_session_and_others_do_not(
    tif: str,
) -> None:
    bench = Bench(now=OPEN - timedelta(hours=1))
    bench.price("SPY", "100")
    bench.order(**EXTENDED, limit_price="99", time_in_force=tif)
    plain = bench.order(qty=1, type="limit", limit_price="99", time_in_force=tif)
    bench.venue.take_updates()
    assert [update.event for update in bench.minute(SPY="98")] == ["fill"]
    assert bench.venue.orders.find(plain.id).status.value == "accepted"


def test_a_days_order_for_extended_hours_outlives_the_close_and_expires_at_eight() -> None:
    bench = Bench(now=OPEN - timedelta(hours=1))
    bench.price("SPY", "100")
    order = bench.order(**EXTENDED, limit_price="99")
    assert order.expires_at == LATE
    bench.venue.take_updates()
    assert [ends(bench, at) for at in (OPEN, CLOSE, LATE)] == [[], [], ["expired"]]


def test_one_given_after_the_close_ends_the_same_evening() -> None:
    bench = Bench(now=CLOSE + timedelta(hours=1))
    bench.price("SPY", "100")
    assert bench.order(**EXTENDED, limit_price="99").expires_at == LATE
    assert bench.order(qty=1, type="limit", limit_price="98").expires_at == CLOSE + timedelta(
        days=1
    )


@pytest.mark.parametrize("night", [EARLY - timedelta(hours=1), LATE - timedelta(days=1)])
def test_one_given_at_night_waits_for_four_in_the_morning(night: datetime) -> None:
    bench = Bench(now=night)
    bench.price("SPY", "100")
    assert bench.order(**EXTENDED, limit_price="101").status.value == "accepted"
    assert bench.events() == ["pending_new", "accepted"]
    assert bench.minute(SPY="90") == []
    assert ends(bench, EARLY) == ["new"]
    assert [update.event for update in bench.minute(SPY="100")] == ["fill"]


def test_after_an_early_close_extended_hours_end_at_five() -> None:
    bench = Bench(now=datetime(2026, 11, 27, 17, 0, tzinfo=UTC))
    bench.price("SPY", "100")
    order = bench.order(**EXTENDED, limit_price="99")
    assert order.expires_at == datetime(2026, 11, 27, 22, 0, tzinfo=UTC)


def test_the_exchange_turns_them_over_at_four_in_the_morning_and_at_eight_in_the_evening() -> None:
    options = SimulatorOptions(date=EARLY.date(), start=EARLY - timedelta(minutes=1))
    exchange = Simulator(options).exchange
    wish = {"symbol": "SPY", "side": "buy", "time_in_force": "day", **EXTENDED, "limit_price": "1"}
    order, states = exchange.submit(read_ticket(wish, "a")), []
    exchange.work()
    for moment in (EARLY - timedelta(minutes=1), EARLY, OPEN, CLOSE, LATE):
        exchange.turn(moment)
        states.append(exchange.venue.orders.find(order.id).status.value)
    assert states == ["accepted", "new", "new", "new", "expired"]


@pytest.mark.thorough
def test_alpacas_clients_trade_after_the_close_until_eight(
    simulate: Callable[..., Simulator], tmp_path: Path
) -> None:
    minutes = pd.date_range("2026-03-17 13:30", "2026-03-17 23:59", freq="min", tz="UTC")
    path = tmp_path / "bars.csv"
    prices = dict.fromkeys(("open", "high", "low", "close"), 100.0)
    pd.DataFrame({"symbol": "SPY", "timestamp": minutes, **prices, "volume": 10.0}).to_csv(path)
    simulator = simulate(
        bars=path,
        start=LATE - timedelta(minutes=10),
        fill_model="close",
        clock_speed=1e6,
        settle_s=0.01,
        first_settle_s=0.05,
    )
    client, told = trading(simulator), []

    def wish(name: str, price: float) -> str:
        asked = LimitOrderRequest(
            symbol="SPY",
            qty=1,
            side="buy",
            time_in_force="day",
            limit_price=price,
            extended_hours=True,
            client_order_id=name,
        )
        return str(client.submit_order(asked).status.value)

    async def session() -> None:
        orders, bars = order_stream(simulator), stock_stream(simulator)

        async def on_update(update: Any) -> None:
            moment = update.timestamp.strftime("%H:%M")
            told.append((update.order.client_order_id, update.event, moment))

        async def on_bar(bar: Any) -> None:
            return None

        orders.subscribe_trade_updates(on_update)
        async with running(orders):
            hub = simulator.exchange.order_streams
            await until(lambda: any(talk.is_listening for talk in list(hub.connections)))
            assert await asyncio.to_thread(wish, "crossing", 101.0) == "pending_new"
            assert await asyncio.to_thread(wish, "resting", 99.0) == "pending_new"
            bars.subscribe_bars(on_bar, "SPY")
            async with running(bars):
                await until(lambda: len(told) == 6)

    asyncio.run(session())
    assert told == [
        ("crossing", "pending_new", "23:50"),
        ("crossing", "new", "23:50"),
        ("crossing", "fill", "23:50"),
        ("resting", "pending_new", "23:50"),
        ("resting", "new", "23:50"),
        ("resting", "expired", "00:00"),
    ]
