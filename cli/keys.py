"""Reads single key presses from a terminal, and always restores its settings."""

from __future__ import annotations

import os
import select
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager

NAMED = {
    b"\x1b[A": "up",
    b"\x1b[B": "down",
    b"\x1bOA": "up",
    b"\x1bOB": "down",
    b"\x1b[5~": "page up",
    b"\x1b[6~": "page down",
    b"\x1b[H": "home",
    b"\x1b[F": "end",
    b"\x1b[1~": "home",
    b"\x1b[4~": "end",
}
MOST_BYTES = 64


class Keys:
    """The key presses of a terminal."""

    def __init__(self, terminal: int) -> None:
        self._terminal = terminal

    def wait(self, seconds: float) -> list[str]:
        """Wait for key presses; returns their letters or names, [] if none comes in time."""
        ready, _, _ = select.select([self._terminal], [], [], seconds)
        return list(names(os.read(self._terminal, MOST_BYTES))) if ready else []


def names(pressed: bytes) -> Iterator[str]:
    """The keys in the bytes that a terminal sent, up to an unknown escape sequence."""
    while pressed:
        known = next((code for code in NAMED if pressed.startswith(code)), b"")
        if known:
            yield NAMED[known]
            pressed = pressed[len(known) :]
        elif pressed.startswith(b"\x1b"):
            return  # the bytes of an unknown sequence are no keys
        else:
            yield pressed[:1].decode("ascii", "replace")
            pressed = pressed[1:]


@contextmanager
def keys_of(terminal: int) -> Iterator[Keys]:
    """A terminal's keys, read within the context without echo or line buffering."""
    before = termios.tcgetattr(terminal)
    try:
        tty.setcbreak(terminal)
        yield Keys(terminal)
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)
