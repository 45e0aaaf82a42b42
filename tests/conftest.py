"""What holds for every test: it stays on this machine, and a slow one has time enough."""

from __future__ import annotations

import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.security.guard import GUARD

GUARD.start()
# A shell's background ignores Ctrl-C, and what a test starts there would ignore the test's, too.
signal.signal(signal.SIGINT, signal.default_int_handler)
# How long an example takes tells of the machine's other work, too.
settings.register_profile("on any machine", deadline=None)
settings.load_profile("on any machine")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A proof of minutes may take ten of them, unless it says how many itself."""
    for item in items:
        if item.get_closest_marker("slow") and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(600))


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
