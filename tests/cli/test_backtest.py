"""`multi-trader backtest`: what it writes, says and refuses, and what Ctrl-C leaves."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest

from tests.backtest.recording import MONDAY, strategy, write_recording
from tests.cli.conftest import Said, Shell

Command = Callable[[Sequence[str]], Said]
CONFIG = {"strategies": [strategy("Fast", "SPY"), strategy("Slow", "SPY", "QQQ", kind="rsi")]}
TABLES = ("sessions", "strategies", "bars", "orders", "fills", "activities", "positions")
TABLES += ("pnl_daily", "equity", "discrepancies")


@pytest.fixture(scope="session")
def bars(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two sessions of SPY and QQQ, Monday and Tuesday."""
    path = tmp_path_factory.mktemp("recording") / "bars.parquet"
    return write_recording(path, ["SPY", "QQQ"], MONDAY, date(2026, 3, 17))


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return written(tmp_path / "mine.json", CONFIG)


def written(path: Path, document: object) -> Path:
    path.write_text(json.dumps(document))
    return path


def rows(warehouse: Path, table: str) -> list[tuple[object, ...]]:
    with duckdb.connect(str(warehouse), read_only=True) as books:
        books.execute("SET TimeZone = 'UTC'")
        return books.execute(f"SELECT * FROM {table} ORDER BY ALL").fetchall()


def test_sessions_go_into_the_warehouse_and_the_summary_and_pnl_are_told(
    command: Command, tmp_path: Path, config: Path, bars: Path
) -> None:
    said = command(["backtest", "--config", str(config), "--bars", str(bars)])

    warehouse = tmp_path / "state" / "warehouse.duckdb"
    assert said.code == 0, said.err
    assert said.err == ""  # no progress where nobody watches
    assert "MULTI-TRADER COORDINATOR SUMMARY" in said.out
    assert "2 of 2 sessions, 2026-03-16 to 2026-03-17; fills: spread." in said.out
    *_, place, report = said.out.splitlines()
    assert place.endswith(str(Path("warehouse.duckdb")))
    looked = command(report.partition("multi-trader ")[2].split())
    assert (looked.code, Path(looked.out.strip()).exists()) == (0, True), looked.err
    modes = {(row[3], row[7]) for row in rows(warehouse, "sessions")}
    assert modes == {("backtest", "closed")}
    assert len(rows(warehouse, "fills")) > 50
    assert rows(warehouse, "quarantine") == []


def test_the_table_has_the_sums_of_all_and_each_strategys_risk(
    command: Command, config: Path, bars: Path
) -> None:
    said = command(["backtest", "--config", str(config), "--bars", str(bars)])
    lines = [line.split() for line in said.out.splitlines()]
    of_strategies = "FROM v_performance WHERE strategy <> 'UNASSIGNED'"
    found = tell(command, f"SELECT strategy, sharpe, max_drawdown {of_strategies}")
    assert len(found) > 1
    for one in found:
        [line] = [line for line in lines if line[:1] == [one["strategy"]]]
        assert line[-2:] == [f"{one['sharpe']:z.2f}", f"{one['max_drawdown']:z.2%}"]
    [of_all] = [line for line in lines if line[:2] == ["All", str(len(found))]]
    [sums] = tell(
        command,
        "SELECT sum(net_pnl)::DOUBLE AS net_pnl, sum(start_equity)::DOUBLE AS began"
        f" {of_strategies}",
    )
    assert of_all[4:6] == [f"{sums['net_pnl']:,.2f}", f"{sums['net_pnl'] / sums['began']:+.2%}"]


def test_a_shorter_run_has_not_the_risk_of_a_longer_one_before_it(
    command: Command, config: Path, bars: Path
) -> None:
    both = ["backtest", "--config", str(config), "--bars", str(bars)]
    first = [*both, "--end", MONDAY.isoformat()]
    for run, has_risk in ((first, True), (both, True), (first, False)):
        lines = [line.split() for line in command(run).out.splitlines()]
        [line] = [line for line in lines if line[:1] == ["Slow"]]
        assert (line[-1] != "-") is has_risk


