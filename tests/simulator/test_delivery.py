"""Order updates that are lost, late, odd or no updates at all, and connections that end badly."""

import asyncio
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgpack
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, ConnectionClosedError

from simulator.delivery import Delivery
from simulator.faults.script import read_faults
from simulator.faults.wire import LoseTradeUpdates
from simulator.server import Simulator
from simulator.wires import part_of_frame
from tests.simulator.plays import KEYS, TEN, get, market, order, told_until_now

Start = Callable[..., Simulator]


async def story(simulator: Simulator, *names: str) -> list[str]:
    """Orders of these names, one a minute; what the order stream says of them."""
    async with connect(simulator.stream_url + "/stream") as peer:
        await told_until_now(peer)
        for name in names:
            await asyncio.to_thread(order, simulator, name)
        told = await told_until_now(peer)
        await market(simulator, 1)
        told += await told_until_now(peer)
        return [f"{each['order']['client_order_id']} {each['event']}" for each in told]


def test_an_update_comes_after_the_next_one(scripted: Start) -> None:
    simulator = scripted({"kind": "reorder_trade_updates", "times": 2})
    said = asyncio.run(story(simulator, "a", "b"))
    assert said == ["a new", "a pending_new", "b pending_new", "a fill", "b new", "b fill"]


def test_an_update_with_none_after_it_comes_at_the_minutes_end(scripted: Start) -> None:
    simulator = scripted({"kind": "reorder_trade_updates", "event": "fill"})
    said = asyncio.run(story(simulator, "a"))
    assert said == ["a pending_new", "a new", "a fill"]


def test_updates_are_lost_by_chance_for_a_while(scripted: Start) -> None:
    simulator = scripted(
        {"at": "10:01", "kind": "lose_trade_updates", "share": 1, "event": "fill", "for_s": 60}
    )

    async def session() -> list[str]:
        async with connect(simulator.stream_url + "/stream") as peer:
            await told_until_now(peer)
            for minute, name in enumerate("abc"):
                await asyncio.to_thread(order, simulator, name)
                await market(simulator, minute)
            told = await told_until_now(peer)
            return [each["order"]["client_order_id"] for each in told if each["event"] == "fill"]

    assert asyncio.run(session()) == ["a", "c"]


def chosen(seed: int, share: float) -> list[int]:
    """Which of a thousand updates get through."""
    through: list[Any] = []
    delivery = Delivery(read_faults(None, TEN), through.append)
    delivery.lose(LoseTradeUpdates(at=TEN, share=share, seed=seed), begins=True)
    for n in range(1000):
        delivery.publish({"data": {"event": "fill", "n": n}}, TEN)
    return [message["data"]["n"] for message in through]


def test_a_seed_loses_the_same_updates_every_time_and_another_seed_others() -> None:
    assert chosen(1, 0.2) == chosen(1, 0.2) != chosen(2, 0.2)
    assert 740 < len(chosen(1, 0.2)) < 860
    assert (len(chosen(1, 0.0)), len(chosen(1, 1.0))) == (1000, 0)


def test_an_odd_update_is_about_the_newest_order(scripted: Start) -> None:
    simulator = scripted({"at": "10:01", "kind": "odd_update", "status": "levitating"})

    async def session() -> dict[str, Any]:
        async with connect(simulator.stream_url + "/stream") as peer:
            await told_until_now(peer)
            for name in "ab":
                await asyncio.to_thread(order, simulator, name)
            await told_until_now(peer)
            await market(simulator, 2)
            (odd,) = await told_until_now(peer)
            return odd

    odd = asyncio.run(session())
    assert (odd["event"], odd["order"]["status"]) == ("reassigned", "levitating")
    newest = get(simulator, "/v2/orders", status="all")[0]
    assert odd["order"].items() >= {"id": newest["id"], "filled_qty": "1"}.items()
    assert odd["order"].keys() - newest.keys()


async def raw_frames(simulator: Simulator, path: str, **headers: str) -> list[bytes | str]:
    """Every frame after the subscription until the bar of 10:03, undecoded."""
    heard: list[bytes | str] = []
    url = simulator.stream_url + path
    async with connect(url, additional_headers=KEYS | headers) as peer:
        await peer.send(json.dumps({"action": "subscribe", "bars": ["SPY"]}))
        while not heard or b"subscription" not in heard[-1]:
            heard.append(await _bytes(peer))
        start = len(heard)
        while True:
            frame = await asyncio.wait_for(peer.recv(), 20)
            heard.append(frame)
            if len(heard) - start == 4:
                return heard[start:]


