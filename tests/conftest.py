"""No test reaches the network: a connection that would leave this machine fails whoever tried."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.security.guard import GUARD

GUARD.start()


@pytest.fixture(autouse=True)
def _stays_on_this_machine() -> Iterator[None]:
    """Blames an attempt on the test that was running; what it set up beforehand counts too."""
    yield
    assert GUARD.take() == []


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A folder whose path leaves room for a socket's name: pytest's own are too long for one."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)
