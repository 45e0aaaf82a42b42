"""Ctrl-C and SIGTERM ask for an end; a second Ctrl-C leaves at once.

Leaving at once loses nothing: what was decided is in the journal, and the next start recovers.
"""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from types import FrameType, TracebackType

from cli.faults import INTERRUPTED

_LEFT = b"\nLeft at once. The journal keeps everything; the next start resumes from it.\n"


class StopSignals:
    """While entered, turns signals into `asked` and into the event that `watch` returns.

    Says `told` on stderr at the first one. To be entered in the main thread, before anything
    slow, so that no signal is missed.
    """

    def __init__(self, told: str) -> None:
        self._told = f"\n{told}\n".encode()
        self._asked = threading.Event()
        self._interrupts = 0
        self._event: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def __enter__(self) -> StopSignals:
        self._before = {
            number: signal.signal(number, self._take) for number in (signal.SIGINT, signal.SIGTERM)
        }
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @property
    def asked(self) -> bool:
        """Whether a stop was asked for."""
        return self._asked.is_set()

    def wait(self) -> None:
        """Blocks until a stop is asked for."""
        self._asked.wait()

    def watch(self) -> asyncio.Event:
        """The event of the running loop that is set once a stop was asked for."""
        self._loop = asyncio.get_running_loop()
        self._event = asyncio.Event()
        if self.asked:
            self._event.set()
        return self._event

    def _take(self, number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGINT:
            self._interrupts += 1
        if self._interrupts > 1:
            os.write(2, _LEFT)
            os._exit(INTERRUPTED)
        if not self.asked:
            os.write(2, self._told)  # print is not safe inside a signal handler
        self._asked.set()
        if self._loop is not None and self._event is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._event.set)


def interrupt_on_sigterm() -> None:
    """From here on SIGTERM raises KeyboardInterrupt, as Ctrl-C does."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
