"""What a session is made of lives until its end: the collector need not look at it on each round.

A whole round takes tens of milliseconds where strategies are many, and would come in the middle of
a frame. Most of what is made meanwhile stays, as bars do, or goes by itself.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_SELDOM = 50_000
"""So many more objects than there were make a round worth its while."""


@contextmanager
def calm() -> Iterator[None]:
    """Leave what there is now to itself; what is made meanwhile is collected, but rarely."""
    gc.collect()
    with seldom_disturbed():
        yield


@contextmanager
def seldom_disturbed() -> Iterator[None]:
    """The same for moments in which objects are made by the thousand, of which few are garbage."""
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(_SELDOM, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
