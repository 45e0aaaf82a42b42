"""`reload`: a session that runs as a process is shown an edited file and goes on with it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from coordinator.core import records as r
from coordinator.shell.control_protocol import addresses
from coordinator.shell.folders import JOURNAL
from coordinator.shell.journal_reading import read_kinds
from tests.cli.conftest import Said
from tests.cli.test_control import at as at
from tests.cli.test_kill import ACCOUNT, CLOSE, venue
from tests.e2e.running import run_command, wait_until
from tests.e2e.test_reload import edited, strategy

Command = Callable[[Sequence[str]], Said]


def test_where_nobody_runs_it_says_what_to_do(command: Command) -> None:
    said = command(["reload"])
    assert said.code == 1
    assert "No coordinator that runs answers" in said.err


@pytest.mark.slow
def test_a_session_that_runs_goes_on_with_what_was_shown_and_with_nothing_else(
    at: Callable[..., Said], short_path: Path
) -> None:
    config, account = short_path / "one.json", short_path / ACCOUNT
    config.write_text(json.dumps(edited()))
    with venue(short_path, clock_speed=60.0) as running:
        process = run_command(running, config, short_path)
        try:
            wait_until(
                running, CLOSE, lambda: process.poll() is not None or any(addresses(account))
            )
            same = at(running, "reload")
            config.write_text(json.dumps(edited(strategy("late", "MSFT")) | {"mode": "live"}))
            fixed = at(running, "reload", "--yes")
            config.write_text(json.dumps(edited(strategy("late", "MSFT") | {"initial_cash": -1})))
            wrong = at(running, "reload", "--yes")
            config.write_text(json.dumps(edited(strategy("late", "MSFT"))))
            shown = json.loads(at(running, "reload", "--json").out)
            nobody = at(running, "reload")
            done = at(running, "reload", "--yes")
            status = at(running, "status")
        finally:
            process.kill()
            process.communicate()
    assert (same.code, "runs with this configuration already" in same.out) == (0, True)
    assert (fixed.code, "its mode is live" in fixed.out) == (1, True)
    assert (wrong.code, "initial_cash" in wrong.out) == (1, True)
    assert (nobody.code, "Nothing was changed. --yes" in nobody.err) == (1, True)
    assert shown["token"]
    assert shown["changes"][0].startswith("+ late: momentum on MSFT")
    assert (done.code, "goes on with this configuration" in done.out) == (0, True)
    assert "late" in status.out
    assert len(read_kinds(account / JOURNAL, r.Reconfigured)) == 1
