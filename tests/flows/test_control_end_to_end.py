"""Control through a real server and worker: a form's run reaches the session that trades."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from coordinator.core import records as r
from coordinator.shell.journal_reading import read_kinds
from tests.flows.shells import ROOT, Shell, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("prefect")]


@pytest.fixture
def shell(short_path: Path) -> Iterator[Shell]:
    shell = Shell(short_path)
    yield shell
    for process in shell.processes():  # only where a test failed
        os.kill(process, signal.SIGKILL)


def control(shell: Shell, **parameters: str) -> None:
    """Run control/adhoc, as the form does, and wait for its end."""
    given = [part for name, value in parameters.items() for part in ("-p", f"{name}={value}")]
    run = ("-m", "prefect", "deployment", "run", "control/adhoc", "--watch")
    done = shell.python(*run, *given)
    assert "control" in done.stdout, done.stdout + done.stderr


def ends(shell: Shell) -> dict[str, tuple[str, str]]:
    """(state, its message) of each run of control, by its name."""
    with sqlite3.connect(shell.state / "prefect" / "prefect.db") as server:
        return {
            name: (state, message)
            for name, state, message in server.execute(
                "SELECT f.name, s.name, s.message FROM flow_run f"
                " JOIN flow_run_state s ON s.id = f.state_id WHERE f.name LIKE 'control%'"
            )
        }


def without(strategy: str, into: Path) -> Path:
    """A copy of the configuration that trades, less one strategy."""
    edited = json.loads((ROOT / "configs" / "stocks_only.json").read_text())
    edited["strategies"] = [one for one in edited["strategies"] if one["name"] != strategy]
    file = into / "stocks_only.json"  # a session keeps its name, which is the file's
    file.write_text(json.dumps(edited))
    return file


def test_forms_pause_and_reload_a_session_that_trades_and_show_how_it_stands(shell: Shell) -> None:
    edited = without("Chips_MeanRev", shell.folder)
    up = shell.server("up")
    assert up.returncode == 0, up.stdout + up.stderr
    start = ("-m", "prefect", "deployment", "run", "coordinator/stocks")
    shell.python(*start, "-p", "session_date=2026-03-17", "-p", "clock_speed=60")
    wait_until(lambda: list(shell.state.glob("SIM*/control/*.json")))

    control(shell, action="pause", strategy="Index_Adaptive")
    control(shell, action="pause", strategy="Nobody")
    control(shell, action="reload", config=str(edited), remove="flatten")
    control(shell, action="status")
    found = ends(shell)
    assert shell.server("down").returncode == 0

    state, said = found["control pause Index_Adaptive"]
    assert (state, "is paused: it opens nothing" in said) == ("Completed", True)
    assert "No coordinator" not in said
    state, said = found["control pause Nobody"]
    assert (state, "known: " in said) == ("Failed", True)
    state, said = found["control reload"]
    assert (state, "Chips_MeanRev" in said) == ("Completed", True)
    state, said = found["control status"]
    assert (state, "stocks_only on SIM0001: running." in said) == ("Completed", True)
    with sqlite3.connect(shell.state / "prefect" / "prefect.db") as server:
        [(rows,)] = server.execute("SELECT data FROM artifact WHERE key = 'status'").fetchall()
    assert '"paused' in str(rows).replace("\\", "")

    [paused] = read_kinds(shell.state / "SIM0001" / "journal.db", r.Paused)
    assert paused.coordinator == "stocks_only", "the session wrote it itself"
    [reloaded] = read_kinds(shell.state / "SIM0001" / "journal.db", r.Reconfigured)
    assert isinstance(reloaded.record, r.Reconfigured)
    assert reloaded.record.left == ("Chips_MeanRev",)
    assert shell.processes() == []