def tell(command: Command, query: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(command(["sql", "--json", query]).out)
    return found


@pytest.mark.parametrize(
    ("days", "missing"),
    [((13, 16), 0), ((13, 17), 1), ((12, 17, 19), 3)],
    ids=["a weekend alone", "a Monday", "more"],
)
def test_days_that_the_bars_lack_are_counted_without_weekends(
    command: Command, tmp_path: Path, days: Sequence[int], missing: int
) -> None:
    every = write_recording(
        tmp_path / "b.parquet", ["SPY", "QQQ"], date(2026, 3, 12), date(2026, 3, 19)
    )
    bars = pd.read_parquet(every)
    bars[bars["timestamp"].dt.day.isin(days)].to_parquet(every)
    config = written(tmp_path / "mine.json", CONFIG)
    said = command(["backtest", "--config", str(config), "--bars", str(every), "--json"])
    warning = (
        f"Warning: trading days without bars between these sessions: {missing}. What was held"
        " stayed held over them.\n"
    )
    assert (said.code, said.err) == (0, warning if missing else "")


HOLDS = {"name": "Holds", "strategy_type": "buy_and_hold"}


@pytest.mark.parametrize("more", [{"tickers": ["SPY"]}, {"sweep": {"tickers": ["SPY", "QQQ"]}}])
def test_a_split_that_the_bars_are_not_adjusted_for_is_told(
    command: Command, tmp_path: Path, bars: Path, more: dict[str, Any]
) -> None:
    frame = pd.read_parquet(bars)
    after = (frame["timestamp"].dt.day == 17) & (frame["symbol"] == "SPY")
    frame.loc[after, ["open", "high", "low", "close"]] /= 4
    split = tmp_path / "split.parquet"
    frame.to_parquet(split)
    config = written(tmp_path / "mine.json", {"strategies": [HOLDS | more]})
    said = command(["backtest", "--config", str(config), "--bars", str(split)])
    assert said.code == 0
    told = r"Warning: 2026-03-17: SPY leapt from [\d.]+ to [\d.]+: a split, or a wrong price\?"
    assert re.match(told + " Its ticker was not bought any more in that session", said.err)
    assert said.err.count("\n") == 1


def test_the_result_as_json_is_what_the_warehouse_holds(
    command: Command, tmp_path: Path, config: Path, bars: Path
) -> None:
    place = tmp_path / "elsewhere.duckdb"
    more = f"--json --warehouse {place} --fill-model close --start 2026-03-17".split()
    said = command(["backtest", "--config", str(config), "--bars", str(bars), *more])
    told = json.loads(said.out)
    with duckdb.connect(str(place), read_only=True) as books:
        query = "SELECT strategy, sum(net_pnl)::TEXT, sum(fills) FROM pnl_daily JOIN sessions "
        query += "USING (session_id) WHERE account = ? AND strategy <> 'UNASSIGNED' GROUP BY 1"
        held = books.execute(query + " ORDER BY 1", [told["account"]]).fetchall()
    assert [(o["strategy"], o["fills"]) for o in told["strategies"]] == [
        (name, fills) for name, _, fills in held
    ]
    assert [float(o["net_pnl"]) for o in told["strategies"]] == [float(pnl) for _, pnl, _ in held]
    assert (told["fill_model"], told["sessions"], told["mode"]) == ("close", 1, "backtest")
    assert told["warehouse"] == str(place)
    assert not (tmp_path / "state").exists()


@pytest.mark.thorough
def test_the_same_backtest_gives_the_same_rows_byte_for_byte_and_replaces_its_own(
    command: Command, tmp_path: Path, config: Path, bars: Path
) -> None:
    asked = ["backtest", "--config", str(config), "--bars", str(bars)]
    one, two = tmp_path / "one.duckdb", tmp_path / "two.duckdb"
    for place in (one, one, two):
        assert command([*asked, "--warehouse", str(place)]).code == 0
    for table in TABLES:
        assert rows(one, table) == rows(two, table), table


@pytest.mark.thorough
@pytest.mark.parametrize(
    "other", [["--fill-model", "close"], ["--start", "2026-03-17"], ["--config", "other.json"]]
)
def test_another_backtest_stands_beside_it(
    command: Command, tmp_path: Path, config: Path, bars: Path, other: list[str]
) -> None:
    written(tmp_path / "other.json", {"strategies": CONFIG["strategies"][:1]})
    asked = ["backtest", "--config", str(config), "--bars", str(bars)]
    assert command(asked).code == 0
    assert command([*asked, *other]).code == 0
    held = rows(tmp_path / "state" / "warehouse.duckdb", "sessions")
    accounts = {str(row[2]) for row in held}
    assert len(accounts) == 2
    assert all(account.startswith("BT-") for account in accounts)


def test_a_longer_run_of_the_same_adds_to_its_sessions(
    command: Command, tmp_path: Path, config: Path, bars: Path
) -> None:
    asked = ["backtest", "--config", str(config), "--bars", str(bars)]
    assert command([*asked, "--end", "2026-03-16"]).code == 0
    warehouse = tmp_path / "state" / "warehouse.duckdb"
    monday = set(rows(warehouse, "fills"))
    assert command(asked).code == 0
    assert monday < set(rows(warehouse, "fills"))
    assert len({row[2] for row in rows(warehouse, "sessions")}) == 1


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"--bars": "none.parquet"}, "there is no such file"),
        ({"--bars": "."}, "is not a file; give --bars"),
        ({"--bars": "mine.json"}, "cannot be read as Parquet"),
        ({"--bars": "mine.json"}, "Give --bars a Parquet file, or a CSV file whose name ends in"),
        ({"--source": "alpaca"}, "no column 'source'"),
        ({"--start": "2026-03-20"}, "has no bars of SPY, QQQ from 2026-03-20; it has them from"),
        ({"--start": "2026-03-20"}, "from 2026-03-16 to 2026-03-17. Give --start and --end within"),
        ({"--start": "2026-03-17", "--end": "2026-03-16"}, "the other way round"),
        ({"--start": "yesterday"}, "is not a date"),
        ({"--fill-model": "wishful"}, "fill model 'wishful' is not known"),
        ({"--config": "none.json"}, "give the path of a JSON file"),
        ({"--config": "unknown.json"}, "has no bars of XYZ; it holds QQQ, SPY."),
        ({"--config": "off.json"}, "no strategy is enabled"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence_that_says_what_to_do(
    command: Command,
    tmp_path: Path,
    config: Path,
    bars: Path,
    changes: dict[str, str],
    words: str,
) -> None:
    written(tmp_path / "unknown.json", {"strategies": [strategy("A", "SPY", "XYZ")]})
    written(tmp_path / "off.json", {"strategies": [strategy("A", "SPY", enabled=False)]})
    asked = {"--config": str(config), "--bars": str(bars)} | changes
    said = command(["backtest", *(word for pair in asked.items() for word in pair)])
    assert (said.code, said.out) == (2, "")
    assert words in " ".join(said.err.split())
    assert "Traceback" not in said.err
    assert not (tmp_path / "state").exists()


BROKEN = """
class Broken:
    strategy_type = "broken"

    def generate_signal(self, bars):
        return 1 / 0
"""


@pytest.mark.parametrize("as_json", [False, True])
def test_a_strategy_that_fails_is_told_with_file_and_line_and_exit_code_1(
    command: Command, tmp_path: Path, bars: Path, as_json: bool
) -> None:
    (tmp_path / "own").mkdir(mode=0o700)
    (tmp_path / "own" / "broken.py").write_text(BROKEN)
    (tmp_path / "own" / "broken.py").chmod(0o600)
    broken = {"name": "Broken", "strategy_type": "broken", "tickers": ["SPY"]}
    document = {"strategies_dir": "own", "strategies": [broken, strategy("Fast", "SPY")]}
    config = written(tmp_path / "own.json", document)
    more = ["--json"] if as_json else []
    said = command(["backtest", "--config", str(config), "--bars", str(bars), *more])
    assert said.code == 1
    assert said.err.count("\n") == 1
    assert said.err.startswith("Warning: Broken failed in 2 of 2 sessions")
    assert "first on 2026-03-16" in said.err
    assert "ZeroDivisionError: division by zero" in said.err
    assert "own/broken.py:6" in said.err
    if as_json:
        (failing,) = json.loads(said.out)["failing"]
        assert (failing["strategy"], failing["first"], failing["sessions"]) == (
            *("Broken", "2026-03-16"),
            2,
        )
    else:
        assert "Fast" in said.out


@pytest.mark.slow
def test_ctrl_c_keeps_the_sessions_that_are_over(shell: Shell, tmp_path: Path) -> None:
    path = write_recording(tmp_path / "b.parquet", ["SPY"], MONDAY, date(2026, 5, 29))
    config = written(tmp_path / "mine.json", {"strategies": [strategy("Fast", "SPY")]})
    warehouse = shell.home / "warehouse.duckdb"
    with shell.start("backtest", "--config", str(config), "--bars", str(path)) as process:
        while process.poll() is None and not has_a_session(warehouse):
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "the sessions that are over are kept" in err
    told = re.search(r"(\d+) of (\d+) sessions", out)
    assert told is not None
    kept, asked = map(int, told.groups())
    assert 0 < kept < asked
    assert kept == len(rows(warehouse, "sessions"))
    assert "MULTI-TRADER COORDINATOR SUMMARY" in out


def has_a_session(warehouse: Path) -> bool:
    try:
        return bool(rows(warehouse, "sessions"))
    except duckdb.Error:
        return False  # not there yet, or being written


@pytest.mark.slow
@pytest.mark.parametrize("columns", [80, 40])
def test_a_terminal_shows_how_far_it_is(
    shell: Shell, tmp_path: Path, config: Path, bars: Path, columns: int
) -> None:
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "cli", "backtest", "--config", str(config), "--bars", str(bars)],
        cwd=tmp_path,
        env={**shell.environment, "TERM": "xterm", "COLUMNS": str(columns)},
        stdout=subprocess.DEVNULL,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        shown = b""
        while True:
            try:
                piece = os.read(ours, 65536)
            except OSError:  # the other side has closed
                break
            if not piece:
                break
            shown += piece
    os.close(ours)
    assert process.returncode == 0
    assert b"100%" in shown
    assert "…".encode() not in shown
    assert (b"of 800 minutes" in shown, b"a second" in shown) == (columns == 80,) * 2


