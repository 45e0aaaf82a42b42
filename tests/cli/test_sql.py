"""`sql` answers one question from a real warehouse, exactly, and can do nothing else."""

from __future__ import annotations

import csv
import io
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path

import pytest

from tests.cli.conftest import Said, Shell
from tests.warehouse.builder import Day
from warehouse import Store, load_session

Command = Callable[[Sequence[str]], Said]
FILLS = "SELECT symbol, side, qty, price FROM fills ORDER BY filled_at"


def fill_warehouse(path: Path) -> None:
    """One session of two strategies with three executions."""
    day = Day("s1")
    day.buy("Alpha", "SPY", "23.5", "450.23")
    day.sell("Alpha", "SPY", "23.5", "451")
    day.buy("Beta", "BTC/USD", "0.012345678", "64000.5")
    with Store.open(path) as store:
        assert load_session(store, day.source()).quarantined == 0


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("filled") / "warehouse.duckdb"
    fill_warehouse(path)
    return path


@pytest.fixture
def warehouse(tmp_path: Path, filled: Path) -> Path:
    path = tmp_path / "state" / "warehouse.duckdb"
    path.parent.mkdir()
    shutil.copyfile(filled, path)
    return path


@pytest.mark.usefixtures("warehouse")
def test_the_answer_is_a_table_with_plain_numbers(command: Command) -> None:
    said = command(["sql", FILLS])
    assert (said.code, said.err) == (0, "")
    rows = [line.split() for line in said.out.splitlines()]
    assert rows[0] == ["symbol", "side", "qty", "price"]
    assert rows[2:-1] == [
        ["SPY", "buy", "23.5", "450.23"],
        ["SPY", "sell", "23.5", "451"],
        ["BTC/USD", "buy", "0.012345678", "64000.5"],
    ]
    assert rows[-1] == ["(3", "rows)"]


@pytest.mark.usefixtures("warehouse")
def test_json_keeps_every_digit(command: Command) -> None:
    said = command(["sql", "--json", FILLS])
    rows = json.loads(said.out, parse_float=Decimal)
    assert [row["qty"] for row in rows] == [
        Decimal("23.5"),
        Decimal("23.5"),
        Decimal("0.012345678"),
    ]
    assert rows[0]["symbol"] == "SPY"


@pytest.mark.usefixtures("warehouse")
def test_csv_has_a_header_and_a_line_for_each_row(command: Command) -> None:
    said = command(["sql", "--csv", FILLS])
    rows = list(csv.DictReader(io.StringIO(said.out)))
    assert [row["price"] for row in rows] == ["450.23", "451", "64000.5"]


@pytest.mark.usefixtures("warehouse")
def test_json_loses_no_column_of_a_join_that_has_two_of_one_name(command: Command) -> None:
    said = command(["sql", "--json", "SELECT 1 AS qty, 2 AS qty, 3 AS qty_1, 4 AS qty"])
    assert json.loads(said.out) == [{"qty": 1, "qty_2": 2, "qty_1": 3, "qty_3": 4}]


@pytest.mark.parametrize("query", ["-- how many\nSELECT 3 AS n", "--how\nSELECT 3 AS n"])
@pytest.mark.usefixtures("warehouse")
def test_a_query_may_begin_with_a_comment(command: Command, query: str) -> None:
    assert command(["sql", query, "--csv"]).out == "n\n3\n"
    assert command(["sql", "--csv", "--", query]).out == "n\n3\n"
    assert "No such option: --cvs" in command(["sql", query, "--cvs"]).err


@pytest.mark.usefixtures("warehouse")
def test_no_row_is_an_answer_too(command: Command) -> None:
    nothing = "SELECT * FROM fills WHERE symbol = 'TSLA'"
    assert command(["sql", nothing]).out.endswith("(0 rows)\n")
    assert json.loads(command(["sql", "--json", nothing]).out) == []
    assert command(["sql", "--csv", nothing]).out.count("\n") == 1


@pytest.mark.thorough
@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM fills",
        "INSERT INTO fills SELECT * FROM fills",
        "DROP TABLE fills",
        "CREATE TABLE mine AS SELECT 1",
        "ATTACH 'other.duckdb'",
        "COPY fills TO 'fills.csv'",
        "SELECT * FROM read_text('secret.txt')",
        "SELECT * FROM 'secret.csv'",
        "INSTALL httpfs",
        "SET lock_configuration = false",
        "SELECT 1; SELECT 2",
        "SELECT 1; DROP TABLE fills",
        "",
        "SELECT nothing FROM fills",
        "SELEC 1",
    ],
)
def test_what_is_no_question_is_refused_and_changes_nothing(
    command: Command, warehouse: Path, tmp_path: Path, statement: str
) -> None:
    (tmp_path / "secret.txt").write_text("canary")
    (tmp_path / "secret.csv").write_text("a\ncanary\n")
    said = command(["sql", statement])
    assert said.code == 2
    assert said.out == ""
    assert said.err.startswith("Error: ")
    assert "canary" not in said.err
    assert "Traceback" not in said.err
    assert command(["sql", "--csv", "SELECT count(*) AS n FROM fills"]).out == "n\n3\n"
    assert not (tmp_path / "fills.csv").exists()


def test_before_the_first_session_there_is_nothing_to_ask(command: Command) -> None:
    said = command(["sql", "SELECT 1"])
    assert said.code == 1
    assert "There is no warehouse at" in said.err
    assert "multi-trader end-of-day" in said.err


def test_a_file_that_is_no_warehouse_is_named(command: Command, tmp_path: Path) -> None:
    file = tmp_path / "state" / "warehouse.duckdb"
    file.parent.mkdir()
    file.write_text("a letter to my broker")
    said = command(["sql", "SELECT 1"])
    assert said.code == 1
    assert str(file) in said.err
    assert file.read_text() == "a letter to my broker"


def test_the_warehouse_may_lie_elsewhere(
    command: Command, tmp_path: Path, filled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "books").mkdir()
    shutil.copyfile(filled, tmp_path / "books" / "mine.duckdb")
    monkeypatch.setenv("MULTI_TRADER_WAREHOUSE", str(tmp_path / "books" / "mine.duckdb"))
    assert command(["sql", "--csv", "SELECT count(*) AS n FROM fills"]).out == "n\n3\n"


@pytest.mark.thorough
def test_a_writer_is_waited_for(shell: Shell, warehouse: Path) -> None:
    holder = (
        "import sys\nfrom warehouse import Store\n"
        "with Store.open(sys.argv[1]): print('held', flush=True); sys.stdin.readline()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", holder, str(warehouse)],
        env=shell.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as writer:
        assert writer.stdin is not None
        assert writer.stdout is not None
        assert writer.stdout.readline() == "held\n"
        with shell.start("sql", "--csv", "SELECT count(*) AS n FROM fills") as asking:
            assert asking.stderr is not None
            assert f"in use by process {writer.pid}" in asking.stderr.readline()
            in_vain = shell.run("sql", "--wait", "0.1", "SELECT 1")
            assert (in_vain.returncode, in_vain.stdout) == (1, "")
            assert "for 0.1 s." in in_vain.stderr
            assert in_vain.stderr.endswith("everything in it stays whole: ask again then.\n")
            writer.stdin.close()
            out, _ = asking.communicate(timeout=60)
    assert (asking.returncode, out) == (0, "n\n3\n")
