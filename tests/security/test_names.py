"""A name is looked up and never run, and data is never SQL (rows 11 and 12)."""

from __future__ import annotations

import json
import sqlite3
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest

from coordinator.bootstrap import session_sources
from coordinator.shell import wire
from coordinator.shell.broker import Broker
from coordinator.shell.rest import Api
from tests.cli.conftest import Said
from tests.in_memory import ACCOUNT
from warehouse import LoadStatus, Store, load_session

Command = Callable[[Sequence[str]], Said]
Keep = Callable[[Path], str]

EVIL_TYPES = [
    "os:system",
    "os.system",
    "../../evil",
    "evil",
    "evil:Evil",
    "evil.Evil",
    "./evil.py",
    "__import__",
    "__class__",
    "__import__('evil')",
    "builtins:exec",
    "coordinator.strategies.rsi:RsiStrategy",
    "rsi:__init__",
    "rsi\0",
    "rsi ",
    "frame",
    "",
]
EVIL_NAMES = ["'; DROP TABLE fills; --", '"; DROP TABLE records; --', "../../evil", "a\0b", "a/b"]
PLACES = {
    "a strategy's name": lambda evil: {"strategies": [_entry(name=evil)]},
    "a ticker": lambda evil: {"strategies": [_entry(tickers=[evil])]},
    "a pair": lambda evil: {"strategies": [_entry(tickers=[f"BTC/{evil}"])]},
    "a parameter's name": lambda evil: {"strategies": [_entry(strategy_params={evil: 1})]},
    "a limit's name": lambda evil: {"strategies": [_entry(risk_config={evil: 1})]},
    "the feed": lambda evil: {"strategies": [_entry()], "feed": evil},
    "the mode": lambda evil: {"strategies": [_entry()], "mode": evil},
}


def _entry(**changes: Any) -> dict[str, Any]:
    return {"name": "A", "strategy_type": "rsi", "tickers": ["SPY"]} | changes


def _written(folder: Path, document: object) -> str:
    path = folder / "mine.json"
    path.write_text(json.dumps(document))
    return str(path)


