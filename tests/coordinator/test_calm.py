"""The collector of garbage is as it was once nobody asks for calm any more, whatever happened."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from coordinator.shell.calm import calm, seldom_disturbed


class Knot:
    """Refers to itself: only the collector frees it."""

    def __init__(self) -> None:
        self.me = self


@pytest.mark.parametrize("quiet", [calm, seldom_disturbed])
def test_the_collector_is_as_it_was_afterwards(
    quiet: Callable[[], AbstractContextManager[None]],
) -> None:
    def interrupted() -> None:
        with quiet():
            assert gc.get_freeze_count()
            raise KeyboardInterrupt

    before = gc.get_threshold()
    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert not gc.get_freeze_count()
    assert gc.get_threshold() == before


def test_garbage_that_is_made_meanwhile_is_collected_once_there_is_much_of_it() -> None:
    with seldom_disturbed():
        knot = weakref.ref(Knot())
        assert knot() is not None
        kept = [Knot() for _ in range(60_000)]
        assert knot() is None
    assert len(kept) == 60_000
