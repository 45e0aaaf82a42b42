"""`multi-trader backtest` of a sweep: the ranking, what is kept, and what Ctrl-C leaves."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest
from rich.console import Console

from cli import tables
from tests.backtest.recording import MONDAY, TUESDAY, strategy, write_config, write_recording
from tests.cli.conftest import Said, Shell
from tests.coordinator.own_strategies import write_folder
from tests.docs.reading import save_files

Command = Callable[[Sequence[str]], Said]
SWEEP: dict[str, Any] = {
    "lookback_period": {"from": 2, "to": 30, "step": 2},
    "momentum_threshold": [0.0005, 0.001],
}


def grid(**more: Any) -> dict[str, Any]:
    entry = strategy("Grid", "SPY", **more)
    del entry["strategy_params"]
    return {"strategies": [{**entry, "sweep": SWEEP}, strategy("Plain", "SPY", kind="rsi")]}


@pytest.fixture(scope="session")
def bars(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recording") / "bars.parquet"
    return write_recording(path, ["SPY", "QQQ"], MONDAY, TUESDAY)


@pytest.fixture
def asked(tmp_path: Path, bars: Path) -> list[str]:
    config = write_config(tmp_path / "grid.json", grid())
    return ["backtest", "--config", str(config), "--bars", str(bars)]


def rows(warehouse: Path, sql: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(warehouse), read_only=True) as books:
        return books.execute(sql).fetchall()


@pytest.mark.thorough
def test_all_variants_are_ranked_and_the_best_are_kept_in_detail(
    command: Command, tmp_path: Path, asked: list[str]
) -> None:
    said = command([*asked, "--keep", "3"])
    warehouse = tmp_path / "state" / "warehouse.duckdb"
    assert said.code == 0, said.err
    assert said.err == ""
    assert "31 variants, 2 of 2 sessions, by net-pnl; fills: spread." in said.out
    assert "11 more in v_sweep" in said.out
    assert "Of fewer than 20 sessions the best is mostly luck: sweep more days" in said.out
    places = rows(warehouse, "SELECT strategy, days_in_detail FROM v_sweep ORDER BY place")
    assert [days for _, days in places] == [2] * 3 + [0] * 28
    ordered = rows(warehouse, "SELECT DISTINCT strategy FROM orders")
    assert {name for (name,) in ordered} == {name for name, _ in places[:3]}
    assert rows(warehouse, "SELECT count(*) FROM pnl_daily") == [(2 * 32,)]
    assert rows(warehouse, "SELECT * FROM quarantine") == []


@pytest.mark.thorough
@pytest.mark.parametrize(("by", "width"), [("net-pnl", 54), ("return", 58)])
def test_a_narrow_terminal_shows_whole_names_and_what_ranks_them(
    command: Command, asked: list[str], by: str, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "stdout", lambda: Console(width=width, highlight=False))
    said = command([*asked, "--keep", "0", "--by", by])
    ranked = [line.split() for line in said.out.splitlines() if line.lstrip()[:2] in ("1 ", "2 ")]
    assert [len(line) for line in ranked] == [5 + (by == "return")] * 2, ranked
    assert all(line[1].startswith(("Grid-lp", "Plain")) for line in ranked)
    left_out = "Details, Fees, Fills" + ", Return" * (by != "return")
    assert f"This terminal is too narrow for {left_out}; --json has all." in said.out


@pytest.mark.thorough
def test_as_json_every_variant_is_told_with_its_values_by_the_measure_that_was_asked_for(
    command: Command, asked: list[str]
) -> None:
    told = json.loads(command([*asked, "--json", "--by", "drawdown", "--keep", "0"]).out)
    falls = [one["max_drawdown"] for one in told["variants"]]
    assert falls == sorted(falls)
    assert (len(falls), told["by"], told["sessions"]) == (31, "drawdown", 2)
    one = next(v for v in told["variants"] if v["strategy"] == "Grid-lp2-mt0_001")
    assert one["swept"] == {"lookback_period": 2, "momentum_threshold": 0.001}
    assert {v["days_in_detail"] for v in told["variants"]} == {0}


@pytest.mark.thorough
def test_the_same_sweep_again_replaces_its_rows_by_the_same(
    command: Command, tmp_path: Path, asked: list[str]
) -> None:
    warehouse = tmp_path / "state" / "warehouse.duckdb"
    held = []
    for _ in range(2):
        assert command([*asked, "--keep", "2"]).code == 0
        tables = ("fills", "variants", "pnl_daily")
        held.append([rows(warehouse, f"SELECT * FROM {name} ORDER BY ALL") for name in tables])
    assert held[0] == held[1]


@pytest.mark.thorough
def test_a_shorter_sweep_is_ranked_by_its_own_days_and_not_by_a_longer_ones(
    command: Command, tmp_path: Path, asked: list[str]
) -> None:
    until = [*asked, "--keep", "0", "--json", "--end", MONDAY.isoformat()]
    alone, _, after = (
        json.loads(command(arguments).out)
        for arguments in (until, [*asked, "--keep", "0", "--json"], until)
    )
    assert after["variants"] == alone["variants"]
    assert {one["days"] for one in after["variants"]} == {1}
    held = rows(tmp_path / "state" / "warehouse.duckdb", "SELECT account, days FROM v_sweep")
    assert {days for account, days in held if account == after["account"]} == {1}
    assert {days for account, days in held if account != after["account"]} == {2}


@pytest.mark.thorough
def test_what_the_page_on_sweeps_shows_is_what_happens(
    command: Command, tmp_path: Path, bars: Path
) -> None:
    save_files("docs/sweeps.md", tmp_path)
    config = str(tmp_path / "sweep.json")
    more = ["--keep", "5", "--by", "sharpe", "--json"]
    said = command(["backtest", "--config", config, "--bars", str(bars), *more])
    assert said.code == 0, said.err
    told = json.loads(said.out)
    names = {one["strategy"] for one in told["variants"]}
    assert {"MA_RSI-sw2-lw8-slpnone-SPY", "Plain_RSI"} <= names
    assert told["left_out"] == 2 * 2 * 2  # 8 and 10 are not below 8


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--keep", "-1"], "is not a whole number from 0 to 20000"),
        (["--by", "luck"], "'luck' is no measure; use net-pnl, return, sharpe, sortino, drawdown"),
        (["--source", "alpaca"], "no column 'source'"),
    ],
)
def test_what_cannot_be_is_refused(
    command: Command, asked: list[str], more: list[str], words: str
) -> None:
    said = command([*asked, *more])
    assert (said.code, said.out) == (2, "")
    assert words in " ".join(said.err.replace("│", " ").split())


def test_without_a_sweep_there_is_nothing_to_keep_the_best_of(
    command: Command, tmp_path: Path, bars: Path
) -> None:
    config = write_config(tmp_path / "plain.json", {"strategies": [strategy("Plain", "SPY")]})
    said = command(["backtest", "--config", str(config), "--bars", str(bars), "--keep", "2"])
    assert said.code == 2
    assert "rank a sweep's variants" in " ".join(said.err.replace("│", " ").split())


FRAGILE = """\
class Fragile:
    strategy_type = "fragile"

    def __init__(self, least: int = 0, window: int = 3):
        self.least, self.window = least, window

    def generate_signal(self, bars):
        return 1 if 10 / self.least > len(bars) else -1
