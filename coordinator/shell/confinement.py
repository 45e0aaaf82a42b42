"""What a process of a user's strategy is cut off from: open files, keys, signals, endless memory.

It confines faults, not malice: code of the same user can find other ways to look.
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
"""Beginnings of the variables that are the coordinator's own affair, its keys among them."""
MEMORY_BACKSTOP_BYTES = 4 * 2**30
"""What a process may ask for beyond its size at the start, should nobody measure it in time."""

_PR_SET_PDEATHSIG = 1
_ENV_START, _ENV_END = -3, -2  # of the words of /proc/self/stat


def confine(keep: Collection[int], parent: int) -> None:
    """Cut this freshly forked process off from all that it inherited but the files in `keep`.

    It ends with `parent`, the process that forked it, however that ends.
    """
    _end_with(parent)
    signal.set_wakeup_fd(-1)  # else a signal to us would be heard by the coordinator's loop
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # the coordinator hears these, and ends us
    _let_go_of_files(keep)
    _forget_private_variables()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def limit_memory() -> None:
    """Let a request for far too much memory fail here, and let the system's choice fall on us."""
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
    """Be killed when the thread that forked us ends; elsewhere than on Linux, its pipe tells us."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)  # it ended before we asked to be told


def _let_go_of_files(keep: Collection[int]) -> None:
    """Put /dev/null in the place of every open file, standard streams included.

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
    """Overwrite them where the process got them, which is what /proc/PID/environ shows."""
    words = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    start, end = int(words[_ENV_START]), int(words[_ENV_END])
    private = tuple(beginning.encode() for beginning in PRIVATE)
    for entry in ctypes.string_at(start, end - start).split(b"\0"):
        if entry.startswith(private):
            ctypes.memset(start, 0, len(entry))
        start += len(entry) + 1
