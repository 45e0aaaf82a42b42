"""Random mutations through the parsers and through the streams of production.

Nothing but Malformed is ever raised, and the neighbours of what is broken are always heard.
MUTATIONS says how many there are in all, MUTATION_SEED which; a failure names the one that failed.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest

from coordinator.core.values import Bar
from coordinator.errors import BrokerError
from coordinator.settings import simulator_settings
from coordinator.shell import wire
from coordinator.shell.broker import Broker
from coordinator.shell.fields import Malformed
from coordinator.shell.rest import Api
from coordinator.shell.stream_watch import StreamWatch
from coordinator.shell.streams import market_stream, order_stream, quiet_sdk
from tests.coordinator.messages import ACTIVITY, BAR, FILL, ORDER, without
from tests.corpus.frames import TICKERS, Frame, bar, packed, raws
from tests.corpus.kinds import FEE, KINDS
from tests.corpus.mutate import JUNK, PACKED_ONLY, changed, scrambled
from tests.corpus.plain import is_judged_alike

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]
MUTATIONS = int(os.environ.get("MUTATIONS", "200000"))
SEED = int(os.environ.get("MUTATION_SEED", "1"))
BATCH = 2000
MARK = "mark"
"""A key that nobody reads: by it a good record is known again."""
FIRST_COUNT = 10**9
"""By their counts from this one on good bars are known again that have plain keys only."""
START = datetime(2021, 2, 22, 19, 0, tzinfo=UTC)
SETTINGS = simulator_settings("http://x", Path())
ALL_JUNK = [*JUNK, *PACKED_ONLY]


def share(part: float) -> Iterator[tuple[int, Random]]:
    """The numbers of this part of all mutations, each with its own random."""
    for number in range(int(MUTATIONS * part)):
        yield number, Random(SEED * 10**9 + number)  # noqa: S311


@dataclass
class Socket:
    """A connection that has received these frames already; it stops its reader at the last."""

    frames: list[Frame]
    stop: Callable[[], None]

    async def recv(self) -> Frame:
        frame = self.frames.pop()
        if not self.frames:
            self.stop()
        return frame

    async def close(self) -> None:
        """Nothing is open."""


@dataclass
class Listener:
    """A stream of production, fed frames behind its socket, and what its messages are read as."""

    orders: bool
    marks: list[Any] = field(default_factory=list)
    refused: int = 0
    plain: int = 0
    bugs: list[BaseException] = field(default_factory=list)
    garbled: list[str] = field(default_factory=list)

    def hear(self, raw: Any) -> None:
        """What the session's handlers do."""
        try:
            if self.orders:
                wire.parse_trade_update(raw)
                wire.may_hide_a_fill(raw)
            else:
                wire.parse_bar(raw)
        except Malformed as error:
            self.garbled.append(str(error))
            self.refused += 1
        except BaseException as error:
            self.bugs.append(error)
        else:
            self.marks.append(raw[MARK] if MARK in raw else _mark_of(raw.get("n")))

    def hear_all(self, brought: Sequence[Any]) -> None:
        """The bars of one frame, judged one by one and together."""
        records = raws(brought)
        for raw in records:
            self.hear(raw)
        refused: list[Malformed] = []
        try:
            found = wire.parse_bars(records, refused.append)
            judged = [bar for raw in records if (bar := _judged(raw)) is not None]
            assert found == judged, "parse_bar and parse_bars judge alike"
            assert len(found) + len(refused) == len(records)
        except BaseException as error:
            self.bugs.append(error)

    async def listen(self, frames: list[Frame]) -> None:
        """Read these frames as if they came over a connection."""
        for frame in frames if not self.orders else ():
            self.plain += is_judged_alike(frame)
        watch = StreamWatch("mutations", lambda: None, self.garbled.append)
        if self.orders:
            stream = order_stream(SETTINGS, self.hear, watch)
        else:
            stream = market_stream(SETTINGS, "iex", TICKERS, self.hear_all, watch)
        sdk = stream._sdk
        sdk._ws = Socket(frames[::-1], lambda: sdk._stop_stream_queue.put_nowait(None))
        with quiet_sdk():
            await sdk._consume()


def _mark_of(count: Any) -> str:
    """The mark of a bar that has it as its count."""
    if not isinstance(count, int) or count < FIRST_COUNT:
        return ""
    return ".".join(map(str, divmod(count - FIRST_COUNT, len(TICKERS))))


def _judged(raw: Any) -> Bar | None:
    try:
        return wire.parse_bar(raw)
    except Malformed:
        return None


Made = tuple[list[Frame], list[str]]
"""Frames of which one is spoiled, and the marks that must be heard of them."""


def all_are_heard(orders: bool, part: float, make: Callable[[int, Random], Made]) -> Listener:
    """Feed the frames of a part of the mutations; whatever is good in them must be heard."""
    listener = Listener(orders)
    batch: list[tuple[int, Made]] = []

    def play() -> None:
        listener.marks.clear()
        asyncio.run(listener.listen([frame for _, (frames, _) in batch for frame in frames]))
        heard = set(listener.marks)
        for number, (frames, marks) in batch:
            lost = [mark for mark in marks if mark not in heard]
            assert not lost, f"mutation {number} of seed {SEED} lost {lost}: {frames!r}"
        assert not listener.bugs, f"within mutations {batch[0][0]}.. of seed {SEED}"
        assert all(len(told) < 600 and told.isprintable() for told in listener.garbled)
        listener.garbled.clear()
        batch.clear()

    for number, random in share(part):
        batch.append((number, make(number, random)))
        if len(batch) == BATCH:
            play()
    if batch:
        play()
    return listener


