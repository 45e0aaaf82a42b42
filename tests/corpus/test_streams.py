"""Over real sockets: whatever comes, the good messages arrive, and the connection is the first."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import msgpack
import pytest

from coordinator.shell.garbage import TELL_EVERY_S, Garbage, shown
from coordinator.shell.stream_watch import StreamState, StreamWatch
from coordinator.shell.streams import market_stream, order_stream, quiet_sdk
from tests.coordinator.messages import FILL
from tests.corpus.frames import (
    BROKEN_FRAMES,
    BROKEN_RECORDS,
    BROKEN_UPDATES,
    TICKERS,
    TOLERATED_RECORDS,
    Frame,
    bar,
    packed,
    raws,
)
from tests.corpus.venue import venue

PATIENCE_S = 20.0
LAST_BAR = packed([bar("SPY", last=True)])
UPDATE, LAST_UPDATE = json.dumps(FILL).encode(), json.dumps(FILL | {"last": True}).encode()
WITHOUT_AN_ORDER = {what for what in BROKEN_UPDATES if "data" in what or "order" in what}
"""They say what they are; that there is no order in them, their reader finds out."""


@dataclass
class Ear:
    """What a stream brought, what it dropped, and how it stood when the last message had come."""

    heard: list[Any] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    state: StreamState = StreamState.CONNECTING
    live: int = 0
    connections: list[str] = field(default_factory=list)
    waits_s: list[float] = field(default_factory=list)


def listen(frames: Sequence[Frame], *, orders: bool = False, logins: Sequence[Frame] = ()) -> Ear:
    """Hear these frames over a stream of production, until a message says that it is the last."""
    ear = Ear()

    async def play() -> None:
        over = asyncio.Event()
        watch = StreamWatch("ear", lambda: None, ear.dropped.append)

        def hear(raw: Any) -> None:
            ear.heard.append(raw)
            if raw.get("last"):
                over.set()

        def hear_all(brought: Sequence[Any]) -> None:
            for raw in raws(brought):
                hear(raw)

        async with venue(frames, logins) as it:
            if orders:
                stream = order_stream(it.settings, hear, watch)
            else:
                stream = market_stream(it.settings, "iex", TICKERS, hear_all, watch)
            stream._sdk._reconnect_delay = at_once(stream._sdk._reconnect_delay, ear.waits_s)
            stream.start(lambda name: None)
            await asyncio.wait_for(over.wait(), PATIENCE_S)
            ear.state, ear.live, ear.connections = watch.state, watch.connections, it.connections
            await stream.stop()

    with quiet_sdk():
        asyncio.run(play())
    return ear


def at_once(delay_s: Callable[[int], float], waits_s: list[float]) -> Callable[[int], float]:
    """Wait no longer than a moment; note how long it should have been."""

    def note(retries: int) -> float:
        waits_s.append(delay_s(retries))
        return 0.01

    return note


def test_whatever_is_broken_on_a_market_stream_costs_only_itself() -> None:
    frames: list[Frame] = [
        b"\x93" + packed(bar("SPY")) + record + packed(bar("QQQ"))
        for record in [*BROKEN_RECORDS.values(), *TOLERATED_RECORDS.values()]
    ]
    for frame in BROKEN_FRAMES.values():
        frames += [frame, packed([bar("IWM")])]
    ear = listen([*frames, LAST_BAR])
    in_pairs = len(BROKEN_RECORDS) + len(TOLERATED_RECORDS)
    assert [raw["S"] for raw in ear.heard] == [
        *["SPY", "QQQ"] * in_pairs,
        *["IWM"] * len(BROKEN_FRAMES),
        "SPY",
    ]
    assert len(ear.dropped) == len(BROKEN_RECORDS) + len(BROKEN_FRAMES)
    assert (ear.connections, ear.live, ear.state) == (["/v2/iex"], 1, StreamState.LIVE)


def test_whatever_is_broken_on_the_order_stream_costs_only_itself_and_is_told() -> None:
    frames = [part for broken in BROKEN_UPDATES.values() for part in (broken, UPDATE)]
    ear = listen([*frames, LAST_UPDATE], orders=True)
    assert sum(raw == FILL for raw in ear.heard) == len(BROKEN_UPDATES)
    assert len(ear.dropped) == len(BROKEN_UPDATES) - len(WITHOUT_AN_ORDER)
    assert (ear.connections, ear.live, ear.state) == (["/stream"], 1, StreamState.LIVE)


@pytest.mark.parametrize(
    "complaint",
    [
        {"code": 400, "msg": "invalid syntax"},
        {"code": 407, "msg": "slow client"},
        {"code": 500, "msg": "internal error"},
        {"code": "many", "msg": ["in", "a", "list"]},
        {"code": None},
        {"code": 10**15, "msg": "x" * 100_000},
    ],
)
def test_an_error_that_ends_nothing_leaves_the_stream_live_and_is_told(
    complaint: dict[str, Any],
) -> None:
    ear = listen([packed([{"T": "error"} | complaint, bar("QQQ")]), LAST_BAR])
    assert [raw["S"] for raw in ear.heard] == ["QQQ", "SPY"]
    assert (ear.live, ear.state, len(ear.dropped)) == (1, StreamState.LIVE, 1)
    assert len(ear.dropped[0]) < 300


@pytest.mark.parametrize("code", [401, 402, 406, 409])
def test_a_stream_that_brings_bars_after_an_error_is_live(code: int) -> None:
    ear = listen([packed([{"T": "error", "code": code, "msg": "not now"}]), LAST_BAR])
    assert [raw["S"] for raw in ear.heard] == ["SPY"]
    assert (ear.state, ear.connections) == (StreamState.LIVE, ["/v2/iex"])


@pytest.mark.parametrize("bars", [None, 5, "SPY", {"SPY": 1}, [["SPY"]], [{"SPY": 1}, None]])
def test_a_subscription_that_cannot_be_read_says_that_nothing_was_subscribed(bars: Any) -> None:
    ear = listen([packed([{"T": "subscription", "bars": bars}, bar("QQQ")]), LAST_BAR])
    assert [raw["S"] for raw in ear.heard] == ["QQQ", "SPY"]
    assert ear.state is StreamState.REFUSED


@pytest.mark.parametrize("orders", [False, True], ids=["bars", "orders"])
@pytest.mark.parametrize(
    "login", ["<html>", b"\xff\xfe", b"", b"[]", b"\xc1", b"\xdd\xff\xff\xff\xff", b"{}", b"null"]
)
def test_a_garbled_answer_to_the_login_is_no_refusal_of_the_keys(
    login: Frame, orders: bool, caplog: pytest.LogCaptureFixture
) -> None:
    frames = [LAST_UPDATE] if orders else [LAST_BAR]
    ear = listen(frames, orders=orders, logins=[login])
    assert (len(ear.connections), ear.live, ear.state) == (2, 1, StreamState.LIVE)
    assert "refused" not in caplog.text


REFUSALS: dict[str, Frame] = {
    "bars": packed([{"T": "error", "code": 402, "msg": "auth failed"}]),
    "orders": b'{"stream":"authorization","data":{"status":"unauthorized","action":"auth"}}',
}


@pytest.mark.parametrize("stream", REFUSALS)
def test_a_refused_login_is_tried_again_ever_more_rarely(stream: str) -> None:
    orders = stream == "orders"
    frames = [LAST_UPDATE] if orders else [LAST_BAR]
    ear = listen(frames, orders=orders, logins=[REFUSALS[stream]] * 6)
    assert len(ear.connections) == 7
    assert len(ear.waits_s) == 6
    assert ear.waits_s[0] >= 0.5
    assert all(later > before for before, later in pairwise(ear.waits_s[::2]))
    assert max(ear.waits_s) > 10


def test_a_flood_of_garbage_is_counted_and_told_now_and_then(
    caplog: pytest.LogCaptureFixture,
) -> None:
    now_s = [0.0]
    garbage = Garbage(lambda: now_s[0])
    with caplog.at_level(logging.WARNING):
        told = [garbage.drop(f"number {n}") for n in range(1000)]
        now_s[0] = TELL_EVERY_S
        told.append(garbage.drop("the next"))
        garbage.tell_rest()
        garbage.drop("and one more")
        garbage.tell_rest()
        garbage.tell_rest()
    assert [n for n, was in enumerate(told) if was] == [0, 1000]
    assert garbage.count == 1002
    assert [line.getMessage().partition(": ")[2] for line in caplog.records] == [
        "number 0",
        "the next (and 999 before it)",
        "the last of a flood",
    ]


@pytest.mark.parametrize(
    "value",
    [
        "x" * 10**6,
        b"\x00" * 10**6,
        "two\nlines",
        ["x" * 1000] * 1000,
        {str(n): "x" * 1000 for n in range(1000)},
        10**5000,
        msgpack.Timestamp(1, 1),
        object(),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_told_of_garbage_is_short_and_on_one_line(value: Any) -> None:
    told = shown(value)
    assert len(told) < 410
    assert "\n" not in told


def test_what_is_told_of_garbage_stays_short_however_deep_it_is() -> None:
    deep: Any = 1
    for _ in range(100_000):
        deep = [deep]
    assert len(shown(deep)) < 100
