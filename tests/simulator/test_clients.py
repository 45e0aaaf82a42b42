"""All six unmodified alpaca-py clients against the simulator's port, typed and raw."""

import asyncio
import json
import logging
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgpack
import pytest
from alpaca.common.enums import SupportedCurrencies
from alpaca.common.exceptions import APIError
from alpaca.data.enums import DataFeed
from alpaca.data.models import Bar
from alpaca.data.requests import (
    CryptoBarsRequest,
    CryptoLatestBarRequest,
    StockBarsRequest,
    StockLatestBarRequest,
)
from alpaca.data.timeframe import TimeFrame
from alpaca.trading.enums import OrderSide, OrderStatus, TimeInForce
from alpaca.trading.models import TradeUpdate
from alpaca.trading.requests import (
    GetCalendarRequest,
    GetPortfolioHistoryRequest,
    LimitOrderRequest,
    MarketOrderRequest,
)
from websockets.asyncio.client import connect

from simulator.feed import bar_at
from simulator.server import Simulator
from tests.simulator.clients import (
    crypto_history,
    crypto_stream,
    order_stream,
    running,
    stock_history,
    stock_stream,
    trading,
    until,
)

Start = Callable[..., Simulator]
TUESDAY = date(2026, 3, 17)
NOON = datetime(2026, 3, 17, 16, 0, tzinfo=UTC)
SDK_LOGGER = "alpaca.data.live.websocket"
FAST: dict[str, Any] = {
    "date": TUESDAY,
    "start": NOON,
    "clock_speed": 100_000,
    "settle_s": 0.01,
    "first_settle_s": 0.1,
}


def buy(symbol: str = "SPY", qty: float = 2, **more: Any) -> MarketOrderRequest:
    tif = TimeInForce.GTC if "/" in symbol else TimeInForce.DAY
    return MarketOrderRequest(symbol=symbol, qty=qty, side=OrderSide.BUY, time_in_force=tif, **more)


