"""Whose turn it is to open the warehouse's file, among processes of ours.

DuckDB knows no queue: while readers come and go, their times overlap, and a writer that tries now
and then never finds the file free. So whoever waits to write holds a lock on the file's folder,
which whoever comes to read waits for; nobody who has the file open is disturbed.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self


class Turn:
    """One process's wish to open the file; a context manager. `came()` says whether it may try."""

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
        """Whether nobody goes first; a writer's turn lasts until it ends, a reader's one try."""
        if self._handle is None:
            return True
        try:
            fcntl.flock(self._handle, self._how | fcntl.LOCK_NB)
        except OSError:
            return False
        return True

    def missed(self) -> None:
        """The file was not free: a reader lets others try."""
        if self._handle is not None and self._how == fcntl.LOCK_SH:
            fcntl.flock(self._handle, fcntl.LOCK_UN)
