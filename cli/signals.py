"""Ctrl-C, SIGTERM and a closed terminal request an orderly stop; a second Ctrl-C exits at once.

Every signal also wakes a socket; otherwise one that arrives just before the process sleeps would be
noticed only when something else wakes it.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import threading
from contextlib import suppress
from types import FrameType, TracebackType
from typing import TYPE_CHECKING

from cli.early import is_keeping, kept_signals
from cli.faults import INTERRUPTED

if TYPE_CHECKING:
    import asyncio


class StopSignals:
    """Within the context, signals set `requested` and the event that `watch` returns.

    Prints `stopping` on stderr at the first signal, and `left` at the Ctrl-C that exits at once.
    Enter it in the main thread, before anything slow, so that no signal is missed.
    """

    def __init__(self, stopping: str, left: str = "Left at once.") -> None:
        self._stopping, self._left = f"\n{stopping}\n".encode(), f"\n{left}\n".encode()
        self._requested = threading.Event()
        self._signals = 0
        self._interrupts = 0
        self._event: asyncio.Event | None = None

    def __enter__(self) -> StopSignals:
        self._woken, self._waker = socket.socketpair()
        self._waker.setblocking(False)
        self._fd_before = signal.set_wakeup_fd(self._waker.fileno(), warn_on_full_buffer=False)
        handled = [signal.SIGINT, signal.SIGTERM]
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup ignores it
            handled.append(signal.SIGHUP)
        self._before = {number: signal.signal(number, self._handle) for number in handled}
        for number in kept_signals():
            self._handle(number, None)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, signal.SIG_DFL if is_keeping(handler) else handler)
        signal.set_wakeup_fd(self._fd_before)
        self._woken.close()
        self._waker.close()

    @property
    def requested(self) -> bool:
        """Whether a stop was requested."""
        return self._requested.is_set()

    @property
    def signalled(self) -> bool:
        """Whether a signal requested it."""
        return self._signals > 0

    def request(self) -> None:
        """Request a stop without a signal; may be called from any thread."""
        self._requested.set()
        with suppress(OSError):  # the socket is full, so it wakes the reader anyway, or closed
            self._waker.send(b"\0")

    def wait(self) -> None:
        """Block until a stop is requested."""
        while not self.requested:
            self._woken.recv(64)

    def watch(self) -> asyncio.Event:
        """An event of the running loop that is set once a stop is requested."""
        import asyncio

        self._event = asyncio.Event()
        asyncio.get_running_loop().add_reader(self._woken, self._wake)
        self._wake_if_requested()
        return self._event

    def _wake(self) -> None:
        self._woken.recv(64)
        self._wake_if_requested()

    def _wake_if_requested(self) -> None:
        if self.requested and self._event is not None:
            self._event.set()

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGINT:
            self._interrupts += 1
        if self._interrupts > 1:
            _write(self._left)
            os._exit(INTERRUPTED)
        if self._signals == 0:
            _write(self._stopping)
        self._signals += 1
        self._requested.set()


def _write(text: bytes) -> None:
    """Write to stderr, if that takes it now; `print` is not safe inside a signal handler."""
    with suppress(OSError, ValueError):
        if select.select([], [2], [], 0)[1]:
            os.write(2, text)


def interrupt_on_sigterm() -> None:
    """From here on SIGTERM raises KeyboardInterrupt, as Ctrl-C does."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
