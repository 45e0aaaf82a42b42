"""Signals that come while `run` is still being imported, kept until it can end in good order."""

from __future__ import annotations

import signal

_kept: list[int] = []


def keep_signals() -> None:
    """From here on SIGTERM and a closed terminal end nothing, until StopSignals has them.

    What is ignored, as under nohup, stays ignored.
    """
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, lambda kept, _: _kept.append(kept))


def kept_signals() -> list[int]:
    """The signals that came since, each told once."""
    found = _kept[:]
    del _kept[: len(found)]
    return found
