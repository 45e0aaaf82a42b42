"""Asking a session that trades, over its control socket; blocking, in bounded time."""

from __future__ import annotations

import socket
import struct
import time

from pydantic import ValidationError

from coordinator.errors import MultiTraderError
from coordinator.shell.control_protocol import MOST_SAID, Address, Reply, Request, line

PATIENCE_S = 15.0
"""Local seconds: longer than a session takes to say that it is busy."""


class NoAnswer(MultiTraderError):
    """A session was asked and did not say what became of it."""


def ask(address: Address, request: Request, *, patience_s: float = PATIENCE_S) -> Reply | None:
    """The session's answer; None if none listens there any more.

    Raises:
        NoAnswer: it was asked, and may have done it; its answer did not come or made no sense.
    """
    until_s = time.monotonic() + patience_s
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as door:
        try:
            _connect(door, address, patience_s)
            door.sendall(line(request))
            return Reply.model_validate_json(_read_line(door, until_s))
        except (FileNotFoundError, ConnectionRefusedError):
            return None
        except (OSError, ValidationError) as error:
            raise NoAnswer(
                f"{address.coordinator} was asked to {request.do}, but gave no answer"
                f" ({type(error).__name__}). Look at `multi-trader status` before you ask again."
            ) from error


def _connect(door: socket.socket, address: Address, patience_s: float) -> None:
    """Stand in line for a busy session: with a time-out of Python's the kernel would not queue."""
    door.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _timeval(patience_s))
    door.connect(str(address.socket))


def _timeval(seconds: float) -> bytes:
    whole = int(seconds)
    return struct.pack("ll", whole, int((seconds - whole) * 1_000_000))


def _read_line(door: socket.socket, until_s: float) -> bytes:
    found = b""
    while not found.endswith(b"\n") and len(found) <= MOST_SAID:
        door.settimeout(max(until_s - time.monotonic(), 0.001))
        part = door.recv(65536)
        if not part:
            break
        found += part
    return found
