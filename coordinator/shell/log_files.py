"""Log lines as JSON in rotating files, one of the coordinator and one of each strategy.

Whoever logs puts a line into a bounded queue and goes on; a thread of its own writes. A disk that
is slow or full costs lines, which are counted, and never a decision. Few files are open at a time,
however many strategies there are.
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
"""Of the coordinator: the size at which a file is put aside, and how many are kept."""
STRATEGY_BYTES, STRATEGY_FILES = 500_000, 2
MOST_OPEN = 8
"""Files of strategies that are open at a time."""
MOST_WAITING, LONGEST = 10_000, 8_192
"""Lines that wait to be written, and characters of each."""
PATIENCE_S = 3.0
"""Local seconds in which what waits at the end must be written."""
_OF = re.compile(r"\[([^\]]+)\] ")


class About(TypedDict, total=False):
    """What a log line is about, as its `extra`."""

    strategy: str
    ticker: str
    order_id: str
    session: str


class LogFiles(QueueHandler):
    """A handler of standard logging that writes nothing before its account is known.

    A line is of the strategy that its `About` names, or of that of `strategies` that its beginning
    names: so those that a reload has brought have a file too.
    """

    def __init__(self, home: Path, coordinator: str, strategies: Collection[str]) -> None:
        self._lines: queue.Queue[logging.LogRecord | None] = queue.Queue(MOST_WAITING)
        super().__init__(self._lines)
        self._home, self._coordinator = home, coordinator
        self._strategies = frozenset(strategies)
        self._thread: threading.Thread | None = None
        self.lost = 0
        """Lines that found no room."""

    def enqueue(self, record: logging.LogRecord) -> None:
        """Take a line if there is room for it."""
        try:
            self._lines.put_nowait(record)
        except queue.Full:
            self.lost += 1

    def begin(self, account: str) -> None:
        """Write from now on, into the account's folder; what has waited goes first."""
        if self._thread is not None:
            return
        files = _Files(self._home / account / FOLDER, account, self._coordinator, self._strategies)
        self._thread = threading.Thread(target=self._write, args=(files,), daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Write what waits, within PATIENCE_S; then nothing more."""
        if self._thread is not None:
            try:
                self._lines.put(None, timeout=PATIENCE_S)
                self._thread.join(PATIENCE_S)
            except queue.Full:
                return  # the disk does not answer: the thread ends with the process

    def _write(self, files: _Files) -> None:
        told = 0
        while (record := self._lines.get()) is not None:
            files.write(record)
            if self._lines.empty():
                told = self._tell_lost(files, told)
        self._tell_lost(files, told)
        files.close()

    def _tell_lost(self, files: _Files, told: int) -> int:
        """Write how many lines were lost since the last time; so many are told of then."""
        lost = self.lost
        if lost != told:
            text = f"{lost - told} log lines found no room and are not in these files"
            files.write(logging.makeLogRecord({"msg": text, "levelname": "WARNING"}))
        return lost


class _Files:
    """The files themselves; on the writing thread alone."""

    def __init__(
        self, folder: Path, account: str, coordinator: str, strategies: Collection[str]
    ) -> None:
        self._folder, self._strategies = folder, strategies
        self._form = _Json(account, coordinator, strategies)
        self._has_failed = False
        self._main = self._file(folder / f"{coordinator}.jsonl", MOST_BYTES, MOST_FILES)
        self._open: OrderedDict[str, RotatingFileHandler] = OrderedDict()

    def write(self, record: logging.LogRecord) -> None:
        """One line into the coordinator's file, and into its strategy's."""
        if not record.getMessage().strip("= \n"):
            return  # what only rules off
        self._main.emit(record)
        name = strategy_of(record, self._strategies)
        if name:
            self._of(name).emit(record)

    def close(self) -> None:
        """Close all files."""
        for handler in (self._main, *self._open.values()):
            handler.close()

    def _of(self, name: str) -> RotatingFileHandler:
        if name not in self._open:
            if len(self._open) >= MOST_OPEN:
                self._open.popitem(last=False)[1].close()
            path = self._folder / OF_STRATEGIES / f"{name}.jsonl"
            self._open[name] = self._file(path, STRATEGY_BYTES, STRATEGY_FILES)
        self._open.move_to_end(name)
        return self._open[name]

    def _file(self, path: Path, most_bytes: int, files: int) -> RotatingFileHandler:
        handler = _Rotating(path, most_bytes, files, self._complain)
        handler.setFormatter(self._form)
        return handler

    def _complain(self, path: str) -> None:
        """Say once that files fail: what is said comes here as well."""
        if not self._has_failed:
            self._has_failed = True
            text = "log files cannot be written (%s): what is said is on the terminal alone"
            logging.getLogger("coordinator").warning(text, path)


class _Rotating(RotatingFileHandler):
    """A file for its user alone, whatever the umask, kept small by putting it aside."""

    def __init__(
        self, path: Path, most_bytes: int, files: int, complain: Callable[[str], None]
    ) -> None:
        super().__init__(
            path, maxBytes=most_bytes, backupCount=files - 1, encoding="utf-8", delay=True
        )
        self._complain = complain

    def _open(self) -> TextIOWrapper:
        private_folder(Path(self.baseFilename).parent)
        return open(self.baseFilename, "a", encoding="utf-8", opener=_for_its_user)

    def handleError(self, record: logging.LogRecord) -> None:
        """Go on without this line."""
        self._complain(self.baseFilename)

    def close(self) -> None:
        """Close the file, and go on without the lines that a full disk did not take."""
        try:
            super().close()
        except OSError:
            self._complain(self.baseFilename)


def _for_its_user(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


class _Json(logging.Formatter):
    """A record as one JSON object; the session is that of the last line that named one."""

    def __init__(self, account: str, coordinator: str, strategies: Collection[str]) -> None:
        super().__init__()
        self._account, self._coordinator = account, coordinator
        self._strategies = strategies
        self._session = ""

    def format(self, record: logging.LogRecord) -> str:
        """A line of JSON, without what is not known of it."""
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
    """The strategy that a line is about: named with it, or one of `strategies` by its beginning."""
    if named := str(getattr(record, "strategy", "")):
        return named if named != UNASSIGNED and NAME_PATTERN.fullmatch(named) else ""
    found = _OF.match(record.getMessage().lstrip() + " ")
    return found[1] if found and found[1] in strategies else ""


@contextmanager
def log_files(home: Path, coordinator: str, strategies: Collection[str]) -> Iterator[LogFiles]:
    """Write what our loggers say while the context lasts, once `begin` has named the account."""
    files, log = LogFiles(home, coordinator, strategies), logging.getLogger("coordinator")
    log.addHandler(files)
    try:
        yield files
    finally:
        log.removeHandler(files)
        files.end()
