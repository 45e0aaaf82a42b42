"""Ctrl-C, SIGTERM and a terminal that is closed ask for an end; a second Ctrl-C leaves at once.

Leaving at once loses nothing: what was decided is in the journal, and the next start recovers.
Every signal also wakes a socket, since one that arrives just before the process falls asleep would
otherwise be noticed only when something else wakes it.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import threading
from contextlib import suppress
from types import FrameType, TracebackType

from cli.faults import INTERRUPTED

LEFT = "Left at once. The journal keeps everything; the next start resumes from it."


class StopSignals:
    """While entered, turns signals into `asked` and into the event that `watch` returns.

    Says `told` on stderr at the first one, and `left` at the Ctrl-C that leaves. To be entered in
    the main thread, before anything slow, so that no signal is missed.
    """

    def __init__(self, told: str, left: str = LEFT) -> None:
        self._told, self._left = f"\n{told}\n".encode(), f"\n{left}\n".encode()
        self._asked = threading.Event()
        self._signals = 0
        self._interrupts = 0
        self._event: asyncio.Event | None = None

    def __enter__(self) -> StopSignals:
        self._woken, self._waker = socket.socketpair()
        self._waker.setblocking(False)
        self._fd_before = signal.set_wakeup_fd(self._waker.fileno(), warn_on_full_buffer=False)
        asking = [signal.SIGINT, signal.SIGTERM]
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # else nohup wants it to go on
            asking.append(signal.SIGHUP)
        self._before = {number: signal.signal(number, self._take) for number in asking}
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._fd_before)
        self._woken.close()
        self._waker.close()

    @property
    def asked(self) -> bool:
        """Whether a stop was asked for."""
        return self._asked.is_set()

    @property
    def signalled(self) -> bool:
        """Whether it was a signal that asked."""
        return self._signals > 0

    def ask(self) -> None:
        """Asks for a stop without a signal; may be called from any thread."""
        self._asked.set()
        with suppress(OSError):  # full of wake-ups, or closed: awake enough
            self._waker.send(b"\0")

    def wait(self) -> None:
        """Blocks until a stop is asked for."""
        while not self.asked:
            self._woken.recv(64)

    def watch(self) -> asyncio.Event:
        """The event of the running loop that is set once a stop was asked for."""
        self._event = asyncio.Event()
        asyncio.get_running_loop().add_reader(self._woken, self._wake)
        self._wake_if_asked()
        return self._event

    def _wake(self) -> None:
        self._woken.recv(64)
        self._wake_if_asked()

    def _wake_if_asked(self) -> None:
        if self.asked and self._event is not None:
            self._event.set()

    def _take(self, number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGINT:
            self._interrupts += 1
        if self._interrupts > 1:
            _write(self._left)
            os._exit(INTERRUPTED)
        if self._signals == 0:
            _write(self._told)
        self._signals += 1
        self._asked.set()


def _write(text: bytes) -> None:
    """On stderr, where somebody reads it; print is not safe inside a signal handler."""
    with suppress(OSError):
        os.write(2, text)


def interrupt_on_sigterm() -> None:
    """From here on SIGTERM raises KeyboardInterrupt, as Ctrl-C does."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