@pytest.mark.thorough
@pytest.mark.parametrize("path", ["/v2/iex", "/v2/sip"])
@pytest.mark.parametrize("raw", [True, False])
def test_the_stock_stream_delivers_every_minutes_bars_in_order(
    simulate: Start, path: str, raw: bool
) -> None:
    simulator = simulate(**FAST)
    got: list[Any] = []

    async def session() -> None:
        stream = stock_stream(simulator, path, raw=raw)

        async def on_bar(bar: Any) -> None:
            got.append(bar)

        stream.subscribe_bars(on_bar, "SPY", "QQQ")
        async with running(stream):
            await until(lambda: len(got) >= 20)

    asyncio.run(session())
    for n, bar in enumerate(got[:20]):
        start, symbol = NOON + timedelta(minutes=n // 2), ("QQQ", "SPY")[n % 2]
        made = bar_at(simulator.exchange.feed, symbol, start)
        assert made is not None
        if raw:
            assert (bar["S"], bar["t"].to_datetime()) == (symbol, start)
            assert Decimal(str(bar["c"])) == made.close
        else:
            assert isinstance(bar, Bar)
            assert (bar.symbol, bar.timestamp) == (symbol, start)
            assert (bar.open, bar.vwap) == (float(made.open), float(made.vwap or 0))


@pytest.mark.thorough
@pytest.mark.parametrize("raw", [True, False])
def test_the_crypto_stream_delivers_pairs_also_on_a_saturday(simulate: Start, raw: bool) -> None:
    simulator = simulate(**{**FAST, "start": datetime(2026, 3, 14, 3, 0, tzinfo=UTC)})
    got: list[Any] = []

    async def session() -> None:
        stream = crypto_stream(simulator, raw=raw)

        async def on_bar(bar: Any) -> None:
            got.append((bar["S"], bar["t"].to_datetime()) if raw else (bar.symbol, bar.timestamp))

        stream.subscribe_bars(on_bar, "BTC/USD")
        async with running(stream):
            await until(lambda: len(got) >= 5)

    asyncio.run(session())
    assert got[:2] == [
        ("BTC/USD", datetime(2026, 3, 14, 3, 0, tzinfo=UTC)),
        ("BTC/USD", datetime(2026, 3, 14, 3, 1, tzinfo=UTC)),
    ]


@pytest.mark.parametrize("raw", [True, False])
def test_the_order_stream_tells_an_orders_whole_life(simulate: Start, raw: bool) -> None:
    simulator = simulate(**FAST)
    got: list[Any] = []

    async def session() -> None:
        stream = order_stream(simulator, raw=raw)

        async def on_update(update: Any) -> None:
            got.append(update)

        stream.subscribe_trade_updates(on_update)
        async with running(stream):
            hub = simulator.exchange.order_streams
            await until(lambda: any(talk.is_listening for talk in list(hub.connections)))
            client = trading(simulator)
            answer = await asyncio.to_thread(client.submit_order, buy(client_order_id="s1.1"))
            assert answer.status is OrderStatus.PENDING_NEW
            await until(lambda: len(got) >= 3)

    asyncio.run(session())
    if raw:
        data = [update["data"] for update in got]
        assert [each["event"] for each in data] == ["pending_new", "new", "fill"]
        assert (data[2]["qty"], data[2]["position_qty"]) == ("2", "2")
        assert data[2]["order"]["client_order_id"] == "s1.1"
        assert data[2]["order"]["filled_qty"] == "2"
    else:
        assert all(isinstance(update, TradeUpdate) for update in got)
        assert [update.event for update in got] == ["pending_new", "new", "fill"]
        assert got[2].order.status is OrderStatus.FILLED
        assert got[2].qty == 2


def test_the_trading_client_reads_account_clock_calendar_and_assets(simulate: Start) -> None:
    client = trading(simulate(**FAST, account_number="PA3TEST"))
    account = client.get_account()
    assert (account.account_number, account.cash, account.buying_power) == (
        "PA3TEST",
        "100000",
        "200000",
    )
    clock = client.get_clock()
    assert (clock.timestamp, clock.is_open) == (NOON, True)
    assert clock.next_close == datetime(2026, 3, 17, 20, 0, tzinfo=UTC)
    days = client.get_calendar(GetCalendarRequest(start=date(2025, 11, 26), end=date(2025, 11, 28)))
    assert [(day.date, day.close.strftime("%H:%M")) for day in days] == [
        (date(2025, 11, 26), "16:00"),
        (date(2025, 11, 28), "13:00"),
    ]
    assert client.get_asset("SPY").fractionable
    pair = client.get_asset("BTC/USD")
    assert (pair.min_order_size, pair.min_trade_increment) == (0.000016, 1e-9)
    assert {asset.symbol for asset in client.get_all_assets()} >= {"SPY", "BTC/USD"}
    assert client.get_account_configurations().fractional_trading
    with pytest.raises(APIError) as error:
        client.get_asset("not an asset")
    assert error.value.status_code == 404


def test_the_trading_client_places_lists_cancels_and_closes(simulate: Start) -> None:
    simulator = simulate(**FAST)
    client = trading(simulator)
    client.submit_order(buy("SPY", 2, client_order_id="a"))
    client.submit_order(buy("BTC/USD", 0.1, client_order_id="b"))
    filled = client.get_order_by_client_id("a")
    assert (filled.status, filled.filled_qty) == (OrderStatus.FILLED, "2")
    assert client.get_order_by_id(filled.id).client_order_id == "a"
    positions = {held.symbol: held for held in client.get_all_positions()}
    assert (positions["SPY"].qty, positions["BTCUSD"].qty) == ("2", "0.09975")
    assert client.get_open_position("BTCUSD").qty_available == "0.09975"
    for missing in ("BTC/USD", "QQQ"):
        with pytest.raises(APIError) as error:
            client.get_open_position(missing)
        assert error.value.status_code == 404
    resting = client.submit_order(
        LimitOrderRequest(symbol="SPY", qty=1, side="buy", time_in_force="day", limit_price=100.0)
    )
    assert [order.id for order in client.get_orders()] == [resting.id]
    client.cancel_order_by_id(resting.id)
    assert client.get_order_by_id(resting.id).status is OrderStatus.CANCELED
    with pytest.raises(APIError) as error:
        client.cancel_order_by_id(resting.id)
    assert error.value.status_code == 422
    assert client.cancel_orders() == []
    assert client.close_position("SPY").symbol == "SPY"
    (closed,) = client.close_all_positions(cancel_orders=True)
    assert (closed.symbol, closed.status) == ("BTCUSD", 200)
    assert client.get_all_positions() == []
    assert simulator.snapshot().positions == {}
    history = client.get_portfolio_history(GetPortfolioHistoryRequest(period="1D"))
    assert history.equity[0] == 100000


def test_a_positions_gain_of_today_counts_from_what_it_cost_today_or_from_yesterdays_close(
    simulate: Start,
) -> None:
    simulator = simulate(**FAST, fill_model="close")
    client, clock = trading(simulator), simulator.exchange.clock

    def bought(symbol: str, qty: float) -> None:
        order = client.submit_order(buy(symbol, qty))
        while client.get_order_by_id(order.id).status is not OrderStatus.FILLED:
            continue  # it fills at this moment's price, just after the answer

    def gains(moment: datetime, symbol: str) -> list[Decimal]:
        """Mark, today's gain and what today's percentage is of."""
        clock.stand(moment)
        held = client.get_open_position(symbol)
        marks = held.current_price, held.unrealized_intraday_pl, held.unrealized_intraday_plpc
        mark, gain, part = (Decimal(str(each)) for each in marks)
        return [mark, gain, gain / part]

    bought("SPY", 2)
    bought("BTC/USD", 0.1)
    first = Decimal(client.get_open_position("SPY").avg_entry_price)
    mark, gain, base = gains(NOON + timedelta(minutes=30), "SPY")
    assert gain == 2 * (mark - first) != 0
    assert round(base) == round(2 * first)
    held = client.get_open_position("BTCUSD")
    assert held.unrealized_intraday_pl == held.unrealized_pl

    bought("SPY", 1)  # two cost the first price, one this
    _, gain, _ = gains(NOON + timedelta(minutes=60), "SPY")
    assert gain == Decimal(str(client.get_open_position("SPY").unrealized_pl))

    overnight, gain, _ = gains(NOON + timedelta(days=1), "SPY")
    before = Decimal(str(client.get_open_position("SPY").lastday_price))
    assert gain == 3 * (overnight - before)
    told = client.get_open_position("SPY").change_today
    assert Decimal(str(told)) == round((overnight - before) / before, 6) != 0
    bought("SPY", 1)
    mark, gain, base = gains(NOON + timedelta(days=1, minutes=30), "SPY")
    assert gain == 3 * (mark - before) + (mark - overnight)
    assert round(base) == round(3 * before + overnight)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"currency": SupportedCurrencies.EUR}, "currency EUR is not served by this simulator"),
        ({"feed": DataFeed.OTC}, "feed otc is not served by this simulator; use iex or sip"),
    ],
)
def test_prices_of_another_currency_or_feed_are_refused_and_not_made_up(
    simulate: Start, more: dict[str, Any], message: str
) -> None:
    client = stock_history(simulate(**FAST))
    minutes = {"symbol_or_symbols": "SPY", "timeframe": TimeFrame.Minute, "start": NOON}
    with pytest.raises(APIError, match=message):
        client.get_stock_bars(StockBarsRequest(**minutes, **more))
    with pytest.raises(APIError, match=message):
        client.get_stock_latest_bar(StockLatestBarRequest(symbol_or_symbols="SPY", **more))
    usd = {"currency": SupportedCurrencies.USD, "feed": DataFeed.IEX}
    latest = StockLatestBarRequest(symbol_or_symbols="SPY", **usd)
    assert client.get_stock_latest_bar(latest)["SPY"].close


