"""Client of a running session's control socket; blocking, in bounded time."""

from __future__ import annotations

import socket
import struct
import time
from pathlib import Path

from pydantic import ValidationError

from coordinator.errors import MultiTraderError
from coordinator.shell.control_protocol import (
    MOST_REPLY_BYTES,
    Address,
    Reply,
    Request,
    addresses,
    line,
)

PATIENCE_S = 15.0
"""Local seconds; longer than a busy session takes to say so."""


class NoAnswer(MultiTraderError):
    """A session got a request and gave no usable answer."""


def ask(address: Address, request: Request, *, patience_s: float = PATIENCE_S) -> Reply | None:
    """The session's answer; None if no session listens there any more.

    Raises:
        NoAnswer: the request may have been carried out; no answer came, or none that makes sense.
    """
    until_s = time.monotonic() + patience_s
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        try:
            _connect(connection, address, patience_s)
            connection.sendall(line(request))
            return Reply.model_validate_json(_read_line(connection, until_s))
        except (FileNotFoundError, ConnectionRefusedError):
            return None
        except (OSError, ValidationError) as error:
            raise NoAnswer(
                f"{address.coordinator} was asked to {request.do}, but gave no answer"
                f" ({type(error).__name__}). Look at `multi-trader status` before you ask again."
            ) from error


def ask_coordinator(
    account: Path, coordinator: str, request: Request, *, patience_s: float = PATIENCE_S
) -> Reply | None:
    """The answer of the coordinator of this name; None if it does not trade this account now.

    `account` is the account's state folder.

    Raises:
        NoAnswer: as `ask` does.
    """
    for address in addresses(account):
        if address.coordinator == coordinator:
            return ask(address, request, patience_s=patience_s)
    return None


def _connect(connection: socket.socket, address: Address, patience_s: float) -> None:
    """Connect, and queue if the session is busy: under Python's own time-out the kernel refuses."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _timeval(patience_s))
    connection.connect(str(address.socket))


def _timeval(seconds: float) -> bytes:
    whole = int(seconds)
    return struct.pack("ll", whole, int((seconds - whole) * 1_000_000))


def _read_line(connection: socket.socket, until_s: float) -> bytes:
    found = b""
    while not found.endswith(b"\n") and len(found) <= MOST_REPLY_BYTES:
        connection.settimeout(max(until_s - time.monotonic(), 0.001))
        part = connection.recv(65536)
        if not part:
            break
        found += part
    return found
