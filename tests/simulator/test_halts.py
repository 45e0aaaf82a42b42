"""A halted symbol has no bars and no price; what is ordered rests until it trades again."""

import asyncio
import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from websockets.asyncio.client import connect

from simulator.server import Simulator
from tests.simulator.plays import KEYS, get, market, order

Start = Callable[..., Simulator]
HALT = {"at": "10:02", "kind": "halt", "symbol": "SPY", "for_s": 180}


def test_a_halted_symbol_has_no_bars_on_the_stream_nor_by_rest(scripted: Start) -> None:
    simulator = scripted(HALT)
    assert asyncio.run(market(simulator, 7)) == ["b 00", "b 01", "b 05", "b 06", "b 07"]
    query = {"symbols": "SPY,QQQ", "start": "2026-03-17T14:00:00Z", "timeframe": "1Min"}
    bars = get(simulator, "/v2/stocks/bars", **query)["bars"]
    assert [bar["t"][14:16] for bar in bars["SPY"]] == ["00", "01", "05", "06", "07"]
    assert len(bars["QQQ"]) == 8


def test_an_order_on_a_halted_symbol_is_taken_and_fills_after(scripted: Start) -> None:
    simulator = scripted(HALT, fill_model="close")
    asyncio.run(market(simulator, 1))  # until 10:02
    assert order(simulator, "during").status_code == 200
    assert order(simulator, "other", symbol="QQQ").status_code == 200
    asyncio.run(until(simulator, "QQQ", 4))  # until 10:05: over, but SPY has not traded yet
    assert order(simulator, "between").status_code == 200
    listed = get(simulator, "/v2/orders", status="all", direction="asc")
    assert [each["status"] for each in listed] == ["new", "filled", "new"]
    asyncio.run(market(simulator, 5))
    query = {"symbols": "SPY", "start": "2026-03-17T14:05:00Z", "end": "2026-03-17T14:05:30Z"}
    (first,) = get(simulator, "/v2/stocks/bars", **query)["bars"]["SPY"]
    filled = [fill for fill in simulator.snapshot().executions if fill.symbol == "SPY"]
    assert [fill.price for fill in filled] == [Decimal(str(first["c"]))] * 2


async def until(simulator: Simulator, symbol: str, minute: int) -> None:
    """Hear bars of another symbol until that minute's."""
    async with connect(simulator.stream_url + "/v2/iex", additional_headers=KEYS) as peer:
        await peer.send(json.dumps({"action": "subscribe", "bars": [symbol]}))
        while True:
            for each in json.loads(await asyncio.wait_for(peer.recv(), 20)):
                if each["T"] == "b" and each["t"] >= f"2026-03-17T14:{minute:02d}":
                    return


def test_the_statuses_channel_tells_of_a_halt_and_its_end(scripted: Start) -> None:
    simulator = scripted(HALT)

    async def session() -> list[dict[str, Any]]:
        heard = []
        async with connect(simulator.stream_url + "/v2/iex", additional_headers=KEYS) as peer:
            wanted = {"action": "subscribe", "bars": ["QQQ"], "statuses": ["*"]}
            await peer.send(json.dumps(wanted))
            while True:
                for each in json.loads(await asyncio.wait_for(peer.recv(), 20)):
                    heard += [each] if each["T"] == "s" else []
                    if each["T"] == "b" and each["t"] >= "2026-03-17T14:06":
                        return heard

    halted, resumed = asyncio.run(session())
    assert halted.items() >= {"S": "SPY", "sc": "H", "rc": "T12"}.items()
    assert (halted["t"], resumed["t"]) == ("2026-03-17T14:02:00Z", "2026-03-17T14:05:00Z")
    assert (resumed["S"], resumed["sc"]) == ("SPY", "T")
