"""A broker's websocket in the wrong hands, and a client of it that says what that cost.

Each attack has a port of its own. Its first connection on a path is attacked and then given one
good message; every later connection is given the good message alone. So a client that lives hears
it in any case, and the server knows whether it had to come back for it.
"""

from __future__ import annotations

import asyncio
import json
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgpack
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.frames import CloseCode

from coordinator.settings import simulator_settings
from coordinator.shell.stream_watch import StreamWatch
from coordinator.shell.streams import Stream, market_stream, order_stream, quiet_sdk
from tests.corpus.venue import ORDERS, greet, welcome

MIB = 2**20
DEPTH = 100_000
BARS = "/v2/iex"
PATIENCE_S = 30.0
BAR = {"T": "b", "S": "SPY", "o": 1, "h": 1, "l": 1, "c": 1, "v": 1, "n": 1, "vw": 1}
GOOD_BAR = msgpack.packb([{**BAR, "t": msgpack.Timestamp(1_773_754_200)}])
GOOD_UPDATE = json.dumps({"stream": "trade_updates", "data": {"event": "new"}}).encode()
Attack = Callable[[ServerConnection], Any]


def frame(data: bytes) -> Attack:
    """One frame of these bytes."""
    return lambda socket: socket.send(data)


def fragments(data: bytes, size: int) -> Attack:
    """The bytes as one message of many fragments."""
    return lambda socket: socket.send([data[i : i + size] for i in range(0, len(data), size)])


async def promise(socket: ServerConnection) -> None:
    """The head of a frame of 2**62 bytes, and nothing of it."""
    socket.transport.write(b"\x82\x7f" + (2**62).to_bytes(8, "big"))


def flood(data: bytes, times: int) -> Attack:
    """The same frame again and again."""

    async def play(socket: ServerConnection) -> None:
        for _ in range(times):
            await socket.send(data)

    return play


ENDED: dict[str, Attack] = {
    "a frame of 2 MiB": frame(msgpack.packb("x" * 2 * MIB)),
    "a message of 8 MiB in small fragments": fragments(msgpack.packb("x" * 8 * MIB), 65_536),
    "a frame that promises 2**62 bytes": promise,
    "64 MiB of zeros, deflated": frame(bytes(64 * MIB)),
    "JSON objects in objects": frame(b'{"T":' * DEPTH + b"1" + b"}" * DEPTH),
}
"""Too large: the connection is given up before it is read."""
DROPPED: dict[str, Attack] = {
    "arrays in arrays": frame(b"\x91" * DEPTH + b"\xc0"),
    "maps in maps": frame(b"\x81\xc0" * DEPTH + b"\xc0"),
    "JSON lists in lists": frame(b"[" * DEPTH + b"]" * DEPTH),
    "an array that says it has 2**32 members": frame(b"\xdd\xff\xff\xff\xff"),
    "a map that says it has 2**32 members": frame(b"\xdf\xff\xff\xff\xff"),
    "a text that says it has 2**32 bytes": frame(b"\xdb\xff\xff\xff\xff"),
    "bytes that say they are 2**32": frame(b"\xc6\xff\xff\xff\xff"),
    "an extension that says it has 2**32 bytes": frame(b"\xc9\xff\xff\xff\xff\x05"),
    "250,000 empty maps": frame(b"\xdd" + (250_000).to_bytes(4, "big") + b"\x80" * 250_000),
    "300 frames of 250 kB": flood(msgpack.packb(["x" * 250_000]), 300),
}
"""Nonsense of a size that may be: it is dropped, and the connection lives."""
ATTACKS = ENDED | DROPPED


@dataclass
class Hostile:
    """The running servers: a port for each attack, and the codes by which clients left."""

    ports: dict[str, int] = field(default_factory=dict)
    given_up: dict[str, set[str]] = field(default_factory=dict)
    """attack -> paths on which the client ended the connection as too large (code 1009)."""

    def handler(self, attack: str) -> Callable[[ServerConnection], Any]:
        """What a client of one attack's port meets."""
        attacked: set[str] = set()

        async def meet(socket: ServerConnection) -> None:
            assert socket.request is not None
            path = socket.request.path
            with suppress(ConnectionClosed):
                await greet(socket, path)
                await welcome(socket, path, ["SPY"])
                if path not in attacked:
                    attacked.add(path)
                    await ATTACKS[attack](socket)
                await socket.send(GOOD_UPDATE if path == ORDERS else GOOD_BAR)
                await socket.wait_closed()
            if socket.close_code == CloseCode.MESSAGE_TOO_BIG:
                self.given_up.setdefault(attack, set()).add(path)

        return meet


@contextmanager
def hostile_servers() -> Iterator[Hostile]:
    """A server for each attack, on loopback ports, in a thread of its own."""
    hostile, loop = Hostile(), asyncio.new_event_loop()

    async def up() -> list[Server]:
        servers = []
        for attack in ATTACKS:
            server = await serve(hostile.handler(attack), "127.0.0.1", 0, max_size=None)
            hostile.ports[attack] = next(iter(server.sockets)).getsockname()[1]
            servers.append(server)
        return servers

    async def down(servers: list[Server]) -> None:
        for server in servers:
            server.close()
        for server in servers:
            await server.wait_closed()

    servers = loop.run_until_complete(up())
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield hostile
    finally:
        asyncio.run_coroutine_threadsafe(down(servers), loop).result(PATIENCE_S)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def meet_all(ports: dict[str, int]) -> dict[str, float]:
    """Both streams meet every attack in turn; the MB by which each raised our peak of memory."""
    with quiet_sdk():
        asyncio.run(_hear_good(ports["arrays in arrays"]))  # whatever comes first costs more
        grown = {}
        for attack, port in ports.items():
            before_mb = _status_mb("VmRSS")
            Path("/proc/self/clear_refs").write_text("5")  # the peak starts again from here
            asyncio.run(_hear_good(port))
            grown[attack] = _status_mb("VmHWM") - before_mb
        return grown


async def _hear_good(port: int) -> None:
    """Both streams, until each has heard its good message."""
    known = simulator_settings(f"http://127.0.0.1:{port}", Path())
    heard: list[asyncio.Future[Any]] = [asyncio.get_running_loop().create_future() for _ in "ab"]

    def hear(number: int) -> Callable[[Any], None]:
        return lambda raw: None if heard[number].done() else heard[number].set_result(raw)

    watches = [StreamWatch(name, lambda: None) for name in ("bars", "orders")]
    streams: list[Stream] = [
        market_stream(known, "iex", ["SPY"], hear(0), watches[0]),
        order_stream(known, hear(1), watches[1]),
    ]
    for stream in streams:
        stream._sdk._reconnect_min_backoff = stream._sdk._reconnect_max_backoff = 0.01
        stream.start(lambda name: None)
    await asyncio.wait_for(asyncio.gather(*heard), PATIENCE_S)
    for stream in streams:
        await stream.stop()


def _status_mb(name: str) -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) / 1024
    raise AssertionError(f"no {name} in /proc/self/status")


if __name__ == "__main__":
    print(json.dumps(meet_all(json.loads(sys.argv[1]))))