def test_cash_is_exact_to_the_last_digit_on_the_wire(simulate: Start) -> None:
    simulator = simulate(**FAST)
    client = trading(simulator, raw=True)
    client.submit_order(buy("BTC/USD", 0.123456789))
    client.submit_order(buy("SPY", 0.987654321))
    assert Decimal(client.get_account()["cash"]) == simulator.snapshot().cash
    assert "E" not in client.get_account()["cash"]
    fills = client.get("/account/activities/FILL", {"direction": "asc"})
    assert [fill["symbol"] for fill in fills] == ["BTC/USD", "SPY"]
    assert fills[0]["cum_qty"] == "0.123456789"


def test_bars_by_rest_are_those_of_the_stream_and_none_is_shown_early(simulate: Start) -> None:
    simulator = simulate(**FAST)
    request = StockBarsRequest(
        symbol_or_symbols=["SPY", "QQQ"],
        timeframe=TimeFrame.Minute,
        start=NOON - timedelta(minutes=3),
        end=NOON + timedelta(hours=3),
    )
    typed = stock_history(simulator).get_stock_bars(request)
    assert [bar.timestamp for bar in typed["SPY"]] == [
        NOON - timedelta(minutes=n) for n in (3, 2, 1)
    ]
    raw = stock_history(simulator, raw=True).get_stock_bars(request)
    assert [row["c"] for row in raw["QQQ"]] == [bar.close for bar in typed["QQQ"]]
    latest = stock_history(simulator).get_stock_latest_bar(
        StockLatestBarRequest(symbol_or_symbols="SPY")
    )
    assert latest["SPY"].timestamp == NOON - timedelta(minutes=1)
    coins = crypto_history(simulator).get_crypto_bars(
        CryptoBarsRequest(
            symbol_or_symbols="BTC/USD",
            timeframe=TimeFrame.Minute,
            start=NOON - timedelta(days=2),
        )
    )
    assert len(coins["BTC/USD"]) == 2880
    raw_latest = crypto_history(simulator, raw=True).get_crypto_latest_bar(
        CryptoLatestBarRequest(symbol_or_symbols=["BTC/USD"])
    )
    assert raw_latest["BTC/USD"]["t"] == "2026-03-17T15:59:00Z"


