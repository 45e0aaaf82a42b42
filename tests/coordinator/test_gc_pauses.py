"""The garbage collector is as it was afterwards, whatever happened."""

from __future__ import annotations

import gc
import weakref

import pytest

from coordinator.shell.gc_pauses import few_gc_pauses


class Knot:
    """Refers to itself: only the collector frees it."""

    def __init__(self) -> None:
        self.me = self


@pytest.mark.parametrize("collect_first", [True, False])
def test_the_collector_is_as_it_was_afterwards(collect_first: bool) -> None:
    def interrupted() -> None:
        with few_gc_pauses(collect_first=collect_first):
            assert gc.get_freeze_count()
            raise KeyboardInterrupt

    before = gc.get_threshold()
    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert not gc.get_freeze_count()
    assert gc.get_threshold() == before


def test_garbage_that_is_made_meanwhile_is_collected_once_there_is_much_of_it() -> None:
    with few_gc_pauses():
        knot = weakref.ref(Knot())
        assert knot() is not None
        kept = [Knot() for _ in range(60_000)]
        assert knot() is None
    assert len(kept) == 60_000
