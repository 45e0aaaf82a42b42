"""What each frame on a websocket is answered, error by error, without a socket."""

import json
from typing import Any

import msgpack
import pytest

from simulator.protocols import (
    MARKET_ENDPOINTS,
    Access,
    MarketProtocol,
    OrderProtocol,
    Slots,
)
from simulator.wire import ERRORS, Codec

IEX, SIP, CRYPTO = MARKET_ENDPOINTS
AUTH = {"action": "auth", "key": "K", "secret": "S"}


def talk(endpoint: Any = IEX, access: Access | None = None, slots: Slots | None = None) -> Any:
    codec = Codec(is_msgpack=False)
    return MarketProtocol(endpoint, access or Access(), slots or Slots(), codec)


def say(connection: Any, message: Any) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = connection.receive(json.dumps(message)).messages
    return messages


def error(code: int) -> dict[str, Any]:
    return {"T": "error", "code": code, "msg": ERRORS[code]}


def test_any_key_opens_unless_one_is_named() -> None:
    assert say(talk(), AUTH) == [{"T": "success", "msg": "authenticated"}]
    named = Access(credentials=("K", "other"))
    assert say(talk(access=named), AUTH) == [error(402)]
    assert say(talk(), {**AUTH, "secret": ""}) == [error(402)]


@pytest.mark.parametrize("pack", [json.dumps, msgpack.packb, lambda m: json.dumps(m).encode()])
def test_frames_may_be_json_or_msgpack(pack: Any) -> None:
    connection = talk()
    assert connection.receive(pack(AUTH)).messages == [{"T": "success", "msg": "authenticated"}]
    answer = connection.receive(pack({"action": "subscribe", "bars": ["SPY"]})).messages
    assert answer[0]["bars"] == ["SPY"]


@pytest.mark.parametrize(
    "frame",
    [
        "",
        "{",
        "[]",
        "null",
        '{"action": 5}',
        '{"bars": ["SPY"]}',
        b"\xc1",
        b"\x93",
        b"\xff" * 40,
        "[" * 100_000,
        '{"action": "dance"}',
        '{"action": "subscribe", "bars": "SPY"}',
        '{"action": "subscribe", "bars": ["spy"]}',
        '{"action": "subscribe", "bars": ["BTC/USD"]}',
        '{"action": "subscribe", "bars": [null]}',
        '{"action": "subscribe", "flavours": ["SPY"]}',
    ],
)
def test_nonsense_is_invalid_syntax_and_the_connection_lives(frame: bytes | str) -> None:
    connection = talk()
    say(connection, AUTH)
    assert connection.receive(frame).messages == [error(400)]
    assert say(connection, {"action": "subscribe", "bars": ["SPY"]})[0]["T"] == "subscription"


def test_nothing_is_answered_before_authentication() -> None:
    connection = talk()
    assert say(connection, {"action": "subscribe", "bars": ["SPY"]}) == [error(401)]
    assert connection.subscribed == {}


def test_authenticating_twice_is_an_error_but_does_no_harm() -> None:
    connection = talk()
    say(connection, AUTH)
    assert say(connection, AUTH) == [error(403)]
    assert say(connection, {"action": "subscribe", "bars": ["SPY"]})[0]["bars"] == ["SPY"]


def test_a_subscription_beyond_the_limit_is_refused_and_the_earlier_ones_stay() -> None:
    connection = talk(access=Access(symbol_limit=3))
    say(connection, AUTH)
    say(connection, {"action": "subscribe", "bars": ["SPY", "QQQ"]})
    assert say(connection, {"action": "subscribe", "bars": ["IWM"], "trades": ["IWM"]}) == [
        error(405)
    ]
    assert connection.subscribed == {"bars": {"SPY", "QQQ"}}
    assert say(connection, {"action": "subscribe", "bars": ["IWM"]})[0]["bars"] == [
        "IWM",
        "QQQ",
        "SPY",
    ]
    assert say(connection, {"action": "subscribe", "bars": ["*"]}) == [error(405)]


def test_one_connection_an_endpoint_and_key() -> None:
    slots = Slots()
    first, second, other = talk(slots=slots), talk(slots=slots), talk(SIP, slots=slots)
    say(first, AUTH)
    refused = second.receive(json.dumps(AUTH))
    assert (refused.messages, refused.close) == ([error(406)], True)
    assert say(other, AUTH) == [{"T": "success", "msg": "authenticated"}]
    assert say(talk(slots=slots), {**AUTH, "key": "K2"}) == [
        {"T": "success", "msg": "authenticated"}
    ]
    first.leave()
    assert say(talk(slots=slots), AUTH) == [{"T": "success", "msg": "authenticated"}]
    assert slots.most["/v2/iex"] == 2


