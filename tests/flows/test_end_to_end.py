"""The whole way through a real server and worker: the demonstration, `make up`, `make down`.

Each has a state folder and a home directory of its own; afterwards no process may be left.
"""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import stat
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path

import pytest

from flows.server.automations import RECOVERY, read_automations
from flows.server.places import Places
from flows.server.supervisor import holder
from tests.flows.shells import Shell, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("prefect")]


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    shell = Shell(tmp_path)
    yield shell
    for process in shell.processes():  # only where a test failed
        os.kill(process, signal.SIGKILL)


def total_in(rows: Sequence[tuple[object, ...]]) -> Decimal:
    return sum((Decimal(str(row[0])) for row in rows), Decimal(0))


def test_the_demonstration_trades_a_day_and_reads_its_profit_back(shell: Shell) -> None:
    done = shell.server("demo")
    assert done.returncode == 0, done.stdout + done.stderr
    steps = re.findall(r"\] (\S+): Completed", done.stdout)
    assert steps == ["warmup/stocks", "coordinator/stocks", "end-of-day/stocks"]

    [(session, status)] = shell.rows("SELECT session_id, status FROM sessions")
    assert status == "closed"
    fills = shell.rows("SELECT execution_id FROM fills")
    assert len(fills) == len(re.findall(r"(?:🟢 BUY|🔴 SELL) ", done.stdout)) > 0
    profit = total_in(shell.rows("SELECT net_pnl FROM pnl_daily WHERE strategy <> 'UNASSIGNED'"))
    [shown] = re.findall(r"TOTAL PnL ACROSS ALL STRATEGIES: (-?)\$([\d,.]+)", done.stdout)
    assert f"{profit:.2f}" == shown[0] + shown[1].replace(",", "")

    assert f"Warehouse: {shell.state / 'warehouse.duckdb'}" in done.stdout
    report = shell.state / "reports" / f"{session}.html"
    assert f"Report:    {report}" in done.stdout
    assert done.stdout.endswith("then multi-trader status; or docs/quick-start.md\n")
    assert report.stat().st_size > 1_000
    assert shell.processes() == []


def test_a_demonstration_that_cannot_start_its_session_fails_aloud(shell: Shell) -> None:
    bars = shell.folder / "no-such-bars.parquet"
    done = shell.server("demo", "--bars", str(bars))
    assert done.returncode == 1
    assert "warmup/stocks ended as Failed" in done.stderr
    assert bars.name in done.stderr
    assert shell.processes() == []


def test_what_make_up_leaves_running_trades_loads_and_is_ended_without_a_lost_row(
    shell: Shell,
) -> None:
    up = shell.server("up")
    assert up.returncode == 0, up.stdout + up.stderr
    assert "every session is simulated" in up.stdout
    profile = shell.folder / ".prefect" / "profiles.toml"
    assert stat.S_IMODE(profile.stat().st_mode) == 0o600
    shell.environment |= {"APCA_API_KEY_ID": "late", "APCA_API_SECRET_KEY": "late"}
    deployed = Places.under(shell.state).deployed
    deployed.unlink()
    again = shell.server("up").stdout
    assert "Already running.\nDeploying prefect.yaml\n" in again
    assert "simulate: false" not in deployed.read_text()
    assert "It was started without keys: every session is simulated." in again

    run = ["-m", "prefect", "deployment", "run", "coordinator/stocks", "-p"]
    first = shell.python(*run, "session_date=2026-03-17", "-p", "clock_speed=2400")
    assert first.returncode == 0, first.stdout + first.stderr
    wait_until(lambda: list((shell.state / "reports").glob("2026-03-17.*.html")))

    second = shell.python(*run, "session_date=2026-03-18", "-p", "clock_speed=60")
    assert second.returncode == 0
    wait_until(lambda: list(shell.state.glob("SIM0002/journal.db")))

    down = shell.server("down")
    assert down.returncode == 0, down.stdout
    assert shell.processes() == []
    ends = shell.rows("SELECT session_date::TEXT, status FROM sessions ORDER BY 1")
    assert ends == [("2026-03-17", "closed"), ("2026-03-18", "stopped_early")]
    with sqlite3.connect(shell.state / "prefect" / "prefect.db") as server:
        states = server.execute(
            "SELECT name, state_name FROM flow_run WHERE state_type <> 'SCHEDULED'"
        ).fetchall()
    assert ("coordinator stocks_only 2026-03-17", "Completed") in states
    assert ("coordinator stocks_only 2026-03-18", "Cancelled") in states
    assert {state for _, state in states} <= {"Completed", "Cancelled"}
    assert "Profile 'ephemeral' is selected again." in down.stdout
    assert "Nothing runs" in shell.server("down").stdout


def test_what_a_killed_supervisor_left_running_is_ended_too_and_its_session_in_order(
    shell: Shell,
) -> None:
    assert shell.server("up").returncode == 0
    run = ["deployment", "run", "coordinator/stocks", "-p", "session_date=2026-03-17"]
    started = shell.python("-m", "prefect", *run, "-p", "clock_speed=60")
    assert started.returncode == 0, started.stdout + started.stderr
    wait_until(lambda: list(shell.state.glob("SIM0001/journal.db")))
    supervisor = holder(Places.under(shell.state).lock)
    assert supervisor is not None
    os.kill(supervisor, signal.SIGKILL)
    down = shell.server("down")
    assert down.returncode == 0, down.stdout + down.stderr
    assert down.stdout.startswith("Its supervisor was killed")
    assert shell.processes() == []
    assert shell.rows("SELECT status FROM sessions") == [("stopped_early",)]


def automations_in(shell: Shell) -> dict[str, bool]:
    """Each automation at the server and whether it is enabled; a name that is there twice fails."""
    with sqlite3.connect(shell.state / "prefect" / "prefect.db") as server:
        found = server.execute("SELECT name, enabled FROM automation").fetchall()
    assert len({name for name, _ in found}) == len(found)
    return {name: bool(enabled) for name, enabled in found}


def test_what_make_up_makes_is_made_once_and_what_a_user_switched_off_stays_off(
    shell: Shell,
) -> None:
    assert shell.server("up").returncode == 0
    made = automations_in(shell)
    paused = shell.python("-m", "prefect", "automation", "pause", RECOVERY)
    assert paused.returncode == 0, paused.stdout + paused.stderr
    assert shell.server("down").returncode == 0
    assert shell.server("up").returncode == 0
    assert automations_in(shell) == {**made, RECOVERY: False}
    assert made[RECOVERY]
    assert {one.name for one in read_automations()} <= set(made)
    assert shell.server("down").returncode == 0
    assert shell.processes() == []
