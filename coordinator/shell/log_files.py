"""Log lines as JSON in rotating files, one of the coordinator and one of each strategy.

Loggers put lines into a bounded queue, and a thread of its own writes them: a slow or full disk
costs lines, which are counted, but delays no decision. At most MOST_OPEN strategies' files are open
at a time.
"""

from __future__ import annotations

import json
import logging
import os
import queue
import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from io import TextIOWrapper
from logging.handlers import QueueHandler, RotatingFileHandler
from pathlib import Path
from typing import TypedDict

from coordinator.core.values import NAME_PATTERN, UNASSIGNED
from coordinator.shell.folders import private_folder

FOLDER, OF_STRATEGIES = "logs", "strategies"
MOST_BYTES, MOST_FILES = 5_000_000, 5
"""The coordinator's files: the size at which one is rotated, and how many are kept."""
STRATEGY_BYTES, STRATEGY_FILES = 500_000, 2
MOST_OPEN = 8
"""Strategies' files that are open at a time."""
MOST_WAITING, LONGEST = 10_000, 8_192
"""Lines in the queue, and characters of each that are written."""
PATIENCE_S = 3.0
"""Local seconds at the end in which the queued lines must be written."""
_STRATEGY_PREFIX = re.compile(r"\[([^\]]+)\] ")


class About(TypedDict, total=False):
    """What a log line is about, passed to logging as its `extra`."""

    strategy: str
    ticker: str
    order_id: str
    session: str


