"""Few pauses by Python's garbage collector: a full collection would come in the middle of a frame.

It takes tens of milliseconds where strategies are many. What is there when a session begins lives
until its end, and of what is made meanwhile most stays, as bars do, or is freed without it.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_THRESHOLD = 50_000
"""New objects after which a collection is worth its pause."""


@contextmanager
def few_gc_pauses(*, collect_first: bool = False) -> Iterator[None]:
    """Collect rarely, and never what is there now."""
    if collect_first:
        gc.collect()
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(_THRESHOLD, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
