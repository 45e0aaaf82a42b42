"""The TCP connections underneath, so that a fault can end one where no protocol would.

Rule: bytes that are written here bypass the protocol, and the connection ends after them.
"""

import asyncio
from collections.abc import Mapping
from typing import Any
from weakref import WeakValueDictionary

from uvicorn.protocols.http.h11_impl import H11Protocol

_FIN = 0x80
_TEXT, _BINARY = 1, 2


class Wires:
    """Connections by their client's address, which ASGI scopes name."""

    def __init__(self) -> None:
        self._held: WeakValueDictionary[tuple[str, int], asyncio.Transport] = WeakValueDictionary()

    def protocol(self) -> type[asyncio.Protocol]:
        """uvicorn's HTTP protocol, whose connections are found here (websockets keep theirs)."""
        held = self._held

        class Found(H11Protocol):
            def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
                held[transport.get_extra_info("peername")[:2]] = transport
                super().connection_made(transport)

        return Found

    def of(self, scope: Mapping[str, Any]) -> asyncio.Transport | None:
        """The connection of a request or websocket; None when it came over no socket."""
        client = scope.get("client")
        return self._held.get((client[0], client[1])) if client else None


def part_of_frame(frame: bytes | str, keep_bytes: int | None) -> bytes:
    """The first bytes of a server's websocket frame (None: half of them), never all."""
    payload = frame.encode() if isinstance(frame, str) else frame
    size = len(payload)
    if size < 126:
        length = bytes([size])
    elif size < 1 << 16:
        length = bytes([126, *size.to_bytes(2, "big")])
    else:
        length = bytes([127, *size.to_bytes(8, "big")])
    whole = bytes([_FIN | (_TEXT if isinstance(frame, str) else _BINARY)]) + length + payload
    wanted = len(whole) // 2 if keep_bytes is None else keep_bytes
    return whole[: min(wanted, len(whole) - 1)]
