"""The websockets themselves: reading, writing, and who is connected.

Rule: what to answer is decided in `protocols`; here are only the loop of each connection and the
fan-out of bars and updates to those who asked.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Generic, TypeVar

from starlette.websockets import WebSocket, WebSocketDisconnect

from simulator.clock import Quiet
from simulator.options import SimulatorOptions
from simulator.outbox import Outbox
from simulator.protocols import (
    Access,
    Endpoint,
    MarketProtocol,
    OrderProtocol,
    Reply,
    Slots,
)
from simulator.values import Bar
from simulator.wire import Codec, Message, bar_message, error
from simulator.wires import Wires

P = TypeVar("P", MarketProtocol, OrderProtocol)


class _Hub(Generic[P]):
    """All connections of one kind, each with the queue of its frames."""

    def __init__(
        self, options: SimulatorOptions, access: Access, slots: Slots, wires: Wires
    ) -> None:
        self.connections: dict[P, Outbox] = {}
        self._options = options
        self._access = access
        self._slots = slots
        self._wires = wires

    @property
    def waiting(self) -> int:
        """Frames not yet written to their clients."""
        return sum(outbox.waiting for outbox in self.connections.values())

    async def _serve(self, websocket: WebSocket, talk: P, quiet: Quiet) -> None:
        """One connection, until the client goes, is refused, or fails to authenticate in time."""
        await websocket.accept()
        outbox = Outbox(websocket, self._options.frames_waiting, self._wires.of(websocket.scope))
        self.connections[talk] = outbox
        ends_s = asyncio.get_running_loop().time() + self._options.auth_deadline_s
        with _writing(websocket, outbox, quiet):
            try:
                reply: Reply | None = talk.greet(websocket.headers)
                while reply is not None:
                    for message in reply.messages:
                        outbox.put(talk.encode(message))
                    if reply.close:
                        await _hang_up(websocket, outbox)
                        return
                    reply = await _next_reply(websocket, talk, quiet, ends_s)
            finally:
                del self.connections[talk]
                talk.leave()


class MarketHub(_Hub[MarketProtocol]):
    """All market-data connections. universe: the symbols that '*' stands for."""

    def __init__(
        self,
        options: SimulatorOptions,
        access: Access,
        slots: Slots,
        wires: Wires,
        universe: Sequence[str],
    ) -> None:
        super().__init__(options, access, slots, wires)
        self._universe = universe

    def has_listeners(self) -> bool:
        """Whether any connection is subscribed to bars, of minutes or days."""
        return any(
            talk.subscribed.get("bars") or talk.subscribed.get("dailyBars")
            for talk in self.connections
        )

    def bar_symbols(self, channel: str) -> set[str]:
        """Every symbol that somebody wants on the channel."""
        wanted: set[str] = set()
        for talk in self.connections:
            wanted |= talk.wants(channel, self._universe)
        return wanted

    def stream(self, bars: Mapping[str, Bar], channel: str = "bars") -> int:
        """Send each connection the bars it wants, by symbol; returns how many bars went out."""
        kind = {"bars": "b", "updatedBars": "u", "dailyBars": "d"}[channel]
        sent = 0
        for talk, outbox in self.connections.items():
            wanted = sorted(talk.wants(channel, self._universe) & bars.keys())
            messages = [bar_message(bars[symbol], kind) for symbol in wanted]
            size = self._options.bars_per_frame or max(1, len(messages))
            for first in range(0, len(messages), size):
                if not outbox.put(talk.codec.encode(messages[first : first + size])):
                    outbox.abandon(talk.encode(error(407)))
                    break
            sent += len(messages)
        return sent

    def tell(self, channel: str, message: Message) -> None:
        """Send a message to each connection that wants its symbol on that channel."""
        for talk, outbox in self.connections.items():
            if message["S"] in talk.wants(channel, [message["S"]]):
                outbox.put(talk.encode(message))

    def on(self, path: str | None) -> list[tuple[MarketProtocol, Outbox]]:
        """The connections of a path (None: all)."""
        return [held for held in self.connections.items() if path in (None, held[0].endpoint.path)]

    async def serve(self, websocket: WebSocket, endpoint: Endpoint, quiet: Quiet) -> None:
        """One connection from handshake to end."""
        codec = Codec.for_content_type(websocket.headers.get("content-type", ""))
        talk = MarketProtocol(endpoint, self._access, self._slots, codec)
        await self._serve(websocket, talk, quiet)


class OrderHub(_Hub[OrderProtocol]):
    """All `trade_updates` connections."""

    def publish(self, message: Message) -> None:
        """Send an update to whoever listens now; nobody else ever gets it."""
        for talk, outbox in self.connections.items():
            if talk.is_listening and not outbox.put(talk.encode(message)):
                outbox.abandon(None)

    async def serve(self, websocket: WebSocket, quiet: Quiet) -> None:
        """One connection from handshake to end."""
        talk = OrderProtocol(self._access, self._slots, self._options.order_connections)
        await self._serve(websocket, talk, quiet)


@contextmanager
def _writing(websocket: WebSocket, outbox: Outbox, quiet: Quiet) -> Iterator[None]:
    """Run the writer's task while the connection lives; its beginning and end stir the quiet."""
    writer = asyncio.create_task(outbox.run())
    address = websocket.scope.get("server")
    if address:
        quiet.watch(address[1])
    quiet.stir()
    try:
        yield
    finally:
        writer.cancel()
        quiet.stir()


async def _next_reply(
    websocket: WebSocket, talk: MarketProtocol | OrderProtocol, quiet: Quiet, ends_s: float
) -> Reply | None:
    """The answer to the client's next frame; None once the client has gone.

    ends_s: when a client that has not authenticated is no longer waited for, by the loop's clock.
    """
    left_s = None
    if talk.key is None:
        left_s = max(0.0, ends_s - asyncio.get_running_loop().time())
    try:
        event = await asyncio.wait_for(websocket.receive(), left_s)
    except TimeoutError:
        return talk.time_out()
    except (WebSocketDisconnect, RuntimeError):
        return None
    if event["type"] == "websocket.disconnect":
        return None
    quiet.stir()
    frame = event.get("bytes")
    return talk.receive(event.get("text") or "" if frame is None else frame)


async def _hang_up(websocket: WebSocket, outbox: Outbox) -> None:
    """Write what is queued, close, and wait until the client has gone as well."""
    outbox.close()
    try:
        while (await websocket.receive())["type"] != "websocket.disconnect":
            continue
    except (WebSocketDisconnect, RuntimeError):
        return
