"""Who listens where on this machine: what `ss -ltnp` shows, read from /proc."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterable
from pathlib import Path

_LISTEN = "0A"


def addresses_of(processes: Iterable[int]) -> set[tuple[str, int]]:
    """(address, port) of every TCP socket on which one of the processes listens."""
    inodes = {inode for process in processes for inode in _sockets_of(process)}
    found = set()
    for family, table in ((socket.AF_INET, "tcp"), (socket.AF_INET6, "tcp6")):
        for line in Path("/proc/net", table).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == _LISTEN and fields[9] in inodes:
                address, _, port = fields[1].partition(":")
                found.add((_address(family, address), int(port, 16)))
    return found


def _sockets_of(process: int) -> set[str]:
    found = set()
    for handle in Path(f"/proc/{process}/fd").iterdir():
        try:
            target = str(handle.readlink())
        except OSError:
            continue  # closed meanwhile
        if target.startswith("socket:["):
            found.add(target.removeprefix("socket:[").removesuffix("]"))
    return found


def _address(family: socket.AddressFamily, text: str) -> str:
    """The kernel shows an address as 32-bit words in the machine's own order."""
    words = [int(text[i : i + 8], 16) for i in range(0, len(text), 8)]
    return socket.inet_ntop(family, b"".join(struct.pack("=I", word) for word in words))