def good_bar(number: int, place: int) -> bytes:
    """One that has a key more, or is plain."""
    good = bar(TICKERS[place])
    if number % 2:
        return packed(good | {"n": FIRST_COUNT + number * len(TICKERS) + place})
    return packed(good | {MARK: f"{number}.{place}"})


def spoiled_bar(number: int, random: Random) -> Made:
    """Three good bars, and somewhere among them something that was one."""
    records = [good_bar(number, place) for place in range(3)]
    records.insert(random.randrange(4), spoiled_record(random))
    return [b"\x94" + b"".join(records)], [f"{number}.{place}" for place in range(3)]


def spoiled_record(random: Random) -> bytes:
    """Something that was a bar, as far as msgpack can say it."""
    try:
        return packed(changed(bar("SPY"), random, ALL_JUNK))
    except OverflowError:  # an integer of more than 64 bits
        return spoiled_record(random)


def scrambled_bars(number: int, random: Random) -> Made:
    """A good bar and behind it bytes that were two; then a good frame."""
    spoilt = scrambled(packed(bar("SPY")) + packed(bar("QQQ")), random)
    frames: list[Frame] = [b"\x93" + good_bar(number, 0) + spoilt, b"\x91" + good_bar(number, 1)]
    return frames, [f"{number}.{place}" for place in range(2)]


def update(number: int, random: Random, spoil: Callable[[Any, Random], Frame]) -> Made:
    """A spoiled report and a good one."""
    good = json.dumps(FILL | {MARK: str(number)}).encode()
    return [spoil(FILL, random), good], [str(number)]


def test_a_bar_with_its_structure_spoiled_costs_no_neighbour() -> None:
    listener = all_are_heard(False, 0.35, spoiled_bar)
    assert listener.refused > MUTATIONS * 0.1
    assert listener.plain > MUTATIONS * 0.005


def test_a_frame_with_its_bytes_spoiled_costs_nothing_before_or_after_it() -> None:
    listener = all_are_heard(False, 0.2, scrambled_bars)
    assert listener.plain > MUTATIONS * 0.05


def test_a_report_with_its_structure_spoiled_costs_no_other() -> None:
    def spoil(raw: Any, random: Random) -> Frame:
        return json.dumps(changed(raw, random, JUNK)).encode()

    listener = all_are_heard(True, 0.2, lambda number, random: update(number, random, spoil))
    assert listener.refused > MUTATIONS * 0.02


def test_a_report_with_its_bytes_spoiled_costs_no_other() -> None:
    def spoil(raw: Any, random: Random) -> Frame:
        return scrambled(json.dumps(raw).encode(), random)

    all_are_heard(True, 0.1, lambda number, random: update(number, random, spoil))


@dataclass
class Canned:
    """REST that answers one thing to everything."""

    answer: Any = None

    def get(self, api: Api, path: str, query: Mapping[str, Any]) -> Any:
        return self.answer

    def post(self, api: Api, path: str, body: Mapping[str, Any]) -> Any:
        return self.answer

    def delete(self, api: Api, path: str) -> None:
        """Nothing is told."""


ROWS: list[tuple[Callable[[Broker], list[Any]], dict[str, Any]]] = [
    (lambda broker: list(broker.orders_after(START)), ORDER),
    (Broker.open_orders, ORDER),
    (lambda broker: broker.fills(START), ACTIVITY),
    (lambda broker: broker.executions("b5abe576", START), ACTIVITY),
    (lambda broker: broker.activities(START.date()), FEE),
]
BARS = {"bars": {"SPY": [without(BAR, "S", "T")]}, "next_page_token": None}
SINGLE: list[tuple[Callable[[Broker], Any], Any]] = [
    (Broker.account, {"account_number": "PA1", "cash": "5", "trading_blocked": False}),
    (Broker.clock, {"timestamp": "2026-03-17T10:31:00-04:00"}),
    (Broker.positions, [KINDS["position"].good]),
    (lambda broker: broker.calendar(START.date(), START.date()), [KINDS["day"].good]),
    (lambda broker: broker.asset("BTC/USD"), KINDS["asset"].good),
    (lambda broker: broker.order("A.2026-03-17.1"), ORDER),
    (lambda broker: broker.bars(["SPY"], START, START + timedelta(hours=1)), BARS),
]


@pytest.mark.parametrize("what", ["rows", "whole"])
def test_an_answer_with_its_structure_spoiled_is_read_or_refused(
    what: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("CRITICAL")
    rest = Canned()
    broker, refused = Broker(rest, feed="iex"), 0
    for number, random in share(0.075):
        told = f"mutation {number} of seed {SEED}: "
        if what == "rows":
            ask, good = ROWS[number % len(ROWS)]
            rest.answer = [good, changed(good, random, JUNK), good]
            assert len(ask(broker)) >= 2, told + repr(rest.answer)
            continue
        ask, good = SINGLE[number % len(SINGLE)]
        rest.answer = changed(good, random, JUNK)
        try:
            ask(broker)
        except BrokerError:
            refused += 1
        except Exception as error:
            raise AssertionError(told + repr(rest.answer)) from error
    assert refused + broker.malformed > MUTATIONS * 0.02
