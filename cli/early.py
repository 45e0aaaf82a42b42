"""Signals that come while `run` is still being imported, kept until it can end in good order."""

from __future__ import annotations

import signal
from types import FrameType

_kept: list[int] = []


def keep_signals() -> None:
    """From here on SIGTERM and a closed terminal end nothing, until StopSignals has them.

    What is ignored, as under nohup, stays ignored.
    """
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _keep)


def kept_signals() -> list[int]:
    """The signals that came since, each told once."""
    found = _kept[:]
    del _kept[: len(found)]
    return found


def is_keeping(handler: object) -> bool:
    """Whether a signal's handler is the one that keeps it."""
    return handler is _keep


def _keep(number: int, _: FrameType | None) -> None:
    _kept.append(number)
