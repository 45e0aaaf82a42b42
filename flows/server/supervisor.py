"""The process that `make up` leaves running: keeps server and worker alive until it is ended.

There is one per state folder, by a lock on a file that names the process; the kernel releases it on
any death. After cutting sessions short, it runs their end of day before the worker stops.
"""

from __future__ import annotations

import fcntl
import itertools
import logging
import os
import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from flows.server.places import Places, private
from flows.server.stack import Stack

_TICK_S = 1.0
_CATCH_UP_TICKS = 30
_log = logging.getLogger("multi-trader.server")


@contextmanager
def sole(lock: Path) -> Iterator[bool]:
    """Holds `lock` and writes our process id into it; yields False if another process holds it."""
    with open(lock, "a+", opener=private) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield True


def holder(lock: Path) -> int | None:
    """The process that holds `lock`, None if none does."""
    if not lock.exists():
        return None
    with open(lock) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return int(file.read() or 0) or None
    return None


def supervise(places: Places, port: int, environment: Mapping[str, str], *, simulate: bool) -> int:
    """Runs server and worker until SIGTERM or SIGINT; returns the exit code."""
    end = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: end.set())
    places.ready.unlink(missing_ok=True)
    with sole(places.lock) as alone:
        if not alone:
            _log.error("Another server holds %s", places.lock)
            return 1
        places.port.write_text(str(port))
        stack = Stack(places, port, environment)
        try:
            stack.start(simulate=simulate, unattended=True, say=_log.info)
            places.ready.write_text(f"http://127.0.0.1:{port}")
            for tick in itertools.count(1):
                if end.wait(_TICK_S):
                    break
                stack.revive()
                if tick % _CATCH_UP_TICKS == 0:
                    stack.catch_up()
        finally:
            places.ready.unlink(missing_ok=True)
            stack.stop()
    _log.info("Stopped")
    return 0


def finish(places: Places, port: int, environment: Mapping[str, str]) -> int:
    """Ends the server and the worker that a killed supervisor left; returns the exit code."""
    with sole(places.lock) as alone:
        if not alone:
            _log.error("Another server holds %s", places.lock)
            return 1
        Stack(places, port, environment).stop_left_over()
    return 0