"""


@pytest.mark.thorough
@pytest.mark.parametrize("as_json", [False, True])
def test_variants_that_fail_are_counted_and_the_first_is_told_with_file_and_line(
    command: Command, tmp_path: Path, bars: Path, as_json: bool
) -> None:
    own = write_folder(tmp_path / "own", fragile=FRAGILE)
    entry = {"name": "Frail", "strategy_type": "fragile", "tickers": ["SPY"]}
    swept = {**entry, "sweep": {"least": [0, 1, 2], "window": [3, 4]}}
    document = {"strategies_dir": own.name, "strategies": [swept, strategy("Plain", "SPY")]}
    config = write_config(tmp_path / "own.json", document)
    more = ["--json"] if as_json else []
    said = command(["backtest", "--config", str(config), "--bars", str(bars), *more])
    assert said.code == 1
    assert said.err.count("\n") == 1
    assert said.err.startswith("Warning: 2 of 7 variants failed, and opened nothing more")
    assert "first Frail-l0-w3 on 2026-03-16: " in said.err
    assert "ZeroDivisionError" in said.err
    assert "own/fragile.py:8" in said.err
    assert said.err.endswith("Repair it and sweep again.\n")
    failed = rows(tmp_path / "state" / "warehouse.duckdb", "SELECT strategy FROM faults ORDER BY 1")
    assert failed == [(name,) for name in ("Frail-l0-w3", "Frail-l0-w4") for _ in range(2)]
    if as_json:
        failing = json.loads(said.out)["failing"]
        assert {(one["strategy"], one["sessions"]) for one in failing} == {
            ("Frail-l0-w3", 2),
            ("Frail-l0-w4", 2),
        }


@pytest.mark.thorough
def test_comparing_one_that_failed_warns_that_it_did_and_says_what_to_do(
    command: Command, tmp_path: Path, bars: Path
) -> None:
    own = write_folder(tmp_path / "own", fragile=FRAGILE)
    entry = {"name": "Frail", "strategy_type": "fragile", "tickers": ["SPY"]}
    document = {"strategies_dir": own.name, "strategies": [entry, strategy("Plain", "SPY")]}
    config = write_config(tmp_path / "own.json", document)
    assert command(["backtest", "--config", str(config), "--bars", str(bars)]).code == 1
    said = command(["compare", "Plain", "Frail"])
    assert said.code == 0
    assert "2 days in common" in said.out
    assert said.err.startswith("Warning: Frail (backtest, BT-")
    assert "failed on 2 of these 2 days" in said.err
    assert "own/fragile.py:8" in said.err
    assert said.err.endswith("on which it did not: --from and --to name them.\n")
    told = json.loads(command(["compare", "Plain", "Frail", "--json"]).out)["failed"]
    assert [one["days"] for one in told] == [["2026-03-16", "2026-03-17"]]


def test_a_session_refuses_a_sweep_and_says_what_to_do(command: Command, asked: list[str]) -> None:
    said = command(["run", "--simulate", "--config", asked[2]])
    assert said.code == 2
    assert 'sweep in "Grid" (30 variants)' in said.err
    assert "put the values that you choose into strategy_params" in " ".join(said.err.split())


@pytest.mark.slow
def test_ctrl_c_keeps_the_sessions_that_are_over_and_the_details_of_the_best(
    shell: Shell, tmp_path: Path
) -> None:
    path = write_recording(tmp_path / "b.parquet", ["SPY"], MONDAY, date(2026, 4, 30))
    config = write_config(tmp_path / "grid.json", grid())
    warehouse = shell.home / "warehouse.duckdb"
    words = ("backtest", "--config", str(config), "--bars", str(path), "--keep", "2")
    with shell.start(*words) as process:
        while process.poll() is None and not has_a_session(warehouse):
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    kept = len(rows(warehouse, "SELECT * FROM sessions"))
    assert f"31 variants, {kept} of" in out
    best = rows(warehouse, "SELECT days_in_detail FROM v_sweep ORDER BY place LIMIT 3")
    assert best == [(kept,), (kept,), (0,)]


def has_a_session(warehouse: Path) -> bool:
    try:
        return bool(rows(warehouse, "SELECT * FROM sessions"))
    except duckdb.Error:
        return False  # not there yet, or being written
