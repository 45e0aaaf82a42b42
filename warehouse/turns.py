"""The order in which our processes open the warehouse's file: a waiting writer goes first.

DuckDB has no queue: overlapping readers can keep the file busy for ever, and a writer that retries
now and then never finds it free. So a waiting writer holds a lock on the file's folder, for which
new readers wait; a process that has the file open is not disturbed.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self


class Turn:
    """A process's place in that order; a context manager. `came()` says whether it may try."""

    def __init__(self, folder: Path | None, *, to_write: bool) -> None:
        self._folder, self._how = folder, fcntl.LOCK_EX if to_write else fcntl.LOCK_SH
        self._handle: int | None = None

    def __enter__(self) -> Self:
        with suppress(OSError):  # a folder that cannot be opened has no file to wait for
            self._handle = os.open(self._folder, os.O_RDONLY) if self._folder else None
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._handle is not None:
            os.close(self._handle)

    def came(self) -> bool:
        """Whether no other goes first; a writer's turn lasts until exit, a reader's for one try."""
        if self._handle is None:
            return True
        try:
            fcntl.flock(self._handle, self._how | fcntl.LOCK_NB)
        except OSError:
            return False
        return True

    def missed(self) -> None:
        """Call when the file was not free: a reader lets others try."""
        if self._handle is not None and self._how == fcntl.LOCK_SH:
            fcntl.flock(self._handle, fcntl.LOCK_UN)