async def _bytes(peer: Any) -> bytes:
    frame = await asyncio.wait_for(peer.recv(), 20)
    return frame if isinstance(frame, bytes) else frame.encode()


def test_garbage_arrives_between_the_bars_as_it_was_written(scripted: Start) -> None:
    simulator = scripted(
        {"at": "10:02", "kind": "garbage_frame", "path": "/v2/iex", "hex": "c1ff00"},
        {"at": "10:02", "kind": "garbage_frame", "text": "[{\"T\":\"b\""},
        {"at": "10:02", "kind": "garbage_frame", "path": "/v1beta3/crypto/us", "text": "x"},
    )  # fmt: skip
    packed = {"Content-Type": "application/msgpack"}
    first, garbage, text, second = asyncio.run(raw_frames(simulator, "/v2/iex", **packed))
    assert (garbage, text) == (b"\xc1\xff\x00", '[{"T":"b"')
    starts = [msgpack.unpackb(frame)[0]["t"].to_datetime() for frame in (first, second)]
    assert starts == [TEN, TEN + timedelta(minutes=1)]


def test_garbage_reaches_the_order_stream(scripted: Start) -> None:
    simulator = scripted({"at": "10:01", "kind": "garbage_frame", "path": "/stream", "text": "{"})

    async def session() -> bytes | str:
        async with connect(simulator.stream_url + "/stream") as peer:
            await told_until_now(peer)
            await market(simulator, 1)
            return await asyncio.wait_for(peer.recv(), 10)

    assert asyncio.run(session()) == "{"


@pytest.mark.thorough
@pytest.mark.parametrize("keep", [None, 0, 1, 2, 3, 40])
def test_a_data_connection_ends_inside_a_frame(scripted: Start, keep: int | None) -> None:
    cut = {"at": "10:02", "kind": "cut_frame", "path": "/v2/iex"}
    simulator = scripted(cut if keep is None else {**cut, "keep_bytes": keep})
    assert asyncio.run(market(simulator, 9)) == ["b 00", "closed"]
    assert asyncio.run(market(simulator, 3))[-1] == "b 03"


def test_an_order_connection_ends_inside_the_update_it_was_told(scripted: Start) -> None:
    simulator = scripted({"at": "10:01", "kind": "cut_frame", "path": "/stream", "keep_bytes": 99})

    async def session() -> ConnectionClosed:
        async with connect(simulator.stream_url + "/stream") as peer:
            await told_until_now(peer)
            await market(simulator, 1)
            await asyncio.to_thread(order, simulator, "a")
            with pytest.raises(ConnectionClosedError) as closed:
                await asyncio.wait_for(peer.recv(), 10)
            return closed.value

    assert asyncio.run(session()).rcvd is None  # no closing handshake
    assert simulator.snapshot().positions == {"SPY": 1}


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65535, 65536, 100_000])
@pytest.mark.parametrize("kind", [bytes, str])
def test_a_part_of_a_frame_is_the_beginning_of_the_whole(size: int, kind: type) -> None:
    payload = b"x" * size if kind is bytes else "x" * size
    head = 2 if size < 126 else 4 if size < 65536 else 10
    nearly = part_of_frame(payload, 10**9)
    assert len(nearly) == head + size - 1
    assert nearly[0] == (0x82 if kind is bytes else 0x81)
    if size >= 126:
        assert int.from_bytes(nearly[2:head], "big") == size
    assert part_of_frame(payload, None) == nearly[: (head + size) // 2]
    assert part_of_frame(payload, 1) == nearly[:1]


def test_without_faults_every_update_is_sent_once_and_in_order(tmp_path: Path) -> None:
    through: list[Any] = []
    delivery = Delivery(read_faults(None, TEN), through.append)
    for n in range(50):
        delivery.publish({"data": {"event": "new", "n": n}}, TEN)
        delivery.release()
    assert [message["data"]["n"] for message in through] == list(range(50))
