"""One real session in the simulator, ended by Ctrl-C, and what the other commands say of it."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import pytest

from tests.cli.conftest import ROOT, Shell
from warehouse import Store

CONFIG = str(ROOT / "configs" / "multi_trader_simple.json")
NAMES = ["SPY_Adaptive", "QQQ_Momentum", "IWM_MeanRev"]
RULE = "=" * 80


@dataclass(frozen=True)
class Traded:
    """A session that Ctrl-C ended, and the status seen while it ran."""

    shell: Shell
    session_id: str
    out: str
    code: int
    meanwhile: list[dict[str, object]]


@pytest.fixture(scope="module")
def traded(tmp_path_factory: pytest.TempPathFactory) -> Traded:
    shell = Shell(tmp_path_factory.mktemp("traded"))
    with shell.start("run", "--date", "2026-03-17", "--config", CONFIG, "--no-load") as process:
        try:
            assert process.stderr is not None
            assert any("🟢 BUY" in line for line in process.stderr)
            meanwhile = json.loads(shell.run("status", "--json").stdout)
            process.send_signal(signal.SIGINT)
            out, _ = process.communicate(timeout=60)
        finally:
            process.kill()
    return Traded(shell, meanwhile[0]["session_id"], out, process.returncode, meanwhile)


def test_ctrl_c_ends_in_the_guide_s_summary_and_exit_0(traded: Traded) -> None:
    assert traded.code == 0
    lines = traded.out.splitlines()
    assert lines[:3] == [RULE, "MULTI-TRADER COORDINATOR SUMMARY", RULE]
    assert [line for line in lines if line.startswith("[")] == [f"[{name}]" for name in NAMES]
    assert lines.count("  Initial Cash: $10,000.00") == 3
    assert sum(bool(re.fullmatch(r"  Day PnL: -?\$[\d,]+\.\d\d", line)) for line in lines) == 3
    total = r"TOTAL PnL ACROSS ALL STRATEGIES: -?\$[\d,]+\.\d\d"
    assert sum(bool(re.fullmatch(total, line)) for line in lines) == 1
    assert lines[-1].startswith("StoppedEarly: ")


def test_state_can_be_read_by_its_user_alone(traded: Traded) -> None:
    kept = [path for path in traded.shell.home.rglob("*") if path.is_file()]
    assert any(path.name == "journal.db" for path in kept)
    assert [path for path in kept if path.stat().st_mode & 0o077] == []


def test_status_reads_beside_the_running_coordinator(traded: Traded) -> None:
    (session,) = traded.meanwhile
    assert (session["state"], session["mode"]) == ("running", "simulated")
    assert [one["name"] for one in session["strategies"]] == NAMES
    for one in session["strategies"]:
        assert Decimal(one["equity"]) - Decimal(one["initial_cash"]) == Decimal(one["pnl"])
    assert any(one["positions"] for one in session["strategies"])


def test_status_shows_the_ended_session_as_a_table(traded: Traded) -> None:
    shown = traded.shell.run("status")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert shown.stdout.splitlines()[0].split()[:3] == [
        "SIM0001",
        "multi_trader_simple",
        traded.session_id,
    ]
    assert "running" not in shown.stdout
    rows = [line.split() for line in shown.stdout.splitlines()]
    assert [row[0] for row in rows if row and row[0] in NAMES] == NAMES


def test_end_of_day_loads_what_no_load_left_and_repeats_to_the_same(traded: Traded) -> None:
    assert not (traded.shell.home / "warehouse.duckdb").exists()
    for _ in range(2):
        loaded = traded.shell.run("end-of-day")
        assert loaded.returncode == 0, loaded.stderr
        assert loaded.stdout.startswith("1 session of the journal in ")
        asked = traded.shell.run(
            "sql", "--csv", "SELECT strategy, fills FROM pnl_daily JOIN sessions USING (session_id)"
        )
        names = [line.partition(",")[0] for line in asked.stdout.splitlines()]
        assert sorted(names[1:]) == sorted([*NAMES, "UNASSIGNED"])


def test_end_of_day_takes_one_session_by_its_id(traded: Traded) -> None:
    loaded = traded.shell.run("end-of-day", "--session", traded.session_id)
    assert loaded.returncode == 0, loaded.stderr


def test_a_session_that_is_not_there_is_named_beside_those_that_are(traded: Traded) -> None:
    missing = traded.shell.run("end-of-day", "--session", "2020-01-01.none")
    assert (missing.returncode, missing.stdout) == (2, "")
    assert "'2020-01-01.none'" in missing.stderr
    assert traded.session_id in missing.stderr


def test_the_report_is_written_and_its_path_printed(traded: Traded) -> None:
    assert traded.shell.run("end-of-day").returncode == 0
    told = traded.shell.run("report")
    assert told.returncode == 0, told.stderr
    page = Path(told.stdout.strip())
    assert page == traded.shell.home / "reports" / f"{traded.session_id}.html"
    assert "SPY_Adaptive" in page.read_text()
    assert traded.shell.run("report", "--session", "none").returncode == 2


def test_a_warehouse_in_use_is_told_and_fails_nothing(
    traded: Traded,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    from cli.loading import load_after

    busy = tmp_path / "busy.duckdb"
    monkeypatch.setenv("MULTI_TRADER_HOME", str(traded.shell.home))
    monkeypatch.setenv("MULTI_TRADER_WAREHOUSE", str(busy))
    holder = (
        "import sys\nfrom warehouse import Store\n"
        "with Store.open(sys.argv[1]): print('held', flush=True); sys.stdin.readline()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", holder, str(busy)],
        env=traded.shell.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "held\n"
        load_after(traded.session_id, deadline_s=0.2)
        told = capfd.readouterr().err
        writer.communicate("\n")
    assert "the journal keeps every session" in told
    assert f"Repeat with: multi-trader end-of-day --session {traded.session_id}" in told
    load_after(traded.session_id)
    with Store.open_read_only(busy) as store:
        assert store.connection.execute("SELECT session_id FROM sessions").fetchall() == [
            (traded.session_id,)
        ]


def test_before_the_first_session_nothing_is_an_answer(shell: Shell) -> None:
    shown = shell.run("status")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "No session under" in shown.stdout
    assert "multi-trader run" in shown.stdout
    assert json.loads(shell.run("status", "--json").stdout) == []
    loaded = shell.run("end-of-day")
    assert loaded.returncode == 0
    assert "Nothing to load" in loaded.stdout