@pytest.mark.thorough
def test_history_is_fetched_over_as_many_pages_as_it_takes(simulate: Start) -> None:
    simulator = simulate(**FAST)
    request = StockBarsRequest(
        symbol_or_symbols=["AAPL", "IWM", "SPY"],
        timeframe=TimeFrame.Minute,
        start=NOON - timedelta(days=20),
    )
    bars = stock_history(simulator).get_stock_bars(request).data
    assert sum(map(len, bars.values())) > 10_000
    assert len({len(held) for held in bars.values()}) == 1
    assert simulator.snapshot().requests["GET /v2/stocks/bars"] > 1


def test_a_second_connection_is_refused_and_the_first_lives_on(
    simulate: Start, caplog: pytest.LogCaptureFixture
) -> None:
    simulator = simulate(**FAST)
    got: list[Any] = []

    async def session() -> None:
        async def on_bar(bar: Any) -> None:
            got.append(bar)

        first, second = stock_stream(simulator), stock_stream(simulator)
        first.subscribe_bars(on_bar, "SPY")
        second.subscribe_bars(on_bar, "QQQ")
        async with running(first):
            await until(lambda: got)
            async with running(second):
                await until(lambda: "connection limit exceeded" in caplog.text)
            seen = len(got)
            await until(lambda: len(got) > seen + 2)

    with caplog.at_level(logging.ERROR, logger=SDK_LOGGER):  # whoever silenced it before
        asyncio.run(session())
    assert {bar.symbol for bar in got} == {"SPY"}
    assert simulator.snapshot().most_connections["/v2/iex"] == 1


