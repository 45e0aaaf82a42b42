"""Keeps Python's garbage collector from pausing a session in the middle of a frame.

With many strategies a full collection takes tens of milliseconds, and finds little: objects that
exist at a session's start live until its end, and most of those made meanwhile stay, as bars do, or
are freed by reference counting.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_THRESHOLD = 50_000
"""New objects after which a collection is worth its pause."""


@contextmanager
def few_gc_pauses(*, collect_first: bool = False) -> Iterator[None]:
    """Collect rarely, and never objects that exist now."""
    if collect_first:
        gc.collect()
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(_THRESHOLD, *before[1:])
    try:
        yield
    finally:
        gc.freeze()  # else the young ones, which the block let pile up, are collected at once
        gc.set_threshold(*before)
        gc.unfreeze()
