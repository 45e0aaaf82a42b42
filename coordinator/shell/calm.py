"""What a session is made of lives until its end: the collector need not look at it on each round.

A whole round takes tens of milliseconds where strategies are many, and would come in the middle of
a frame.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def calm() -> Iterator[None]:
    """Leave what there is now to itself; what is made meanwhile is collected as ever."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
