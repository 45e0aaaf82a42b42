"""Cuts a user strategy's process off from open files, keys and signals, and bounds its memory.

This confines faults, not malice: code of the same user can find other ways to read them.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

PRIVATE = ("APCA_", "MULTI_TRADER_", "PREFECT_")
"""Prefixes of the environment variables that only the coordinator may see, such as its keys."""
MEMORY_BACKSTOP_BYTES = 4 * 2**30
"""What a process may allocate beyond its size at the start, should it not be measured in time."""

_PR_SET_PDEATHSIG = 1
_ENV_START, _ENV_END = -3, -2  # of the words of /proc/self/stat


def confine(keep: Collection[int], parent: int) -> None:
    """Cut this freshly forked process off from all that it inherited except the files in `keep`.

    It ends with `parent`, the process that forked it, however that ends.
    """
    _end_with(parent)
    signal.set_wakeup_fd(-1)  # else a signal to us would wake the coordinator's loop
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # the coordinator handles these, and ends us
    _detach_files(keep)
    _forget_private_variables()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def limit_memory() -> None:
    """Make excessive allocations fail, and make this process the OOM killer's first choice."""
    if sys.platform != "linux":
        return
    pages = int(Path("/proc/self/statm").read_text().split()[5])
    most = pages * resource.getpagesize() + MEMORY_BACKSTOP_BYTES
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if hard == resource.RLIM_INFINITY or most < hard:
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")


def _end_with(parent: int) -> None:
    """Be killed when the thread that forked us ends; off Linux, the closed pipe ends us instead."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)  # the parent ended before prctl took effect


def _detach_files(keep: Collection[int]) -> None:
    """Point every open file descriptor at /dev/null, standard streams included.

    The numbers stay taken: an inherited object that closes "its" file later closes none of ours.
    """
    null = os.open(os.devnull, os.O_RDWR)
    for number in [int(name) for name in os.listdir("/dev/fd")]:
        if number not in keep and number != null:
            os.dup2(null, number, inheritable=number <= 2)


def _forget_private_variables() -> None:
    for name in [name for name in os.environ if name.startswith(PRIVATE)]:
        del os.environ[name]
    if sys.platform == "linux":
        _erase_initial_variables()


def _erase_initial_variables() -> None:
    """Overwrite them in the process's initial environment, which /proc/PID/environ shows."""
    words = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    start, end = int(words[_ENV_START]), int(words[_ENV_END])
    private = tuple(beginning.encode() for beginning in PRIVATE)
    for entry in ctypes.string_at(start, end - start).split(b"\0"):
        if entry.startswith(private):
            ctypes.memset(start, 0, len(entry))
        start += len(entry) + 1