@pytest.mark.parametrize("evil", EVIL_TYPES)
@pytest.mark.parametrize("verb", ["validate", "run"])
def test_a_strategy_type_that_nobody_offered_is_refused_and_nothing_is_imported(
    verb: str, evil: str, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "evil.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(str(tmp_path))
    said = command(
        [verb, "--config", _written(tmp_path, {"strategies": [_entry(strategy_type=evil)]})]
    )
    assert (said.code, said.out) == (2, "")
    assert "strategies[0].strategy_type" in said.err
    assert "evil" not in sys.modules


@pytest.mark.parametrize("evil", [*EVIL_TYPES, "below.evil", "below/evil", "own:Evil"])
def test_a_folder_of_strategies_offers_only_what_its_own_files_name(
    evil: str, command: Command, tmp_path: Path
) -> None:
    below = tmp_path / "own" / "below"
    below.mkdir(parents=True, mode=0o700)
    (tmp_path / "own").chmod(0o700)
    for folder in (tmp_path, tmp_path / "own", below):
        (folder / "evil.py").write_text("raise SystemExit('imported')\nclass Evil: ...\n")
        (folder / "evil.py").chmod(0o600)
    config = {"strategies_dir": "own", "strategies": [_entry(strategy_type=evil)]}
    said = command(["validate", "--config", _written(tmp_path, config)])
    assert (said.code, said.out) == (2, "")
    assert "unknown strategy type" in said.err
    assert not [name for name in sys.modules if "evil" in name]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("evil", EVIL_NAMES)
def test_a_name_that_is_sql_a_path_or_has_a_nul_is_refused(
    place: str, evil: str, command: Command, tmp_path: Path
) -> None:
    said = command(["run", "--config", _written(tmp_path, PLACES[place](evil))])
    assert (said.code, said.out) == (2, "")
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize("evil", ["../../evil", "a/b", "a\\b", "a\0b", "a\nb", "/etc/x"])
def test_a_coordinators_name_names_files_and_stays_in_its_folder(
    evil: str, command: Command, tmp_path: Path
) -> None:
    config = _written(tmp_path, {"name": evil, "strategies": [_entry()]})
    said = command(["run", "--config", config])
    assert (said.code, said.out) == (2, "")
    assert "name" in said.err


def _schemas(home: Path) -> tuple[list[Any], list[Any], list[Any]]:
    with sqlite3.connect(home / ACCOUNT / "journal.db") as journal:
        tables = journal.execute("SELECT sql FROM sqlite_master ORDER BY name").fetchall()
        count = journal.execute("SELECT count(*) FROM records").fetchall()
    with duckdb.connect(str(home / "warehouse.duckdb"), read_only=True) as warehouse:
        rows = warehouse.execute("SELECT sql FROM duckdb_tables() ORDER BY table_name").fetchall()
        rows += warehouse.execute("SELECT sql FROM duckdb_views() ORDER BY view_name").fetchall()
        rows += warehouse.execute("SELECT count(*) FROM fills").fetchall()
    return tables, count, rows


@pytest.mark.thorough
def test_a_session_asked_for_by_an_evil_name_is_not_found_and_no_schema_changes(
    command: Command, keep_session: Keep, tmp_path: Path
) -> None:
    home = tmp_path / "state"
    keep_session(home)
    assert command(["end-of-day"]).code == 0
    before, files = _schemas(home), sorted(tmp_path.rglob("*"))
    for evil in (EVIL_NAMES[0], "' OR '1'='1", "../../evil"):
        for verb in ("end-of-day", "report"):
            said = command([verb, "--session", evil])
            assert (said.code, said.out) == (2, ""), (evil, said)
            assert "Traceback" not in said.err
    assert _schemas(home) == before
    assert sorted(tmp_path.rglob("*")) == files


@dataclass(frozen=True)
class Renamed:
    """A session as its journal has it, but called otherwise."""

    rows_of: Callable[[], dict[str, list[dict[str, Any]]]]
    session_id: str
    mark: str = "1"

    def rows(self) -> dict[str, list[dict[str, Any]]]:
        """Every row of it under its new name."""
        return {
            table: [
                {**row, **({"session_id": self.session_id} if "session_id" in row else {})}
                for row in rows
            ]
            for table, rows in self.rows_of().items()
        }


@pytest.mark.thorough
def test_a_session_whose_name_is_sql_is_kept_and_told_under_it_and_nothing_else_happens(
    command: Command, keep_session: Keep, tmp_path: Path
) -> None:
    home, evil = tmp_path / "state", "2026-03-17.'; DROP TABLE fills; --.MEMORY"
    keep_session(home)
    [source] = session_sources(home)
    with Store.open(home / "warehouse.duckdb") as store:
        loaded = load_session(store, Renamed(source.rows, evil))
    assert (loaded.status, loaded.quarantined) == (LoadStatus.LOADED, 0)
    assert loaded.rows["fills"] > 0
    assert command(["report", "--session", evil]).code == 0
    assert [page.name for page in (home / "reports").iterdir()] == [f"{evil}.html"]
    _, _, kept = _schemas(home)
    assert kept[-1] == (loaded.rows["fills"],)


class OneAnswer:
    """A broker that answers every GET with the same."""

    def __init__(self, answer: object) -> None:
        self.answer = answer

    def get(self, api: Api, path: str, query: object) -> Any:
        return self.answer

    post = delete = get


@pytest.mark.parametrize("number", [*EVIL_NAMES, "..", ".", "", "-rf", "A" * 65, None, 7])
def test_an_account_number_names_a_folder_and_is_no_path(number: object) -> None:
    broker = Broker(OneAnswer({"account_number": number, "cash": "1"}), feed="iex")
    with pytest.raises(wire.Malformed, match="account without a usable number"):
        broker.account()


@pytest.mark.parametrize("symbol", [*EVIL_NAMES, "spy", "SPY ", "SPY\n", "", None, 7])
def test_a_bar_of_no_ticker_is_dropped(symbol: object) -> None:
    raw = {"S": symbol, **dict.fromkeys("ohlcv", 1), "t": "2026-03-17T13:30:00Z"}
    with pytest.raises(wire.Malformed, match="a bar of no ticker"):
        wire.parse_bar(raw)
