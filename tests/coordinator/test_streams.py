"""What is known of a stream: up, waiting for its slot, refused, lost; and an end without leaks."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from coordinator.errors import BrokerRejected, BrokerUnavailable, SafetyRefusal
from coordinator.settings import LEAST_PAIRS, Settings
from coordinator.shell import wire
from coordinator.shell.plain import PlainBars
from coordinator.shell.ports import stop_all
from coordinator.shell.session import BARS_DEADLINE_S, DEAD_SLOT_S
from coordinator.shell.stream_watch import StreamState, StreamWatch
from coordinator.shell.streams import Stream, market_stream, order_stream, quiet_sdk
from simulator.server import Simulator, SimulatorOptions
from tests.corpus.frames import raws

NOW = datetime(2026, 3, 17, 15, tzinfo=UTC)
PATIENCE_S = 20.0
Story = Callable[[Settings, Simulator], Coroutine[None, None, None]]


def run(story: Story, **options: object) -> None:
    """Play a story against a simulator in mid-session; no connection may be left."""
    usual = SimulatorOptions(
        date=date(2026, 3, 17), start=NOW, credentials=("k", "s"), clock_speed=6000
    )
    known = replace(usual, **options)  # type: ignore[arg-type]
    with Simulator(known) as simulator, quiet_sdk():
        asyncio.run(story(settings(simulator), simulator))
        with patience() as deadline:
            while any(simulator.snapshot().connections.values()):
                deadline()


@contextmanager
def patience() -> Iterator[Callable[[], None]]:
    """Gives a check that raises once patience is over."""
    end = time.monotonic() + PATIENCE_S

    def check() -> None:
        assert time.monotonic() < end, "it never came"

    yield check


def settings(simulator: Simulator, key: str = "k") -> Settings:
    return Settings(key, "s", simulator.url, simulator.url, simulator.stream_url, Path("x"), "")


def ignore(*_: object) -> None:
    """What nobody minds."""


def bars(known: Settings, *symbols: str, on_bar: Callable[[wire.Raw], None] = ignore) -> Stream:
    def on_bars(brought: Sequence[wire.Raw] | PlainBars) -> None:
        for raw in raws(brought):
            on_bar(raw)

    return market_stream(known, "iex", symbols or ("SPY",), on_bars, StreamWatch("bars", ignore))


def test_bars_arrive_once_the_subscription_is_confirmed() -> None:
    async def story(known: Settings, _: Simulator) -> None:
        got: asyncio.Queue[wire.Raw] = asyncio.Queue()
        stream = bars(known, "SPY", "QQQ", on_bar=got.put_nowait)
        stream.start(ignore)
        await stream.watch.until_live(PATIENCE_S)
        assert (stream.watch.state, stream.watch.connections) == (StreamState.LIVE, 1)
        bar = wire.parse_bar(await asyncio.wait_for(got.get(), PATIENCE_S))
        assert bar.start >= NOW
        await stream.stop()
        assert stream.watch.state is StreamState.STOPPED

    run(story)


def test_all_three_streams_come_up_beside_each_other_and_end_at_once() -> None:
    async def story(known: Settings, simulator: Simulator) -> None:
        streams = [
            order_stream(known, ignore, StreamWatch("orders", ignore)),
            bars(known, "SPY"),
            bars(known, "BTC/USD"),
        ]
        for stream in streams:
            stream.start(ignore)
            await stream.watch.until_live(PATIENCE_S)
        counts = await asyncio.to_thread(lambda: simulator.snapshot().connections)
        assert {p for p, n in counts.items() if n} == {"/stream", "/v2/iex", "/v1beta3/crypto/us"}
        ended = asyncio.ensure_future(stop_all(streams))
        for _ in range(2):  # the turns of the loop in which they begin
            await asyncio.sleep(0)
        assert {stream.watch.state for stream in streams} == {StreamState.STOPPED}
        await ended

    run(story)


def test_wrong_keys_are_refused_and_not_waited_for() -> None:
    async def story(known: Settings, simulator: Simulator) -> None:
        wrong = settings(simulator, "wrong")
        for stream in (bars(wrong), order_stream(wrong, ignore, StreamWatch("orders", ignore))):
            stream.start(ignore)
            with pytest.raises(BrokerRejected):
                await stream.watch.until_live(PATIENCE_S)
            await stream.stop()

    run(story)


def test_more_symbols_than_the_plan_has_are_refused() -> None:
    async def story(known: Settings, _: Simulator) -> None:
        stream = bars(known, "SPY", "QQQ", "TLT")
        stream.start(ignore)
        with pytest.raises(BrokerRejected) as refusal:
            await stream.watch.until_live(PATIENCE_S)
        assert refusal.value.code == 405
        await stream.stop()

    run(story, symbol_limit=2)


def test_a_feed_that_is_not_paid_for_ends_the_stream_and_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def story(known: Settings, _: Simulator) -> None:
        ended: asyncio.Queue[str] = asyncio.Queue()
        stream = market_stream(known, "sip", ["SPY"], ignore, StreamWatch("sip", ignore))
        stream.start(ended.put_nowait)
        with pytest.raises(BrokerRejected):
            await stream.watch.until_live(PATIENCE_S)
        assert await asyncio.wait_for(ended.get(), PATIENCE_S) == "sip"
        await stream.stop()

    run(story, refused=frozenset({"/v2/sip"}))
    assert "the broker refused: insufficient subscription (409); the account's plan" in caplog.text
    assert 'set "feed": "iex"' in caplog.text


def test_a_start_after_a_crash_outwaits_its_dead_connection_and_the_sdks_longest_pause() -> None:
    url = "http://127.0.0.1:1"
    sdk = bars(Settings("k", "s", url, url, url.replace("http", "ws"), Path("x"), ""))._sdk
    latest_s = max(sdk._reconnect_delay(retries) for retries in range(50))
    assert DEAD_SLOT_S + latest_s < BARS_DEADLINE_S


@pytest.mark.thorough
def test_a_slot_that_is_taken_is_waited_for_and_had_once_it_is_free() -> None:
    async def story(known: Settings, _: Simulator) -> None:
        first, second = bars(known), bars(known)
        first.start(ignore)
        await first.watch.until_live(PATIENCE_S)
        second.start(ignore)
        with pytest.raises(SafetyRefusal, match="in use elsewhere") as refusal:
            await second.watch.until_live(2.0)
        assert refusal.value.exit_code == 3
        assert second.watch.state is StreamState.WAITING_FOR_SLOT
        await first.stop()
        await second.watch.until_live(PATIENCE_S)
        await second.stop()

    run(story)


def test_a_broker_that_does_not_answer_is_given_up_after_a_while() -> None:
    async def story(known: Settings, simulator: Simulator) -> None:
        await asyncio.to_thread(simulator.stop)
        stream = bars(known)
        stream.start(ignore)
        with pytest.raises(BrokerUnavailable, match=r"did not come up within 1 s.*start again"):
            await stream.watch.until_live(1.0)
        await stream.stop()

    run(story)


def test_a_stream_whose_task_ends_by_itself_is_started_again_and_said_lost_meanwhile() -> None:
    async def story(known: Settings, simulator: Simulator) -> None:
        watch = StreamWatch("stock bars", lambda: None)
        stream = market_stream(known, "iex", ["SPY"], lambda _: None, watch)
        ends: list[str] = []
        stream.start(ends.append)
        await watch.until_live(PATIENCE_S)
        assert stream._task is not None
        stream._task.cancel()
        with patience() as deadline:
            while watch.connections < 2:
                deadline()
                await asyncio.sleep(0.01)
        assert watch.state is StreamState.LIVE
        assert ends == []
        assert simulator.snapshot().connections["/v2/iex"] == 1
        await stream.stop()

    run(story)


@pytest.mark.parametrize("of_orders", [False, True])
def test_a_stream_ends_as_ever_if_its_connection_breaks_just_then(of_orders: bool) -> None:
    async def story(known: Settings, _: Simulator) -> None:
        watch = StreamWatch("orders", ignore)
        stream = order_stream(known, ignore, watch) if of_orders else bars(known)
        stream.start(ignore)
        await stream.watch.until_live(PATIENCE_S)
        stream._sdk._ws.transport.get_extra_info("socket").shutdown(socket.SHUT_RDWR)
        await stream.stop()  # the loop has not noticed yet
        assert stream.watch.state is StreamState.STOPPED

    run(story)


def test_a_feed_that_the_plan_does_not_include_ends_the_session_and_is_not_tried_again() -> None:
    async def story(known: Settings, simulator: Simulator) -> None:
        watch = StreamWatch("stock bars", lambda: None)
        stream = market_stream(known, "sip", ["SPY"], lambda _: None, watch)
        ended = asyncio.Event()
        stream.start(lambda _: ended.set())
        with pytest.raises(BrokerRejected, match="insufficient subscription"):
            await watch.until_live(PATIENCE_S)
        await asyncio.wait_for(ended.wait(), PATIENCE_S)
        await stream.stop()

    run(story, refused=frozenset({"/v2/sip"}))


def test_a_connection_that_is_made_anew_on_purpose_is_heard_again() -> None:
    async def story(known: Settings, simulator: Simulator) -> None:
        repaired = asyncio.Event()
        watch = StreamWatch("stock bars", repaired.set)
        stream = market_stream(known, "iex", ["SPY"], lambda _: None, watch)
        stream.start(lambda _: None)
        await watch.until_live(PATIENCE_S)
        watch.muted()
        stream.restart()
        await asyncio.wait_for(repaired.wait(), PATIENCE_S)
        assert watch.state is StreamState.LIVE
        await stream.stop()

    run(story)


def test_a_ticker_more_than_fits_beside_the_corrections_takes_the_place_of_these() -> None:
    async def story(known: Settings, _: Simulator) -> None:
        got: asyncio.Queue[wire.Raw] = asyncio.Queue()
        symbols = [f"S{chr(ord('A') + n)}" for n in range(LEAST_PAIRS // 2)]
        stream = bars(known, *symbols, on_bar=got.put_nowait)
        stream.start(ignore)
        await stream.watch.until_live(PATIENCE_S)
        await stream.subscribe([*symbols, "SPY"])
        with patience() as deadline:
            while (await asyncio.wait_for(got.get(), PATIENCE_S))["S"] != "SPY":
                deadline()
        assert stream.watch.granted == {*symbols, "SPY"}
        await stream.stop()

    run(story, symbol_limit=LEAST_PAIRS)


@pytest.mark.parametrize("code", [404, 500])
def test_a_login_that_fails_for_a_moment_is_no_refusal_and_the_next_one_is_waited_for(
    code: int, caplog: pytest.LogCaptureFixture
) -> None:
    watch = StreamWatch("stock bars", lambda: None)
    watch.refused(code, "auth timeout")
    assert (watch.state, watch.error) == (StreamState.CONNECTING, None)
    assert "it connects again by itself" in caplog.text
    watch.live()
    assert watch.state is StreamState.LIVE


@pytest.mark.parametrize("code", [400, 407, 410, 500])
def test_an_error_on_a_live_stream_is_told_with_what_to_do(code: int) -> None:
    told: list[str] = []
    watch = StreamWatch("stock bars", lambda: None, told.append)
    watch.live()
    watch.refused(code, "so it is")
    assert watch.state is StreamState.LIVE
    assert told[0].startswith(f"[stock bars] error {code}: so it is; ")


def test_keys_that_are_refused_again_and_again_are_told_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    watch = StreamWatch("stock bars", lambda: None)
    watch.live()
    watch.lost()
    for _ in range(5):
        watch.refused(402, "auth failed")
    assert watch.state is StreamState.REFUSED
    assert caplog.text.count("auth failed") == 1
