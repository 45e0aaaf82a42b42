"""While a session lives the collector leaves it alone; afterwards it does what it did before."""

from __future__ import annotations

import gc
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress

import pytest

from coordinator.shell.calm import calm, seldom_disturbed


@pytest.mark.parametrize("way", [calm, seldom_disturbed])
def test_what_a_session_is_made_of_is_left_alone_until_it_ends(
    way: Callable[[], AbstractContextManager[None]],
) -> None:
    before, frozen = gc.get_threshold(), gc.get_freeze_count()
    with suppress(KeyError), way():
        assert gc.get_freeze_count() > frozen
        assert gc.get_threshold() > before
        assert gc.isenabled()
        raise KeyError
    assert (gc.get_threshold(), gc.get_freeze_count()) == (before, frozen)
