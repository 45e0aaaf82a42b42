"""Measures the memory and the processor time that another process uses."""

from __future__ import annotations

import os
import resource


class ProcessMeter:
    """Reads what a process uses from Linux's /proc; elsewhere everything is 0."""

    def __init__(self, pid: int) -> None:
        self._page_bytes = resource.getpagesize()
        self._memory = _opened(f"/proc/{pid}/statm")
        self._schedule = _opened(f"/proc/{pid}/schedstat")
        self._state = _opened(f"/proc/{pid}/stat")

    def size_bytes(self) -> int:
        """Memory of its own that is in use; pages shared with files are not counted."""
        words = _words(self._memory)
        return (int(words[1]) - int(words[2])) * self._page_bytes if len(words) > 2 else 0

    def used_s(self) -> float:
        """Processor seconds that it has used."""
        words = _words(self._schedule)
        return int(words[0]) / 1e9 if words else 0.0

    def is_runnable(self) -> bool:
        """Whether it runs, or waits for a processor."""
        return b") R " in b" ".join(_words(self._state))

    def close(self) -> None:
        """Close the files of /proc."""
        for file in (self._memory, self._schedule, self._state):
            if file is not None:
                os.close(file)


def _opened(path: str) -> int | None:
    try:
        return os.open(path, os.O_RDONLY)
    except OSError:
        return None


def _words(file: int | None) -> list[bytes]:
    try:
        return os.pread(file, 256, 0).split() if file is not None else []
    except OSError:  # the process has just ended
        return []
