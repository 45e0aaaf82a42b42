"""A broker's websockets that say what they are told to, for the streams of production to hear."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import msgpack
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from coordinator.settings import Settings, simulator_settings
from tests.corpus.frames import TICKERS, Frame

ORDERS = "/stream"


@dataclass
class Venue:
    """Plays `frames` to whoever has logged in and asked; each of `logins` first spoils one login.

    `connections` holds the path of each, in order.
    """

    frames: Sequence[Frame]
    logins: Sequence[Frame] = ()
    connections: list[str] = field(default_factory=list)
    port: int = 0

    @property
    def settings(self) -> Settings:
        """What leads a coordinator here."""
        return simulator_settings(f"http://127.0.0.1:{self.port}", Path())

    async def meet(self, socket: ServerConnection) -> None:
        """One client, from its first message to its last."""
        assert socket.request is not None
        path = socket.request.path
        number = len(self.connections)
        self.connections.append(path)
        with suppress(ConnectionClosed):
            await greet(socket, path)
            if number < len(self.logins):
                await socket.send(self.logins[number])
            else:
                await welcome(socket, path)
                for frame in self.frames:
                    await socket.send(frame)
            await socket.wait_closed()


@asynccontextmanager
async def venue(frames: Sequence[Frame], logins: Sequence[Frame] = ()) -> AsyncIterator[Venue]:
    """A venue on a loopback port."""
    it = Venue(frames, logins)
    async with serve(it.meet, "127.0.0.1", 0) as server:
        it.port = next(iter(server.sockets)).getsockname()[1]
        yield it


async def greet(socket: ServerConnection, path: str) -> None:
    """The conversation up to the client's login."""
    if path != ORDERS:
        await socket.send(msgpack.packb([{"T": "success", "msg": "connected"}]))
    await socket.recv()


async def welcome(socket: ServerConnection, path: str, bars: Sequence[str] = TICKERS) -> None:
    """The login is accepted, and the subscription confirmed."""
    if path == ORDERS:
        answer = {"stream": "authorization", "data": {"status": "authorized", "action": "auth"}}
        await socket.send(json.dumps(answer).encode())
        await socket.recv()
        await socket.send(b'{"stream":"listening","data":{"streams":["trade_updates"]}}')
    else:
        await socket.send(msgpack.packb([{"T": "success", "msg": "authenticated"}]))
        await socket.recv()
        await socket.send(msgpack.packb([{"T": "subscription", "bars": list(bars)}]))