class LogFiles(QueueHandler):
    """A logging handler that queues lines, and writes them once the account is known.

    A line belongs to the strategy that its `About` names, else to the one of `strategies` that its
    prefix names. So strategies that joined by a reload have a file too.
    """

    def __init__(self, home: Path, coordinator: str, strategies: Collection[str]) -> None:
        self._lines: queue.Queue[logging.LogRecord | None] = queue.Queue(MOST_WAITING)
        super().__init__(self._lines)
        self._home, self._coordinator = home, coordinator
        self._strategies = frozenset(strategies)
        self._thread: threading.Thread | None = None
        self.lost = 0
        """Lines dropped because the queue was full."""

    def enqueue(self, record: logging.LogRecord) -> None:
        """Queue a line, or count it as lost if the queue is full."""
        try:
            self._lines.put_nowait(record)
        except queue.Full:
            self.lost += 1

    def begin(self, account: str) -> None:
        """Start writing into the account's folder, the lines queued so far first."""
        if self._thread is not None:
            return
        files = _Files(self._home / account / FOLDER, account, self._coordinator, self._strategies)
        self._thread = threading.Thread(target=self._write, args=(files,), daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Write the queued lines, within PATIENCE_S, and stop."""
        if self._thread is not None:
            try:
                self._lines.put(None, timeout=PATIENCE_S)
                self._thread.join(PATIENCE_S)
            except queue.Full:
                return  # the disk does not answer: the thread ends with the process

    def _write(self, files: _Files) -> None:
        reported = 0
        while (record := self._lines.get()) is not None:
            files.write(record)
            if self._lines.empty():
                reported = self._report_lost(files, reported)
        self._report_lost(files, reported)
        files.close()

    def _report_lost(self, files: _Files, reported: int) -> int:
        """Write how many more lines than `reported` were lost; returns how many now are."""
        lost = self.lost
        if lost != reported:
            text = f"{lost - reported} log lines found no room and are not in these files"
            files.write(logging.makeLogRecord({"msg": text, "levelname": "WARNING"}))
        return lost


class _Files:
    """The files themselves, used on the writing thread alone."""

    def __init__(
        self, folder: Path, account: str, coordinator: str, strategies: Collection[str]
    ) -> None:
        self._folder, self._strategies = folder, strategies
        self._form = _Json(account, coordinator, strategies)
        self._has_failed = False
        self._main = self._rotating(folder / f"{coordinator}.jsonl", MOST_BYTES, MOST_FILES)
        self._open: OrderedDict[str, RotatingFileHandler] = OrderedDict()

    def write(self, record: logging.LogRecord) -> None:
        """One line into the coordinator's file, and into its strategy's."""
        if not record.getMessage().strip("= \n"):
            return  # a rule, or blank
        self._main.emit(record)
        name = strategy_of(record, self._strategies)
        if name:
            self._strategy_file(name).emit(record)

    def close(self) -> None:
        """Close all files."""
        for handler in (self._main, *self._open.values()):
            handler.close()

    def _strategy_file(self, name: str) -> RotatingFileHandler:
        if name not in self._open:
            if len(self._open) >= MOST_OPEN:
                self._open.popitem(last=False)[1].close()
            path = self._folder / OF_STRATEGIES / f"{name}.jsonl"
            self._open[name] = self._rotating(path, STRATEGY_BYTES, STRATEGY_FILES)
        self._open.move_to_end(name)
        return self._open[name]

    def _rotating(self, path: Path, most_bytes: int, files: int) -> RotatingFileHandler:
        handler = _Rotating(path, most_bytes, files, self._complain)
        handler.setFormatter(self._form)
        return handler

    def _complain(self, path: str) -> None:
        """Warn that files fail, once, because the warning itself is a line for them."""
        if not self._has_failed:
            self._has_failed = True
            text = "log files cannot be written (%s): what is said is on the terminal alone"
            logging.getLogger("coordinator").warning(text, path)


class _Rotating(RotatingFileHandler):
    """A rotating file that only its user may read, whatever the umask."""

    def __init__(
        self, path: Path, most_bytes: int, files: int, complain: Callable[[str], None]
    ) -> None:
        super().__init__(
            path, maxBytes=most_bytes, backupCount=files - 1, encoding="utf-8", delay=True
        )
        self._complain = complain

    def _open(self) -> TextIOWrapper:
        private_folder(Path(self.baseFilename).parent)
        return open(self.baseFilename, "a", encoding="utf-8", opener=_open_private)

    def handleError(self, record: logging.LogRecord) -> None:
        """Drop this line, and warn."""
        self._complain(self.baseFilename)

    def close(self) -> None:
        """Close the file, without the lines that a full disk did not take."""
        try:
            super().close()
        except OSError:
            self._complain(self.baseFilename)


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


class _Json(logging.Formatter):
    """Formats a line as one JSON object, with the session that the last line named."""

    def __init__(self, account: str, coordinator: str, strategies: Collection[str]) -> None:
        super().__init__()
        self._account, self._coordinator = account, coordinator
        self._strategies = strategies
        self._session = ""

    def format(self, record: logging.LogRecord) -> str:
        """The line as JSON, without its empty fields."""
        self._session = getattr(record, "session", "") or self._session
        line = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "message": record.getMessage()[:LONGEST].strip(),
            "account": self._account,
            "coordinator": self._coordinator,
            "session": self._session,
            "strategy": strategy_of(record, self._strategies),
            "ticker": getattr(record, "ticker", ""),
            "order_id": getattr(record, "order_id", ""),
            "logger": record.name,
        }
        return json.dumps({k: v for k, v in line.items() if v}, ensure_ascii=False)


def strategy_of(record: logging.LogRecord, strategies: Collection[str]) -> str:
    """The strategy that a line is about: by its `About`, else by its prefix if in `strategies`."""
    if named := str(getattr(record, "strategy", "")):
        return named if named != UNASSIGNED and NAME_PATTERN.fullmatch(named) else ""
    found = _STRATEGY_PREFIX.match(record.getMessage().lstrip() + " ")
    return found[1] if found and found[1] in strategies else ""


@contextmanager
def log_files(home: Path, coordinator: str, strategies: Collection[str]) -> Iterator[LogFiles]:
    """Write our loggers' lines while the context lasts, once `begin` has named the account."""
    files, log = LogFiles(home, coordinator, strategies), logging.getLogger("coordinator")
    log.addHandler(files)
    try:
        yield files
    finally:
        log.removeHandler(files)
        files.end()