def test_nine_thousand_symbols_come_in_one_fragmented_message(simulate: Start) -> None:
    simulator = simulate(**{**FAST, "settle_s": 0.2})
    names = [
        f"{chr(65 + n // 676)}{chr(65 + n // 26 % 26)}{chr(65 + n % 26)}X" for n in range(9000)
    ]

    async def session() -> None:
        stream = stock_stream(simulator)

        async def on_bar(bar: Any) -> None:
            return None

        stream.subscribe_bars(on_bar, *names)
        async with running(stream):
            hub = simulator.exchange.markets
            await until(lambda: any(t.subscribed.get("bars") for t in list(hub.connections)))
            (peer,) = hub.connections
            assert set(peer.subscribed["bars"]) == set(names)

    asyncio.run(session())


def test_json_and_header_authentication_work_for_other_clients(simulate: Start) -> None:
    simulator = simulate(**FAST)

    async def session() -> list[Any]:
        headers = {"APCA-API-KEY-ID": "k", "APCA-API-SECRET-KEY": "s"}
        async with connect(simulator.stream_url + "/v2/iex", additional_headers=headers) as peer:
            said = [json.loads(await peer.recv()) for _ in range(2)]
            await peer.send(json.dumps({"action": "subscribe", "bars": ["SPY"]}))
            return said + [json.loads(await peer.recv()) for _ in range(2)]

    connected, authenticated, ack, bars = asyncio.run(session())
    assert (connected[0]["msg"], authenticated[0]["msg"]) == ("connected", "authenticated")
    assert ack[0]["bars"] == ["SPY"]
    assert bars[0]["t"] == "2026-03-17T16:00:00Z"


def test_who_does_not_authenticate_in_time_is_told_and_cut_off(simulate: Start) -> None:
    simulator = simulate(**FAST, auth_deadline_s=0.1)

    async def session() -> list[Any]:
        headers = {"Content-Type": "application/msgpack"}
        async with connect(simulator.stream_url + "/v2/iex", additional_headers=headers) as peer:
            return [msgpack.unpackb(frame)[0] async for frame in peer]

    said = asyncio.run(session())
    assert said == [
        {"T": "success", "msg": "connected"},
        {"T": "error", "code": 404, "msg": "auth timeout"},
    ]


@pytest.mark.thorough
def test_a_client_for_whom_too_many_frames_wait_is_told_slow_client_and_cut_off(
    simulate: Start,
) -> None:
    simulator = simulate(
        **FAST, free_running=True, frames_waiting=20, bars_per_frame=1, quiet=frozenset()
    )
    names = [f"A{chr(65 + n)}A/USD" for n in range(26)]

    async def session() -> list[Any]:
        headers = {"APCA-API-KEY-ID": "k", "APCA-API-SECRET-KEY": "s"}
        url = simulator.stream_url + "/v1beta3/crypto/us"
        async with connect(url, additional_headers=headers) as peer:
            await peer.send(json.dumps({"action": "subscribe", "bars": names}))
            said = [json.loads(frame)[0] async for frame in peer]
        await until(lambda: simulator.snapshot().connections["/v1beta3/crypto/us"] == 0)
        return said

    said = asyncio.run(session())
    assert said[-1] == {"T": "error", "code": 407, "msg": "slow client"}
    assert len(said) <= 3 + 20 + 1  # answers, the frames that may wait, and the error


def test_frames_can_be_limited_to_a_few_bars(simulate: Start) -> None:
    simulator = simulate(**FAST, bars_per_frame=2)

    async def session() -> list[Any]:
        headers = {"APCA-API-KEY-ID": "k", "APCA-API-SECRET-KEY": "s"}
        async with connect(simulator.stream_url + "/v2/iex", additional_headers=headers) as peer:
            names = ["AAPL", "IWM", "MSFT", "QQQ", "SPY"]
            await peer.send(json.dumps({"action": "subscribe", "bars": names}))
            frames = [json.loads(await peer.recv()) for _ in range(6)]
            return [len(frame) for frame in frames[3:]]

    assert asyncio.run(session()) == [2, 2, 1]