@pytest.mark.parametrize("means", ["close", "participation"])
def test_a_volume_finer_than_the_warehouse_keeps_is_rounded_to_its_last_place(
    command: Command, tmp_path: Path, means: str
) -> None:
    volumes = [0.0064248423304057445, 0.00016406664069179566, 12.5]
    starts = pd.date_range("2026-03-17", periods=len(volumes), freq="min", tz="UTC")
    frame = pd.DataFrame({"symbol": "BTC/USD", "timestamp": starts, "volume": volumes})
    recording = tmp_path / "coins.parquet"
    frame.assign(open=70.5, high=71.0, low=70.0, close=70.5).to_parquet(recording)
    config = written(tmp_path / "coins.json", {"strategies": [strategy("Coins", "BTC/USD")]})
    asked = f"backtest --config {config} --bars {recording} --fill-model {means}"

    said = command(asked.split())

    warehouse = tmp_path / "state" / "warehouse.duckdb"
    assert (said.code, said.err) == (0, "")
    assert rows(warehouse, "quarantine") == []
    assert [str(row[8]) for row in rows(warehouse, "bars")] == [
        "0.006424842330405744",
        "0.000164066640691796",
        "12.500000000000000000",
    ]


def quiet_minutes(path: Path, *spans: tuple[str, int], **columns: float) -> Path:
    """So many bars of SPY from each start, UTC, all at one price."""
    starts = [pd.date_range(start, periods=n, freq="min", tz="UTC") for start, n in spans]
    prices = {"open": 50.0, "high": 51.0, "low": 49.0, "close": 50.0, "volume": 7.0} | columns
    frame = pd.DataFrame({"timestamp": starts[0].append(starts[1:])})
    frame.assign(symbol="SPY", **prices).to_parquet(path)
    return path


