"""The websockets themselves: reading, writing, and who is connected.

Rule: what to answer is decided in `protocols`; here are only the loop of each connection and the
fan-out of bars and updates to those who asked.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Protocol

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
from simulator.wire import Codec, Message, bar_message, error, order_frame, success
from simulator.wires import Wires

_KEY_HEADER, _SECRET_HEADER = "apca-api-key-id", "apca-api-secret-key"


class _Talk(Protocol):
    key: str | None

    def receive(self, frame: bytes | str) -> Reply:
        """Answer one frame."""


class MarketHub:
    """All market-data connections."""

    def __init__(
        self, options: SimulatorOptions, access: Access, slots: Slots, wires: Wires
    ) -> None:
        self._options = options
        self._access = access
        self._slots = slots
        self._wires = wires
        self._connections: dict[MarketProtocol, tuple[Outbox, Codec]] = {}

    @property
    def waiting(self) -> int:
        """Frames not yet written to their clients."""
        return sum(outbox.waiting for outbox, _ in self._connections.values())

    @property
    def connections(self) -> Mapping[MarketProtocol, tuple[Outbox, Codec]]:
        """Every connection with its outbox and codec."""
        return self._connections

    def has_listeners(self) -> bool:
        """Whether any connection is subscribed to bars, of minutes or days."""
        return any(
            talk.subscribed.get("bars") or talk.subscribed.get("dailyBars")
            for talk in self._connections
        )

    def bar_symbols(self, channel: str, universe: Sequence[str]) -> set[str]:
        """Every symbol that somebody wants on the channel; '*' stands for the universe."""
        wanted: set[str] = set()
        for talk in self._connections:
            wanted |= talk.wants(channel, universe)
        return wanted

    def stream(
        self, bars: Mapping[str, Bar], universe: Sequence[str], channel: str = "bars"
    ) -> int:
        """Send each connection the bars it wants, by symbol; returns how many bars went out."""
        kind = {"bars": "b", "updatedBars": "u", "dailyBars": "d"}[channel]
        sent = 0
        for talk, (outbox, codec) in list(self._connections.items()):
            wanted = sorted(talk.wants(channel, universe) & bars.keys())
            messages = [bar_message(bars[symbol], kind) for symbol in wanted]
            size = self._options.bars_per_frame or max(1, len(messages))
            for first in range(0, len(messages), size):
                if not outbox.put(codec.encode(messages[first : first + size])):
                    self._drop_slow(talk)
                    break
            sent += len(messages)
        return sent

    def tell(self, channel: str, message: Message) -> None:
        """Send a message to each connection that wants its symbol on that channel."""
        for talk, (outbox, codec) in self._connections.items():
            if message["S"] in talk.wants(channel, [message["S"]]):
                outbox.put(codec.encode([message]))

    def on(self, path: str | None) -> list[tuple[Outbox, Codec]]:
        """The connections of a path (None: all)."""
        return [
            held for talk, held in self._connections.items() if path in (None, talk.endpoint.path)
        ]

    def mute(self, path: str | None, *, muted: bool) -> None:
        """Lose every frame to the connections of a path (None: all), or stop losing them."""
        for outbox, _ in self.on(path):
            outbox.is_muted = muted

    async def serve(self, websocket: WebSocket, endpoint: Endpoint, quiet: Quiet) -> None:
        """One connection from handshake to end."""
        await websocket.accept()
        talk = MarketProtocol(endpoint, self._access, self._slots)
        codec = Codec.for_content_type(websocket.headers.get("content-type", ""))
        wire = self._wires.of(websocket.scope)
        outbox = Outbox(websocket, self._options.frames_waiting, wire)
        outbox.put(codec.encode([success("connected")]))
        self._connections[talk] = (outbox, codec)

        def answer(reply: Reply) -> None:
            for message in reply.messages:
                outbox.put(codec.encode([message]))

        with _writing(websocket, outbox, quiet):
            try:
                key = websocket.headers.get(_KEY_HEADER)
                if key is not None:
                    reply = talk.authenticate(key, websocket.headers.get(_SECRET_HEADER))
                    answer(reply)
                    if reply.close:
                        await _hang_up(websocket, outbox)
                        return
                late = Reply([error(404)], close=True)
                await _converse(
                    websocket, outbox, talk, answer, quiet, self._options.auth_deadline_s, late
                )
            finally:
                del self._connections[talk]
                talk.leave()

    def _drop_slow(self, talk: MarketProtocol) -> None:
        outbox, codec = self._connections[talk]
        outbox.abandon(codec.encode([error(407)]))


class OrderHub:
    """All `trade_updates` connections."""

    def __init__(
        self, options: SimulatorOptions, access: Access, slots: Slots, wires: Wires
    ) -> None:
        self._options = options
        self._access = access
        self._slots = slots
        self._wires = wires
        self._connections: dict[OrderProtocol, Outbox] = {}

    @property
    def waiting(self) -> int:
        """Frames not yet written to their clients."""
        return sum(outbox.waiting for outbox in self._connections.values())

    @property
    def connections(self) -> Mapping[OrderProtocol, Outbox]:
        """Every connection with its outbox."""
        return self._connections

    def publish(self, message: Message) -> None:
        """Send an update to whoever listens now; nobody else ever gets it."""
        frame = order_frame(message)
        for talk, outbox in self._connections.items():
            if talk.is_listening and not outbox.put(frame):
                outbox.abandon(None)

    def mute(self, *, muted: bool) -> None:
        """Lose every frame, or stop losing them."""
        for outbox in self._connections.values():
            outbox.is_muted = muted

    async def serve(self, websocket: WebSocket, quiet: Quiet) -> None:
        """One connection from handshake to end."""
        await websocket.accept()
        talk = OrderProtocol(self._access, self._slots, self._options.order_connections)
        wire = self._wires.of(websocket.scope)
        outbox = Outbox(websocket, self._options.frames_waiting, wire)
        self._connections[talk] = outbox

        def answer(reply: Reply) -> None:
            for message in reply.messages:
                outbox.put(order_frame(message))

        with _writing(websocket, outbox, quiet):
            try:
                deadline_s, late = self._options.auth_deadline_s, Reply(close=True)
                await _converse(websocket, outbox, talk, answer, quiet, deadline_s, late)
            finally:
                del self._connections[talk]
                talk.leave()


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


async def _converse(
    websocket: WebSocket,
    outbox: Outbox,
    talk: _Talk,
    answer: Callable[[Reply], None],
    quiet: Quiet,
    deadline_s: float,
    late: Reply,
) -> None:
    """Receive and answer until the client goes, is refused, or fails to authenticate in time."""
    clock = asyncio.get_running_loop().time
    ends_s = clock() + deadline_s
    while True:
        try:
            left_s = None if talk.key is not None else max(0.0, ends_s - clock())
            event = await asyncio.wait_for(websocket.receive(), left_s)
        except TimeoutError:
            reply = late
        except (WebSocketDisconnect, RuntimeError):
            return
        else:
            if event["type"] == "websocket.disconnect":
                return
            quiet.stir()
            frame = event.get("bytes")
            reply = talk.receive(event.get("text") or "" if frame is None else frame)
        answer(reply)
        if reply.close:
            await _hang_up(websocket, outbox)
            return


async def _hang_up(websocket: WebSocket, outbox: Outbox) -> None:
    """Write what is queued, close, and wait until the client has gone as well."""
    outbox.close()
    try:
        while (await websocket.receive())["type"] != "websocket.disconnect":
            continue
    except (WebSocketDisconnect, RuntimeError):
        return
