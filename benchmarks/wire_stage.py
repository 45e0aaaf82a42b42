"""The two sides of `benchmarks.wire`, and the server that both are connected to.

Ours is a LiveSession with a real stream and a journal on disk; only REST is simulated: each order
fills immediately, at its last close. Theirs is alpaca-py's stream with `raw_data`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import msgpack
from alpaca.data.live import StockDataStream
from websockets.asyncio.server import ServerConnection, serve

from benchmarks.session import OPEN, Minute, engine_of
from coordinator.core import messages as m
from coordinator.core import records as r
from coordinator.core.engine import Engine
from coordinator.core.orders import OrderStatus
from coordinator.errors import BrokerUnavailable
from coordinator.settings import Settings
from coordinator.shell.clock import BrokerClock
from coordinator.shell.coordinator import LiveSession
from coordinator.shell.gc_pauses import few_gc_pauses
from coordinator.shell.journal import Journal
from coordinator.shell.narrator import Narrator
from coordinator.shell.ports import Ports, Stream
from coordinator.shell.stream_watch import StreamWatch
from coordinator.shell.streams import market_stream
from coordinator.shell.workers import Threads


@dataclass(frozen=True, slots=True)
class Took:
    """Wall seconds, and CPU seconds of the loop's thread: a reading, or a difference of two."""

    wall_s: float
    cpu_s: float

    @classmethod
    def now(cls) -> Took:
        """A reading of the clocks."""
        return cls(time.perf_counter(), time.thread_time())

    def since(self, begun: Took) -> Took:
        """The difference from an earlier reading."""
        return Took(self.wall_s - begun.wall_s, self.cpu_s - begun.cpu_s)


class Server:
    """Serves the market stream's protocol on a loopback port, and sends given frames."""

    def __init__(self) -> None:
        self._connections: dict[str, ServerConnection] = {}
        self._known = {key: asyncio.Event() for key in ("ours", "theirs")}

    async def __aenter__(self) -> Server:
        self._server = await serve(self._speak, "127.0.0.1", 0, compression=None)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    @property
    def url(self) -> str:
        """Its address."""
        return f"ws://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def _speak(self, connection: ServerConnection) -> None:
        await connection.send(msgpack.packb([{"T": "success", "msg": "connected"}]))
        key = msgpack.unpackb(await connection.recv())["key"]
        await connection.send(msgpack.packb([{"T": "success", "msg": "authenticated"}]))
        wanted = msgpack.unpackb(await connection.recv())
        self._connections[key] = connection
        self._known[key].set()
        granted = {name: wanted.get(name, []) for name in ("bars", "updatedBars")}
        await connection.send(msgpack.packb([{"T": "subscription", **granted}]))
        await connection.wait_closed()

    async def send(self, key: str, frames: Sequence[bytes]) -> Took:
        """Send to the client with this key; returns the start, after sending if it is one frame."""
        begun = Took.now()
        for frame in frames:
            await self._connections[key].send(frame)
        return begun if len(frames) > 1 else Took.now()

    async def until_subscribed(self, key: str) -> None:
        """Wait until the client with this key has subscribed."""
        await self._known[key].wait()


class Theirs:
    """alpaca-py's raw stream with a handler that does nothing."""

    def __init__(self, server: Server, tickers: Sequence[str]) -> None:
        self._server = server
        self._sdk = StockDataStream("theirs", "s", raw_data=True, url_override=server.url)
        self._sdk.subscribe_bars(self._on_bar, *tickers)
        self._missing = 0
        self._done = asyncio.Event()
        self._task = asyncio.create_task(self._sdk._run_forever())

    @classmethod
    async def begin(cls, server: Server, tickers: Sequence[str]) -> Theirs:
        """A stream that is connected and subscribed."""
        one = cls(server, tickers)
        await server.until_subscribed("theirs")
        return one

    async def _on_bar(self, _message: Any) -> None:
        self._missing -= 1
        if not self._missing:
            self._ended = Took.now()
            self._done.set()

    async def take(self, minutes: Sequence[Minute]) -> Took:
        """The time from sending these frames to the last handler's return."""
        self._missing = sum(len(minute.records) for minute in minutes)
        self._done.clear()
        packed = [minute.packed() for minute in minutes]
        begun = await self._server.send("theirs", packed)
        await self._done.wait()
        return self._ended.since(begun)

    async def end(self) -> None:
        """Close the connection."""
        await self._sdk.stop_ws()
        await self._sdk.close()
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


