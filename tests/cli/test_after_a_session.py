"""One real session in the simulator, ended by Ctrl-C, and what the other commands say of it."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from coordinator.core import records as r
from coordinator.readers import session_sources
from coordinator.shell.lease import Leases
from tests.cli.conftest import ROOT, Said, Shell
from tests.cli.test_kill import at, venue, written
from tests.coordinator.test_readers import keep, paper
from tests.coordinator.test_statement import a_day, a_day_that_is_still_running, the_next_day
from tests.oracle import configs
from warehouse import Store, load_session

__all__ = ["at"]  # a fixture
Command = Callable[[Sequence[str]], Said]
CONFIG = str(ROOT / "configs" / "multi_trader_simple.json")
NAMES = ["SPY_Adaptive", "QQQ_Momentum", "IWM_MeanRev"]
RULE = "=" * 80


@dataclass(frozen=True)
class Traded:
    """A session that Ctrl-C ended; the status, and what `end-of-day` said, while it ran."""

    shell: Shell
    session_id: str
    out: str
    code: int
    meanwhile: list[dict[str, object]]
    loading: str


@pytest.fixture(scope="module")
def traded(tmp_path_factory: pytest.TempPathFactory) -> Traded:
    shell = Shell(tmp_path_factory.mktemp("traded"))
    with shell.start("run", "--date", "2026-03-17", "--config", CONFIG, "--no-load") as process:
        try:
            assert process.stderr is not None
            seen: list[str] = []
            while not any("🟢 BUY" in line for line in seen):
                seen.append(process.stderr.readline())
                assert seen[-1], "".join(seen)  # else it ended before it bought
            meanwhile = json.loads(shell.run("status", "--json").stdout)
            loading = shell.run("end-of-day").stdout
            process.send_signal(signal.SIGINT)
            out, _ = process.communicate(timeout=60)
        finally:
            process.kill()
    return Traded(shell, meanwhile[0]["session_id"], out, process.returncode, meanwhile, loading)


@pytest.fixture
def after(traded: Traded, command: Command, monkeypatch: pytest.MonkeyPatch) -> Command:
    """The other commands, in the shell of the session that was traded."""
    monkeypatch.setenv("MULTI_TRADER_HOME", str(traded.shell.home))
    return command


def test_ctrl_c_ends_in_the_guide_s_summary_and_exit_0(traded: Traded) -> None:
    assert traded.code == 0
    lines = traded.out.splitlines()
    assert lines[:3] == [RULE, "MULTI-TRADER COORDINATOR SUMMARY", RULE]
    assert [line for line in lines if line.startswith("[")] == [f"[{name}]" for name in NAMES]
    assert lines.count("  Initial Cash: $10,000.00") == 3
    assert sum(bool(re.fullmatch(r"  Day PnL: -?\$[\d,]+\.\d\d", line)) for line in lines) == 3
    total = r"TOTAL PnL ACROSS ALL STRATEGIES: -?\$[\d,]+\.\d\d"
    assert sum(bool(re.fullmatch(total, line)) for line in lines) == 1
    assert lines[-1].endswith("was stopped before its end. Simulated fills: spread.")
    assert lines[-1].startswith("StoppedEarly: ")


@pytest.mark.slow
def test_a_reader_that_has_gone_keeps_no_session_out_of_the_warehouse(shell: Shell) -> None:
    with shell.start("run", "--date", "2026-03-17", "--config", CONFIG) as process:
        try:
            assert process.stdout is not None
            assert process.stderr is not None
            while "TRADING ACTIVE" not in (line := process.stderr.readline()):
                assert line, "it ended before it traded"
            process.stdout.close()  # as `tee` does, which the same Ctrl-C ends
            process.send_signal(signal.SIGINT)
            err = process.stderr.read()
        finally:
            process.kill()
    assert "loaded" in err
    assert '"StoppedEarly"' in shell.run("status", "--json").stdout
    assert "1 row" in shell.run("sql", "SELECT session_id FROM sessions").stdout


@pytest.mark.thorough
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


def test_status_shows_the_ended_session_as_a_table(traded: Traded, after: Command) -> None:
    shown = after(["status"])
    assert (shown.code, shown.err) == (0, "")
    heading = ["SIM0001", "multi_trader_simple", traded.session_id]
    assert shown.out.splitlines()[0].split()[:3] == heading
    assert "running" not in shown.out
    rows = [line.split() for line in shown.out.splitlines()]
    assert [row[0] for row in rows if row and row[0] in NAMES] == NAMES
    [sums] = [row for row in rows if row[:2] == ["All", str(len(NAMES))]]
    [session] = json.loads(after(["status", "--json"]).out)
    for column, name in enumerate(("cash", "equity", "pnl", "day_pnl"), 2):
        total = sum(Decimal(one[name]) for one in session["strategies"])
        assert sums[column] == f"{total:z,.2f}", name


def test_end_of_day_leaves_a_session_that_is_still_traded_to_its_end(traded: Traded) -> None:
    first, second = traded.loading.splitlines()
    assert first == f"Still traded, and loaded after its end: {traded.session_id}."
    assert second.startswith("Nothing to load: ")


def test_end_of_day_loads_what_no_load_left_and_repeats_to_the_same(
    traded: Traded, after: Command
) -> None:
    assert not (traded.shell.home / "warehouse.duckdb").exists()
    for _ in range(2):
        loaded = after(["end-of-day"])
        assert loaded.code == 0, loaded.err
        assert loaded.out.startswith("1 session of the journal in ")
        asked = after(["sql", "--csv", "SELECT strategy, session_id FROM pnl_daily"])
        lines = [line.split(",") for line in asked.out.splitlines()[1:]]
        assert sorted(line[0] for line in lines) == sorted([*NAMES, "UNASSIGNED"])
        assert {line[1] for line in lines} == {traded.session_id}


def test_end_of_day_takes_one_session_by_its_id(traded: Traded, after: Command) -> None:
    loaded = after(["end-of-day", "--session", traded.session_id])
    assert loaded.code == 0, loaded.err


def test_a_session_that_is_not_there_is_named_beside_those_that_are(
    traded: Traded, after: Command
) -> None:
    missing = after(["end-of-day", "--session", "2020-01-01.none"])
    assert (missing.code, missing.out) == (2, "")
    assert "'2020-01-01.none'" in missing.err
    assert traded.session_id in missing.err


def test_the_report_is_written_and_its_path_printed(traded: Traded, after: Command) -> None:
    assert after(["end-of-day"]).code == 0
    for args in (["report"], ["report", "--session", traded.session_id]):
        told = after(args)
        assert told.code == 0, told.err
        page = Path(told.out.strip())
        assert page == traded.shell.home / "reports" / f"{traded.session_id}.html"
        assert "SPY_Adaptive" in page.read_text()
        assert "simulated (fill model: spread)" in page.read_text()
    missing = after(["report", "--session", "none"])
    assert (missing.code, missing.out) == (2, "")
    assert "no session 'none'" in missing.err


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


def test_nobody_waits_for_the_warehouse_while_the_broker_is_asked(
    traded: Traded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cli import loading

    file = tmp_path / "own.duckdb"
    monkeypatch.setenv("MULTI_TRADER_HOME", str(traded.shell.home))
    monkeypatch.setenv("MULTI_TRADER_WAREHOUSE", str(file))
    writer = (
        "import sys; from warehouse import Store; Store.open(sys.argv[1], deadline_s=0).close()"
    )
    written = []

    def write_meanwhile(*_: object) -> str:
        written.append(subprocess.run([sys.executable, "-c", writer, str(file)], check=False))
        return "it has nothing to say"

    monkeypatch.setattr(loading, "ask_broker", lambda **_: write_meanwhile)
    loading.load_after(traded.session_id)
    assert [done.returncode for done in written] == [0]
    with Store.open_read_only(file) as store:
        assert store.connection.execute("SELECT status FROM loads").fetchall() == [("loaded",)]


def test_a_damaged_journal_is_told_after_its_session_and_fails_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    from cli.loading import load_after

    journal = tmp_path / "PA1" / "journal.db"
    journal.parent.mkdir()
    journal.write_bytes(NO_JOURNAL)
    monkeypatch.setenv("MULTI_TRADER_HOME", str(tmp_path))
    load_after("2026-03-17.c.PA1")
    told = capfd.readouterr().err
    assert f"the session is not in the warehouse. {journal} cannot be used as a journal" in told
    assert "Repeat with: multi-trader end-of-day --session 2026-03-17.c.PA1" in told
    assert "Look at it" not in told


def test_after_a_session_what_one_that_died_left_is_loaded_too_and_none_that_is_still_traded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    from cli.loading import load_after

    died, ended = a_day_that_is_still_running(), the_next_day()
    keep(tmp_path, died)
    keep(tmp_path, [replace(opening_of(died), session_id=RUNS, coordinator="other")], name="other")
    keep(tmp_path, ended)
    monkeypatch.setenv("MULTI_TRADER_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    with Leases() as leases:
        leases.take_for_coordinator("PA1", "other")
        load_after(opening_of(ended).session_id)
    with Store.open_read_only(tmp_path / "warehouse.duckdb") as store:
        loaded = store.connection.execute("SELECT session_id FROM loads ORDER BY ALL").fetchall()
    assert loaded == [(opening_of(records).session_id,) for records in (died, ended)]
    next_step = f"Look at it: multi-trader report --session {opening_of(ended).session_id}\n"
    assert capfd.readouterr().err.endswith(next_step)


def test_a_run_that_finds_the_market_closed_names_what_is_not_in_the_warehouse(
    at: Callable[..., Said], tmp_path: Path
) -> None:
    keep(tmp_path, list(paper(a_day_that_is_still_running())))  # and died
    with venue(tmp_path, date=date(2026, 3, 15)) as running:
        stocks = written(tmp_path, configs.single("momentum"))
        told = at(running, "run", "--config", str(stocks))
        with Store.open(tmp_path / "warehouse.duckdb") as store:
            (loaded,) = [load_session(store, source) for source in session_sources(tmp_path)]
        silent = at(running, "run", "--config", str(stocks))
    assert (
        told.out == "MarketClosed: No session is left for these strategies today.\n" == silent.out
    )
    assert f"Not in the warehouse, or changed since they were loaded: {loaded.session_id}.\n" in (
        told.err
    )
    assert "Load with: multi-trader end-of-day" in told.err
    assert "warehouse" not in silent.err


RUNS = "2026-03-17.other.PA1"


def opening_of(records: Sequence[r.Record]) -> r.SessionOpened:
    """The record that opens the session."""
    (opened,) = (one for one in records if isinstance(one, r.SessionOpened))
    return opened


NO_JOURNAL = b"something else" * 100


def beside_a_damaged_account(home: Path) -> Path:
    """Two accounts: PA1's session has ended, and PA0's journal is none any more; that one."""
    keep(home, a_day(), "PA1")
    damaged = home / "PA0" / "journal.db"
    damaged.parent.mkdir()
    damaged.write_bytes(NO_JOURNAL)
    return damaged


def test_an_account_whose_journal_is_damaged_keeps_no_other_out_of_the_warehouse(
    command: Command, tmp_path: Path
) -> None:
    damaged = beside_a_damaged_account(tmp_path / "state")
    for args in (["end-of-day"], ["end-of-day", "--json"]):
        loaded = command(args)
        assert loaded.code == 1
        assert f"Not loaded: {damaged} cannot be used as a journal" in loaded.err
    told = json.loads(loaded.out)
    assert (told["sessions"], len(told["not_loaded"])) == (["2026-03-17.bench.PA1"], 1)
    asked = command(["sql", "--csv", "SELECT session_id FROM sessions"])
    assert asked.out.splitlines()[1:] == ["2026-03-17.bench.PA1"]
    named = command(["end-of-day", "--session", "2026-03-17.bench.PA1"])
    assert (named.code, "cannot be used" in named.err) == (0, False)
    refused = command(["end-of-day", "--session", "2026-03-17.bench.PA0"])
    assert (refused.code, refused.out) == (1, "")
    assert f"{damaged} cannot be used as a journal" in refused.err


def test_where_only_a_damaged_journal_is_nobody_says_that_there_is_none(
    command: Command, tmp_path: Path
) -> None:
    damaged = beside_a_damaged_account(tmp_path / "state")
    shutil.rmtree(tmp_path / "state" / "PA1")
    for name in ("end-of-day", "status"):
        said = command([name])
        assert (said.code, said.out) == (1, "")
        assert f"{damaged} cannot be used as a journal" in said.err


def test_status_shows_the_accounts_beside_a_damaged_one(command: Command, tmp_path: Path) -> None:
    damaged = beside_a_damaged_account(tmp_path / "state")
    shown = command(["status"])
    assert shown.code == 1
    assert "PA1  bench  2026-03-17.bench.PA1" in shown.out
    assert f"Not shown: {damaged} cannot be used as a journal" in shown.err


def test_of_simulated_sessions_that_are_over_status_shows_a_coordinators_newest(
    command: Command, tmp_path: Path
) -> None:
    simulated = [
        replace(one, mode="simulated") if isinstance(one, r.SessionOpened) else one
        for one in a_day()
    ]
    for account, records in (
        ("PA1", list(paper(a_day()))),
        *((f"SIM{n}", simulated) for n in "123"),
    ):
        named = [
            replace(one, session_id=f"2026-03-17.bench.{account}")
            if isinstance(one, r.SessionOpened | r.SessionResumed)
            else one
            for one in records
        ]
        keep(tmp_path / "state", named, account)
    shown = command(["status"])
    assert (shown.code, shown.err) == (0, "")
    assert shown.out.splitlines()[0] == "2 older simulated sessions are left out; --json has all."
    assert re.findall(r"2026-03-17\.bench\.(\w+)", shown.out) == ["PA1", "SIM3"]
    assert len(json.loads(command(["status", "--json"]).out)) == 4


def test_before_the_first_session_nothing_is_an_answer(command: Command) -> None:
    shown = command(["status"])
    assert (shown.code, shown.err) == (0, "")
    assert "No session under" in shown.out
    assert "multi-trader run" in shown.out
    assert json.loads(command(["status", "--json"]).out) == []
    loaded = command(["end-of-day"])
    assert loaded.code == 0
    assert "Nothing to load" in loaded.out


def test_explain_says_where_to_ask_once_the_session_is_over_and_there_it_is_answered(
    after: Command, traded: Traded
) -> None:
    after(["end-of-day"])
    said = after(["explain", "SPY_Adaptive"])
    assert (said.code, said.out) == (1, "")
    [query] = re.findall(r'`multi-trader sql "(.*)"`', said.err)
    answer = after(["sql", query, "--csv"])
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.splitlines()[0] == "strategy,decided_at,symbol,side,status,reason"
    assert after(["report"]).code == 0