def test_bars_outside_of_the_exchanges_hours_make_no_session(
    command: Command, tmp_path: Path
) -> None:
    config = written(tmp_path / "mine.json", {"strategies": [strategy("Fast", "SPY")]})
    evening = ("2026-03-18 00:00", 30)  # 20:00 in New York, the 17th
    asked = f"backtest --config {config} --bars {tmp_path / 'bars.parquet'}"

    quiet_minutes(tmp_path / "bars.parquet", ("2026-03-17 19:30", 30), evening)
    said = command(asked.split())
    assert "1 of 1 sessions, 2026-03-17 to 2026-03-17;" in said.out

    quiet_minutes(tmp_path / "bars.parquet", evening)
    said = command(asked.split())
    assert said.code == 2
    assert "no bars of SPY in a session of the exchange: those from 2026-03-18" in said.err


@pytest.mark.parametrize("wrong", [{"close": 60.0}, {"vwap": 1e30}])
def test_what_is_wrong_with_a_bar_is_corrected_in_the_file_of_bars(
    command: Command, tmp_path: Path, wrong: dict[str, float]
) -> None:
    config = written(tmp_path / "mine.json", {"strategies": [strategy("Fast", "SPY")]})
    bars = quiet_minutes(tmp_path / "bars.parquet", ("2026-03-17 14:00", 3), **wrong)
    said = command(f"backtest --config {config} --bars {bars}".split())
    assert (said.code, said.err.count("3 rows were refused")) == (0, 1)
    assert "correct the file of bars, and repeat the backtest." in said.err
    assert "journal" not in said.err
