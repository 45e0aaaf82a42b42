"""Log lines on stderr in the guide's format: `2025-12-04 14:30:15 [INFO] message`.

Results of commands go to stdout. Connection libraries never log below INFO, since at DEBUG they
print the frame that carries the keys.
"""

from __future__ import annotations

import logging
import queue
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from logging.handlers import QueueHandler

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
OURS = ("cli", "coordinator", "simulator", "warehouse")
NEVER_BELOW_INFO = ("alpaca", "websockets", "urllib3", "uvicorn", "asyncio")
MOST_WAITING = 10_000
"""Lines that wait for a terminal; those that come while so many do are in the log files alone."""
PATIENCE_S = 3.0
"""Local seconds at the end in which the waiting lines must be written."""


def configure_logging(level: str) -> None:
    """Send log records of `level` (one of LEVELS) and above to stderr, in the guide's format.

    The coordinator's loggers always emit records from INFO on, for its log files and for `top`.
    Loggers of other packages emit from WARNING on, or from INFO if `level` is DEBUG.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        logging.Formatter("%(asctime)s [%(levelname)s] %(message)s", datefmt="%Y-%m-%d %H:%M:%S")
    )
    handler.setLevel(level)
    others = logging.INFO if level == "DEBUG" else max(logging.WARNING, logging.getLevelName(level))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(others)
    for name in OURS:
        logging.getLogger(name).setLevel(level)
    logging.getLogger("coordinator").setLevel(min(logging.INFO, logging.getLevelName(level)))
    for name in NEVER_BELOW_INFO:
        logging.getLogger(name).setLevel(max(logging.INFO, others))


@contextmanager
def written_beside() -> Iterator[None]:
    """Within the context a thread of its own writes the lines, and nothing waits for the terminal.

    One that was paused (Ctrl-S), or whose connection hangs, takes none for as long as that lasts.
    """
    root = logging.getLogger()
    handlers, waiting = root.handlers[:], queue.Queue[logging.LogRecord | None](MOST_WAITING)
    writer = threading.Thread(target=_write, args=(waiting, handlers), daemon=True)
    root.handlers[:] = [_Waiting(waiting)]
    writer.start()
    try:
        yield
    finally:
        root.handlers[:] = handlers
        with suppress(queue.Full):
            waiting.put(None, timeout=PATIENCE_S)
            writer.join(PATIENCE_S)


class _Waiting(QueueHandler):
    def enqueue(self, record: logging.LogRecord) -> None:
        with suppress(queue.Full):
            self.queue.put_nowait(record)


def _write(
    waiting: queue.Queue[logging.LogRecord | None], handlers: Sequence[logging.Handler]
) -> None:
    while (record := waiting.get()) is not None:
        for handler in handlers:
            if record.levelno >= handler.level:
                handler.handle(record)
