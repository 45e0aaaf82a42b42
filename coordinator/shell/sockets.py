"""The options of all our websockets, whoever is at the other end.

The size of a frame is bounded before it is read, the keys go to the configured address and follow
no redirect, and no frame is logged: websockets would print all at DEBUG, the keys' too.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from websockets.exceptions import SecurityError
from websockets.legacy.client import WebSocketClientProtocol
from websockets.legacy.exceptions import RedirectHandshake

if TYPE_CHECKING:
    Adapter = logging.LoggerAdapter[logging.Logger]
else:
    Adapter = logging.LoggerAdapter

LEAST_FRAME_BYTES = 256 * 1024
"""Room for any report of an order (2 kB), and for 1,500 bars; unpacked it costs at most 20 MB."""
FRAME_BYTES_PER_TICKER = 1024
"""A bar is 90 bytes in msgpack and 160 in JSON, and a frame may hold one of each ticker."""
FRAMES_WAITING = 32
"""The socket is not read while so many frames wait; handlers only enqueue, so not for long."""


class _NoFrames(Adapter):
    """A logger that drops DEBUG lines, whatever levels the program around us sets."""

    def isEnabledFor(self, level: int) -> bool:
        return level > logging.DEBUG and super().isEnabledFor(level)


class _NoRedirect(WebSocketClientProtocol):
    """A connection that refuses redirects."""

    async def handshake(self, *args: Any, **options: Any) -> None:
        try:
            await super().handshake(*args, **options)
        except RedirectHandshake as elsewhere:
            raise SecurityError(
                f"the broker's stream redirects to {elsewhere.uri}; the keys do not follow it"
            ) from None


def socket_options(tickers: int = 0) -> dict[str, Any]:
    """The options of a websocket for the bars of so many tickers, or for reports of orders."""
    return {
        "ping_interval": 10,
        "ping_timeout": 20,
        "close_timeout": 1,
        "max_queue": FRAMES_WAITING,
        "max_size": max(LEAST_FRAME_BYTES, tickers * FRAME_BYTES_PER_TICKER),
        "create_protocol": _NoRedirect,
        "logger": _NoFrames(logging.getLogger("websockets.client"), {}),
    }
