"""Scripted faults: read strictly, carried out at their minute, and no more often than told."""

import asyncio
import json
import re
from collections.abc import Callable
from dataclasses import MISSING, fields
from datetime import timedelta
from pathlib import Path

import pytest
import requests
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from simulator import faults
from simulator.errors import OptionsError
from simulator.faults.script import read_faults
from simulator.server import Simulator
from tests.simulator.clients import until
from tests.simulator.plays import KEYS, TEN, market, order

Start = Callable[..., Simulator]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "cannot be read as a JSON list"),
        ("{}", "must be a JSON list"),
        ('["x"]', "fault 1: must be an object"),
        ('[{"kind": "drop_data"}, {"kind": "earthquake"}]', "fault 2: kind 'earthquake'"),
        ('[{"kind": "drop_data", "when": "10:00"}]', "unknown field 'when'"),
        ('[{"kind": "drop_data", "at": "25:00"}]', "fault 1: "),
        ('[{"kind": "drop_data", "at": "2026-03-17T10:00:00"}]', "has no zone"),
        ('[{"kind": "stream_error"}]', "needs 'code'"),
        ('[{"kind": "stream_error", "code": 9}]', "code 9 is none of Alpaca's"),
        ('[{"kind": "mute_data", "for_s": -1}]', "must be >= 0"),
        ('[{"kind": "http_error", "status": 200}]', "status must be"),
        ('[{"kind": "drop_orders", "path": "/"}]', "unknown field 'path'; drop_orders takes at"),
        ('[{"kind": "http_error", "times": 1.5}]', "times Decimal('1.5') is not a whole number"),
        ('[{"kind": "bust", "symbol": "spy"}]', "symbol 'spy' is no symbol"),
        ('[{"kind": "activity", "type": "TIP"}]', "type 'TIP' is not one of DIV, "),
        ('[{"kind": "activity", "type": "FEE"}]', "FEE needs 'net_amount'"),
        ('[{"kind": "activity", "type": "CSW", "net_amount": 1}]', "a CSW negative"),
        ('[{"kind": "activity", "type": "SPLIT", "symbol": "SPY"}]', "a SPLIT needs 'ratio'"),
        ('[{"kind": "activity", "type": "DIV", "net_amount": 1}]', "DIV needs 'symbol'"),
        ('[{"kind": "hand_trade", "symbol": "SPY", "side": "buy"}]', "hand_trade needs 'qty'"),
        ('[{"kind": "hand_replace", "qty": 0}]', "qty must be > 0"),
        ('[{"kind": "garbage_frame"}]', "needs one of 'text' and 'hex'"),
        ('[{"kind": "garbage_frame", "hex": "xy"}]', "non-hexadecimal number"),
        ('[{"kind": "lose_trade_updates", "share": 2}]', "share must be 0..1"),
        ('[{"kind": "cut_frame", "keep_bytes": -1}]', "keep_bytes must be >= 0"),
        ('[{"kind": "halt"}]', "halt needs 'symbol'"),
        ('[{"kind": "correct"}]', "correct needs 'price' or 'qty'"),
    ],
)
def test_a_wrong_script_names_the_entry_and_the_field(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "faults.json"
    path.write_text(text)
    with pytest.raises(OptionsError) as error:
        read_faults(path, TEN)
    assert str(path) in str(error.value)
    assert told in str(error.value)


def test_the_list_that_users_read_has_every_kind_and_every_field() -> None:
    told = faults.__doc__ or ""
    for name, kind in faults.KINDS.items():
        (entry,) = re.findall(rf"^    {name} (.*(?:\n {{6}}.*)*)", told + "\n", re.MULTILINE)
        for field in fields(kind):
            if field.name != "at":
                mark = r"\?" if field.default is not MISSING else r"(?!\?)"
                assert re.search(rf"\b{field.name}\b{mark}", entry), (name, field.name)


def test_no_script_means_no_faults() -> None:
    assert read_faults(None, TEN).due(TEN + timedelta(days=9)) == []


def test_data_connections_are_dropped_at_their_minute(scripted: Start) -> None:
    simulator = scripted({"at": "10:03", "kind": "drop_data"})
    assert asyncio.run(market(simulator, 9)) == ["b 00", "b 01", "closed"]
    again = asyncio.run(market(simulator, 5))
    assert again[-1] == "b 05"


def test_a_mute_stream_loses_its_frames_and_comes_back(scripted: Start) -> None:
    simulator = scripted({"at": "10:02", "kind": "mute_data", "for_s": 120})
    assert asyncio.run(market(simulator, 5)) == ["b 00", "b 03", "b 04", "b 05"]


def test_a_stream_stays_mute_when_another_one_becomes_mute(scripted: Start) -> None:
    simulator = scripted(
        {"at": "10:02", "kind": "mute_data", "path": "/v2/iex", "for_s": 120},
        {"at": "10:02", "kind": "mute_data", "path": "/v1beta3/crypto/us", "for_s": 60},
    )
    assert asyncio.run(market(simulator, 5)) == ["b 00", "b 03", "b 04", "b 05"]


def test_an_error_frame_and_a_corrected_bar_arrive_between_the_bars(scripted: Start) -> None:
    simulator = scripted(
        {"at": "10:02", "kind": "stream_error", "code": 405},
        {"at": "10:04", "kind": "updated_bar", "symbol": "SPY", "close": 123.45},
    )
    heard = asyncio.run(market(simulator, 4))
    assert heard == ["b 00", "error 405", "b 01", "b 02", "u 02", "b 03", "b 04"]


def test_logins_are_refused_with_406_for_a_while(scripted: Start) -> None:
    simulator = scripted(
        {"kind": "refuse_406", "path": "/v2/iex", "at": "10:01", "for_s": 7200},
        free_running=True,
        clock_speed=600,
    )

    async def session() -> list[str]:
        await until(lambda: simulator.snapshot().at > TEN + timedelta(minutes=1))
        return await market(simulator, 0)

    assert asyncio.run(session()) == ["error 406", "closed"]


def test_an_order_lives_though_its_answer_was_an_error(scripted: Start) -> None:
    simulator = scripted({"kind": "http_500_after_accept", "times": 1, "status": 504})
    assert order(simulator, "a").status_code == 504
    duplicate = order(simulator, "a")
    assert (duplicate.status_code, duplicate.json()["code"]) == (422, 40010001)
    assert order(simulator, "b").status_code == 200
    assert simulator.snapshot().positions == {"SPY": 2}


def test_a_request_can_fail_with_nothing_done_or_be_late(scripted: Start) -> None:
    simulator = scripted(
        {"kind": "http_error", "times": 2, "status": 503, "path": "/v2/orders"},
        {"kind": "delay_response", "times": 1, "delay_s": 0.3, "method": "GET"},
    )
    assert [order(simulator, name).status_code for name in "ab"] == [503, 503]
    assert simulator.snapshot().orders == ()
    late = requests.get(simulator.url + "/v2/account", headers=KEYS, timeout=10)
    assert late.elapsed.total_seconds() > 0.28
    prompt = requests.get(simulator.url + "/v2/account", headers=KEYS, timeout=10)
    assert prompt.elapsed.total_seconds() < 0.28


def test_updates_are_lost_and_doubled_as_often_as_told(scripted: Start) -> None:
    simulator = scripted(
        {"kind": "lose_trade_update", "event": "new"},
        {"kind": "duplicate_trade_update", "event": "fill", "times": 1},
    )

    async def session() -> list[str]:
        async with connect(simulator.stream_url + "/stream") as peer:
            await peer.send(json.dumps({"action": "auth", "key": "k", "secret": "s"}))
            listen = {"action": "listen", "data": {"streams": ["trade_updates"]}}
            await peer.send(json.dumps(listen))
            await peer.recv()
            await peer.recv()
            await asyncio.to_thread(order, simulator, "a")
            await asyncio.to_thread(order, simulator, "b")
            said = [json.loads(await asyncio.wait_for(peer.recv(), 5)) for _ in range(6)]
            return [
                f"{one['data']['order']['client_order_id']} {one['data']['event']}" for one in said
            ]

    assert asyncio.run(session()) == [
        "a pending_new",
        "a fill",
        "a fill",
        "b pending_new",
        "b new",
        "b fill",
    ]


def test_order_connections_are_dropped_too(scripted: Start) -> None:
    simulator = scripted({"at": "10:02", "kind": "drop_orders"})

    async def session() -> None:
        async with connect(simulator.stream_url + "/stream") as peer:
            await peer.send(json.dumps({"action": "auth", "key": "k", "secret": "s"}))
            await peer.recv()
            bars = asyncio.create_task(market(simulator, 4))
            with pytest.raises(ConnectionClosed):
                await asyncio.wait_for(peer.recv(), 10)
            assert (await bars)[-1] == "b 04"

    asyncio.run(session())
