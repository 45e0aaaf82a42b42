"""Real processes, really killed: the books still are the venue's account."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.slow
def test_processes_that_are_killed_at_any_moment_lose_nothing_and_double_nothing() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.proof.kills", "--kills", "3"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 lost, 0 doubled, 0 violations" in done.stdout
