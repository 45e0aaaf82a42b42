"""Nothing in a test's process reaches beyond this machine: whatever tries is refused and counted.

Python tells its audit hooks of every connection and look-up before it is made, whichever library
asks; the hook, once added, stays for the life of the process. Processes that a test starts are not
seen: they are given loopback addresses, and `coordinator.settings` accepts few others.
"""

from __future__ import annotations

import ipaddress
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

HERE = {"", "localhost", "ip6-localhost"}


class LeavesThisMachine(ConnectionRefusedError):
    """What somebody hears who would connect to, or look up, another machine."""


class Guard:
    """The attempts of this process to reach another machine, as 'what host'."""

    def __init__(self) -> None:
        self._attempts: list[str] = []
        self._is_up = False

    def start(self) -> None:
        """From here on every attempt is refused; harmless when called again."""
        if not self._is_up:
            self._is_up = True
            sys.addaudithook(self._hear)

    def take(self) -> list[str]:
        """The attempts since the last call."""
        taken, self._attempts = self._attempts, []
        return taken

    @contextmanager
    def provoked(self) -> Iterator[list[str]]:
        """Attempts made meanwhile are wanted: they end in the list, and count against nobody."""
        before, self._attempts, wanted = self._attempts, [], []
        try:
            yield wanted
        finally:
            wanted += self._attempts
            self._attempts = before

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not event.startswith("socket."):
            return
        match event:
            case "socket.connect" | "socket.sendto" | "socket.sendmsg":
                address = arguments[1]
                host = address[0] if isinstance(address, tuple) else None
            case "socket.getaddrinfo" | "socket.gethostbyname":
                host = arguments[0]
            case _:
                return
        if not is_here(host):
            self._attempts.append(f"{event} {host!r}")
            raise LeavesThisMachine(f"tests stay on this machine, and not at {host!r}")


def is_here(host: object) -> bool:
    """Whether a host is this machine; a path, of a socket in the file system, is."""
    if not isinstance(host, str | bytes):
        return host is None
    text = host.decode("ascii", "replace") if isinstance(host, bytes) else host
    try:
        return ipaddress.ip_address(text.partition("%")[0]).is_loopback
    except ValueError:
        return text.lower() in HERE


GUARD = Guard()
