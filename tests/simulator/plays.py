"""A minute or more of a session that starts at 10:00 in New York, as its clients hear it."""

import asyncio
import json
from datetime import UTC, datetime
from typing import Any

import requests
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from simulator.server import Simulator

TEN = datetime(2026, 3, 17, 14, 0, tzinfo=UTC)  # 10:00 in New York
KEYS = {"APCA-API-KEY-ID": "k", "APCA-API-SECRET-KEY": "s"}


async def market(simulator: Simulator, minutes: int) -> list[str]:
    """What a client hears on /v2/iex until it has a bar of that minute or is cut off."""
    heard: list[str] = []
    async with connect(simulator.stream_url + "/v2/iex", additional_headers=KEYS) as peer:
        wanted = {"action": "subscribe", "bars": ["SPY"], "updatedBars": ["SPY"]}
        await peer.send(json.dumps(wanted))
        try:
            while True:
                for each in json.loads(await asyncio.wait_for(peer.recv(), 20)):
                    if each["T"] in "bu":
                        heard.append(f"{each['T']} {each['t'][14:16]}")
                        if each["t"] >= f"2026-03-17T14:{minutes:02d}":
                            return heard
                    elif each["T"] == "error":
                        heard.append(f"error {each['code']}")
        except ConnectionClosed:
            return [*heard, "closed"]


async def told_until_now(peer: ClientConnection) -> list[dict[str, Any]]:
    """Updates sent since last asked: the stream answers in order, so its answer comes after them.

    The first call logs in.
    """
    await peer.send(json.dumps({"action": "auth", "key": "k", "secret": "s"}))
    await peer.send(json.dumps({"action": "listen", "data": {"streams": ["trade_updates"]}}))
    told = []
    while True:
        message = json.loads(await asyncio.wait_for(peer.recv(), 20))
        if message["stream"] == "listening":
            return told
        if message["stream"] == "trade_updates":
            told.append(message["data"])


async def updates(simulator: Simulator, minutes: int) -> list[dict[str, Any]]:
    """The `data` of every trade update until the bar of that minute has been sent."""
    async with connect(simulator.stream_url + "/stream") as peer:
        await told_until_now(peer)
        await market(simulator, minutes)
        return await told_until_now(peer)


def order(simulator: Simulator, client_id: str, **fields: Any) -> requests.Response:
    """POST an order: a share of SPY at the market, unless told."""
    body = {
        "symbol": "SPY",
        "qty": 1,
        "side": "buy",
        "type": "market",
        "time_in_force": "day",
        "client_order_id": client_id,
        **fields,
    }
    return requests.post(simulator.url + "/v2/orders", json=body, headers=KEYS, timeout=10)


def get(simulator: Simulator, path: str, **query: Any) -> Any:
    """The body of a GET that succeeds."""
    answer = requests.get(simulator.url + path, params=query, headers=KEYS, timeout=10)
    assert answer.status_code == 200, answer.text
    return answer.json()
