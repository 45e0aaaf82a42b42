"""The shapes of what is sent, against documented and recorded messages."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgpack
import pytest

from simulator.listing import parse_time
from simulator.shapes import clock_json, order_json, ulid, update_json
from simulator.values import Bar
from simulator.wire import ERRORS, Codec, bar_message, bar_row, decode, error, rfc3339, subscription
from tests.simulator.bench import Bench

START = datetime(2021, 2, 22, 19, 15, tzinfo=UTC)
SPY = Bar(
    "SPY",
    START,
    *(Decimal(text) for text in ("388.985", "389.13", "388.975", "389.12")),
    Decimal(49378),
    461,
    Decimal("389.062"),
)


def test_a_bar_in_json_is_as_documented() -> None:
    sent = json.loads(Codec(is_msgpack=False).encode([bar_message(SPY)]))
    assert sent == [
        {
            "T": "b",
            "S": "SPY",
            "o": 388.985,
            "h": 389.13,
            "l": 388.975,
            "c": 389.12,
            "v": 49378,
            "t": "2021-02-22T19:15:00Z",
            "n": 461,
            "vw": 389.062,
        }
    ]
    assert "T" not in bar_row(SPY)


def test_a_bar_in_msgpack_carries_a_timestamp_of_its_own_type() -> None:
    frame = Codec(is_msgpack=True).encode([bar_message(SPY, "u")])
    assert isinstance(frame, bytes)
    (sent,) = msgpack.unpackb(frame)
    assert sent["T"] == "u"
    assert isinstance(sent["t"], msgpack.Timestamp)
    assert sent["t"].to_datetime() == START


def _server_messages(recorded: Path) -> list[dict[str, Any]]:
    lines = (recorded / "golden/data_stream_documented.jsonl").read_text().splitlines()
    return [line for line in map(json.loads, lines) if line["dir"] == "server"]


@pytest.mark.recorded
def test_every_documented_stream_error_is_ours_word_for_word(recorded: Path) -> None:
    told = [each for line in _server_messages(recorded) for each in line["msg"]]
    errors = [each for each in told if each["T"] == "error"]
    assert len(errors) >= 9
    assert [error(each["code"]) for each in errors] == errors


@pytest.mark.recorded
def test_documented_bars_and_acknowledgements_have_our_keys(recorded: Path) -> None:
    told = [each for line in _server_messages(recorded) for each in line["msg"]]
    for bar in (each for each in told if each["T"] == "b"):
        assert bar.keys() <= bar_message(SPY).keys()
    for ack in (each for each in told if each["T"] == "subscription"):
        channels = ("trades", "quotes", "orderbooks", "bars", "updatedBars", "dailyBars")
        assert ack.keys() <= subscription({}, channels).keys()


@pytest.mark.recorded
def test_what_clients_were_recorded_to_send_is_understood(recorded: Path) -> None:
    for name in ("data_stream_documented", "trade_updates_crypto_2026-09-18"):
        for line in (recorded / f"golden/{name}.jsonl").read_text().splitlines():
            entry = json.loads(line) if line.strip() else {"dir": "none"}
            if entry["dir"] == "client":
                assert decode(json.dumps(entry["msg"])) == entry["msg"]
                assert decode(msgpack.packb(entry["msg"])) == entry["msg"]


@pytest.mark.recorded
def test_our_updates_have_the_keys_of_recorded_ones(recorded: Path) -> None:
    bench = Bench()
    bench.price("DOGE/USD", "0.0851119")
    bench.order(symbol="DOGE/USD", qty="200")
    ours = [update_json(update, n) for n, update in enumerate(bench.venue.take_updates())]
    lines = (recorded / "golden/trade_updates_crypto_2026-09-18.jsonl").read_text().splitlines()
    theirs = [json.loads(line)["msg"] for line in lines if '"trade_updates", "data"' in line]
    assert [each["data"]["event"] for each in ours] == ["pending_new", "new", "fill"]
    assert [each["data"]["event"] for each in theirs] == ["pending_new", "new", "fill"]
    for our, their in zip(ours, theirs, strict=True):
        assert their["data"]["order"].keys() <= our["data"]["order"].keys()
        for name, value in their["data"]["order"].items():
            if isinstance(value, str) and our["data"]["order"][name] is not None:
                assert isinstance(our["data"]["order"][name], str)
    assert theirs[2]["data"].keys() <= ours[2]["data"].keys()
    stock = json.loads((recorded / "golden/trade_updates_equity_fill_2024-11-19.json").read_text())
    assert stock["data"].keys() <= ours[2]["data"].keys()
    assert stock["data"]["order"].keys() <= ours[2]["data"]["order"].keys()


def test_an_orders_numbers_are_plain_text() -> None:
    bench = Bench()
    bench.price("SPY", "3")
    order = bench.order(notional="10")
    shape = order_json(order)
    assert (shape["notional"], shape["qty"], shape["filled_qty"]) == ("10", None, "3.333333333")
    assert shape["filled_avg_price"] == "3"
    json.dumps(shape)


def test_every_error_code_has_its_words() -> None:
    assert set(ERRORS) >= set(range(400, 411))


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-03-17T16:00:00Z", datetime(2026, 3, 17, 16, 0, tzinfo=UTC)),
        ("2026-03-17T12:00:00-04:00", datetime(2026, 3, 17, 16, 0, tzinfo=UTC)),
        ("2026-03-17T16:00:00 00:00", datetime(2026, 3, 17, 16, 0, tzinfo=UTC)),
        ("2026-03-17 16:00:00", datetime(2026, 3, 17, 16, 0, tzinfo=UTC)),
        ("2026-03-17T16:00:00.123456789Z", datetime(2026, 3, 17, 16, 0, 0, 123456, tzinfo=UTC)),
        ("2026-03-17", datetime(2026, 3, 17, tzinfo=UTC)),
    ],
)
def test_times_are_read_in_every_usual_form(text: str, moment: datetime) -> None:
    assert parse_time(text) == moment


def test_times_are_written_as_alpaca_does() -> None:
    assert rfc3339(START) == "2021-02-22T19:15:00Z"
    assert rfc3339(START.replace(microsecond=5)) == "2021-02-22T19:15:00.000005Z"
    clock = clock_json(START, START, START, is_open=True)
    assert clock["timestamp"] == "2021-02-22T14:15:00-05:00"


def test_event_ids_sort_by_time_then_number() -> None:
    ids = [ulid(START, 1), ulid(START, 2), ulid(START.replace(second=1), 1)]
    assert ids == sorted(set(ids))
    assert {len(each) for each in ids} == {26}
