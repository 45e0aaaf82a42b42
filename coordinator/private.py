"""What a process owes the keys that it holds: files for its user alone, and no core dump."""

from __future__ import annotations

import os
import resource


def keep_private() -> None:
    """From here on files are made with mode 600 and folders with 700, and nothing is dumped.

    Processes that are started afterwards inherit both.
    """
    os.umask(0o077)
    leave_no_core()


def leave_no_core() -> None:
    """A crash of this process writes no core file, in which its memory and the keys would stand."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
