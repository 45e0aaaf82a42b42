"""Protects the API keys that a process holds: files for its user only, and no core dumps."""

from __future__ import annotations

import os
import resource


def keep_private() -> None:
    """Create files with mode 600 and folders with mode 700, and write no core dumps from now on.

    Child processes inherit both.
    """
    os.umask(0o077)
    leave_no_core()


def leave_no_core() -> None:
    """Disable core files, which would contain this process's memory and with it the keys."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
