"""Fixtures: where recorded data lies, and simulators that stop themselves."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from simulator.server import Simulator, SimulatorOptions

DATA = Path(__file__).parents[2] / "../shared/data"


@pytest.fixture
def recorded() -> Path:
    """The folder of recorded data; the test is skipped, aloud, where there is none."""
    if not DATA.is_dir():
        pytest.skip("recorded data (../shared/data) is not here")
    return DATA


@pytest.fixture
def simulate() -> Iterator[Callable[..., Simulator]]:
    """Start simulators with the given options; all are stopped at the test's end."""
    with ExitStack() as running:

        def start(**options: Any) -> Simulator:
            return running.enter_context(Simulator(SimulatorOptions(**options)))

        yield start
