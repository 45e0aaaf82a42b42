"""Finds the process that listens on one of this machine's ports."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from flows.server.children import StartFailed, command_of
from flows.server.places import free_port

_LISTENS = "0A"
"""The kernel's code for a listening socket."""
_SHOWN = 80


class PortTaken(StartFailed):
    """Another process listens on the server's port; the message names it in one line."""


def listener(port: int, *, but_for: int | None = None) -> str | None:
    """The process that listens on a loopback port; None if none does, or only group `but_for`.

    If the system does not tell, as without /proc, the listener counts as that group's.
    """
    if free_port(port) == port:
        return None
    sockets = {f"socket:[{inode}]" for inode in _listening(port)}
    if not sockets:
        return "another process" if but_for is None else None
    for folder in Path("/proc").glob("[0-9]*/fd"):
        with suppress(OSError):  # it ended meanwhile, or is another user's
            if any(str(file.readlink()) in sockets for file in folder.iterdir()):
                pid = int(folder.parent.name)
                ours = os.getpgid(pid) == but_for
                return None if ours else f"process {pid} ({command_of(pid).strip()[:_SHOWN]})"
    return "another user's process"


def _listening(port: int) -> set[str]:
    """The inodes of the sockets that listen on a port."""
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with suppress(OSError):  # a machine without IPv6
            for line in Path(table).read_text().splitlines()[1:]:
                _, local, _, state, *more = line.split()
                if state == _LISTENS and int(local.rpartition(":")[2], 16) == port:
                    found.add(more[5])
    return found