class _Session(LiveSession):
    """A session that calls `on_minute` when the orders of a minute's bars are handed over."""

    on_minute: Callable[[m.Outcome], None]

    def _hand_over(self, outcome: m.Outcome) -> None:
        super()._hand_over(outcome)
        if any(isinstance(record, r.BarsSeen) for record in outcome.records):
            self.on_minute(outcome)


class Ours:
    """A session of ours. After `take`, `decided` counts bars and `intents` the orders made."""

    def __init__(self, server: Server, session: _Session, stream: Stream, journal: Journal) -> None:
        self.session, self.tickers = session, list(session.engine._assets)
        self._server, self._stream, self._journal = server, stream, journal
        session.on_minute = self._minute
        self._done = asyncio.Event()
        self._over = False
        self._missing = self.decided = self.intents = 0
        self._task = asyncio.create_task(self._run())

    @classmethod
    async def begin(cls, server: Server, strategies: int, count: int, folder: Path) -> Ours:
        """A session that is open, warmed up, connected and subscribed."""
        engine, records, name = engine_of(strategies, count)
        clock = BrokerClock(1, time.monotonic)
        clock.advance(OPEN)
        settings = Settings("ours", "s", server.url, server.url, server.url, folder, "")
        journal = Journal(folder / "journal.db", "PA1", "bench")
        journal.append(name, records)
        narrator = Narrator(engine.books, engine.specs)
        broker: Any = Broker(engine, clock)
        session = _Session(engine, journal, name, ports(), clock, lambda _: broker, narrator)
        tickers = list(engine._assets)
        watch = StreamWatch("stock bars", lambda: None, session.handlers.on_bar_garbage)
        stream = market_stream(settings, "sip", tickers, session.handlers.on_bars, watch)
        session.watchdog.watch_market(watch, tickers, stream.restart)
        stream.start(session.on_stream_end)
        await watch.until_live(10)
        return cls(server, session, stream, journal)

    async def _run(self) -> None:
        with few_gc_pauses(collect_first=True):
            await self.session.run(lambda: self._over)

    def _minute(self, outcome: m.Outcome) -> None:
        self._ended = Took.now()
        for record in outcome.records:
            if isinstance(record, r.BarsSeen):
                self.decided += len(record.bars)
            self.intents += isinstance(record, r.OrderIntended)
        if self.decided >= self._missing:
            self._done.set()

    async def take(self, minutes: Sequence[Minute]) -> Took:
        """The time from sending these frames until their orders are handed over."""
        self._missing = sum(len(minute.records) for minute in minutes)
        self.decided = self.intents = 0
        self._done.clear()
        packed = [minute.packed() for minute in minutes]
        async with asyncio.timeout(60):
            begun = await self._server.send("ours", packed)
            await self._done.wait()
        taken = self._ended.since(begun)
        books, inbox = self.session.engine.books, self.session._inbox
        while books.orders.open() or inbox:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        return taken

    async def end(self) -> None:
        """End the session and close its connection."""
        self._over = True
        await self._task
        await self._stream.stop()
        self._journal.close()


def ports() -> Ports:
    """Real ports, without REST."""
    none: Any = None
    return Ports(time.monotonic, time.sleep, Threads(), none, none, market_stream, Journal)


class Broker:
    """A REST broker with a clock, whose orders fill immediately at the last close."""

    def __init__(self, engine: Engine, clock: BrokerClock) -> None:
        self._engine, self._clock = engine, clock

    def clock(self) -> datetime:
        """The newest bar's end."""
        return self._clock.now()

    def submit(self, command: m.SubmitOrder) -> m.OrderUpdate:
        """The report of an order that is filled."""
        price, now = self._engine.books.ledger.marks[command.symbol], self._clock.now()
        number = f"b.{command.client_order_id}"
        return m.OrderUpdate(
            command.client_order_id,
            number,
            command.symbol,
            command.side,
            OrderStatus.FILLED,
            command.qty,
            command.qty,
            price,
            now,
            now,
            m.Execution(f"x.{number}", command.qty, price, command.qty, now),
        )

    def __getattr__(self, name: str) -> Any:
        raise BrokerUnavailable(f"{name} is not played here")
