"""What we start listens on loopback and nowhere else (row 4); Prefect's part is in test_prefect."""

from __future__ import annotations

import os
import re
import signal
import socket

import pytest

from simulator.server import Simulator
from tests.cli.conftest import Shell
from tests.e2e.running import simulator_options
from tests.security.listening import addresses_of


@pytest.fixture
def before() -> set[tuple[str, int]]:
    """What this process listens on anyway."""
    return addresses_of([os.getpid()])


@pytest.mark.parametrize(
    ("family", "host"),
    [
        (socket.AF_INET, "127.0.0.1"),
        (socket.AF_INET, "0.0.0.0"),  # noqa: S104  that it would be seen is the point
        (socket.AF_INET6, "::1"),
        (socket.AF_INET6, "::"),
    ],
)
def test_a_listener_is_seen_wherever_it_listens(
    family: socket.AddressFamily, host: str, before: set[tuple[str, int]]
) -> None:
    with socket.create_server((host, 0), family=family) as server:
        port = server.getsockname()[1]
        assert addresses_of([os.getpid()]) - before == {(host, port)}
    assert addresses_of([os.getpid()]) == before


def test_the_simulator_listens_on_loopback(before: set[tuple[str, int]]) -> None:
    with Simulator(simulator_options()) as running:
        port = int(running.url.rpartition(":")[2])
        assert addresses_of([os.getpid()]) - before == {("127.0.0.1", port)}


@pytest.mark.thorough
def test_the_simulators_command_listens_on_loopback(shell: Shell) -> None:
    with shell.start("simulator", "--date", "2026-03-17") as process:
        try:
            assert process.stderr is not None
            while "Serving" not in process.stderr.readline():
                assert process.poll() is None
            listening = addresses_of([process.pid])
        finally:
            process.send_signal(signal.SIGINT)
            out, _ = process.communicate(timeout=30)
    [port] = re.findall(r"APCA_API_BASE_URL=http://127\.0\.0\.1:(\d+)", out)
    assert listening == {("127.0.0.1", int(port))}
