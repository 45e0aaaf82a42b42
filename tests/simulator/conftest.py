"""Fixtures: where recorded data lies, and simulators that stop themselves."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from simulator.server import Simulator, SimulatorOptions
from tests.oracle.recorded import require_recorded_data
from tests.simulator.plays import TEN


@pytest.fixture
def recorded() -> Path:
    """The folder of recorded data; the test is skipped, aloud, where there is none."""
    return require_recorded_data()


@pytest.fixture
def simulate() -> Iterator[Callable[..., Simulator]]:
    """Start simulators with the given options; all are stopped at the test's end."""
    with ExitStack() as running:

        def start(**options: Any) -> Simulator:
            return running.enter_context(Simulator(SimulatorOptions(**options)))

        yield start


@pytest.fixture
def scripted(simulate: Callable[..., Simulator], tmp_path: Path) -> Callable[..., Simulator]:
    """Start a simulator at 10:00 in New York with these entries as its script of faults."""

    def start(*faults: dict[str, Any], **options: Any) -> Simulator:
        path = tmp_path / "faults.json"
        path.write_text(json.dumps(faults))
        usual: dict[str, Any] = {
            "date": date(2026, 3, 17),
            "start": TEN,
            "clock_speed": 100_000,
            "settle_s": 0.01,
            "first_settle_s": 0.05,
        }
        return simulate(**{**usual, **options}, faults=path)

    return start