def test_a_plan_without_the_feed_is_told_so() -> None:
    access = Access(refused=frozenset({"/v2/sip"}))
    assert say(talk(SIP, access), AUTH) == [error(409)]
    assert say(talk(IEX, access), AUTH) == [{"T": "success", "msg": "authenticated"}]


@pytest.mark.parametrize(
    ("endpoint", "channel"), [(IEX, "orderbooks"), (CRYPTO, "statuses"), (CRYPTO, "lulds")]
)
def test_a_channel_of_the_other_feed_is_invalid_here(endpoint: Any, channel: str) -> None:
    connection = talk(endpoint)
    say(connection, AUTH)
    assert say(connection, {"action": "subscribe", channel: []}) == [error(410)]


def test_acknowledgements_list_the_full_set() -> None:
    connection = talk()
    say(connection, AUTH)
    say(connection, {"action": "subscribe", "bars": ["SPY", "AAPL"], "statuses": ["*"]})
    answer = say(connection, {"action": "subscribe", "trades": ["AAPL"], "bars": ["QQQ"]})
    assert answer == [
        {
            "T": "subscription",
            "trades": ["AAPL"],
            "quotes": [],
            "bars": ["AAPL", "QQQ", "SPY"],
            "updatedBars": [],
            "dailyBars": [],
            "statuses": ["*"],
            "lulds": [],
            "corrections": ["AAPL"],
            "cancelErrors": ["AAPL"],
        }
    ]
    answer = say(connection, {"action": "unsubscribe", "bars": ["SPY", "AAPL"], "trades": ["AAPL"]})
    assert (answer[0]["bars"], answer[0]["corrections"]) == (["QQQ"], [])


@pytest.mark.parametrize(
    ("endpoint", "asked", "silent"),
    [
        (IEX, {"trades": ["SPY"], "bars": ["SPY"], "quotes": ["*"]}, "trades, quotes"),
        (CRYPTO, {"orderbooks": ["BTC/USD"]}, "orderbooks"),
        (IEX, {"bars": ["SPY"], "updatedBars": ["SPY"], "statuses": ["*"], "quotes": []}, None),
    ],
)
def test_channels_on_which_nothing_is_ever_sent_are_named_in_the_log(
    caplog: pytest.LogCaptureFixture, endpoint: Any, asked: dict[str, Any], silent: str | None
) -> None:
    connection = talk(endpoint)
    say(connection, AUTH)
    say(connection, {"action": "subscribe", **asked})
    say(connection, {"action": "unsubscribe", **asked})
    told = (
        [] if silent is None else [f"a client subscribed to {silent}: nothing is ever sent there"]
    )
    assert [record.getMessage() for record in caplog.records] == told


def test_a_star_means_the_feeds_symbols_of_that_class() -> None:
    connection = talk(CRYPTO)
    say(connection, AUTH)
    say(connection, {"action": "subscribe", "bars": ["*"]})
    assert connection.wants("bars", ["SPY", "BTC/USD", "ETH/USD"]) == {"BTC/USD", "ETH/USD"}


def orders(access: Access | None = None, slots: Slots | None = None) -> OrderProtocol:
    return OrderProtocol(access or Access(), slots or Slots(), limit=1)


OLD = {"action": "authenticate", "data": {"key_id": "K", "secret_key": "S"}}


def test_the_order_stream_takes_both_forms_of_authentication() -> None:
    (old,) = say(orders(), OLD)
    assert old["data"]["status"] == "authorized"
    assert old["data"]["action"] == "authenticate"
    assert "deprecated" in old["data"]["message"]
    assert say(orders(), AUTH) == [
        {"stream": "authorization", "data": {"action": "auth", "status": "authorized"}}
    ]


def test_the_order_stream_refuses_strangers_and_second_connections() -> None:
    slots = Slots()
    assert say(orders(Access(credentials=("a", "b"))), OLD)[0]["data"]["status"] == "unauthorized"
    listen = {"action": "listen", "data": {"streams": ["trade_updates"]}}
    assert say(orders(), listen)[0]["data"]["status"] == "unauthorized"
    first = orders(slots=slots)
    say(first, OLD)
    second = orders(slots=slots).receive(json.dumps(OLD))
    assert second.close
    assert second.messages[0]["data"]["status"] == "unauthorized"
    assert say(first, listen) == [{"stream": "listening", "data": {"streams": ["trade_updates"]}}]
    assert first.is_listening


def test_an_order_connection_that_ends_makes_room_for_one_other() -> None:
    slots = Slots()
    first, stranger = orders(slots=slots), orders(slots=slots)
    say(first, AUTH)
    stranger.leave()
    assert say(orders(slots=slots), AUTH)[0]["data"]["status"] == "unauthorized"
    first.leave()
    first.leave()
    answers = [say(orders(slots=slots), AUTH)[0]["data"]["status"] for _ in range(2)]
    assert answers == ["authorized", "unauthorized"]
