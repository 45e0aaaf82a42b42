"""The export: every row, exactly, in folders that a reader can prune."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from tests.warehouse.conftest import lively_day
from warehouse import ExportRefused, Store, WarehouseMissing, load_session
from warehouse.export import MANIFEST, export
from warehouse.schemas import TABLES

JSON = ("row", "params")
"""Columns that Parquet knows as texts."""


@pytest.fixture
def filled(location: Path) -> Path:
    """A warehouse of two days, of which one has a refused row."""
    day = lively_day()
    with Store.open(location) as store:
        load_session(store, day.source())
        after = day.next_day("s2")
        after.buy("Alpha", "SPY", "1", "460")
        after.activity("Alpha", "fee", "-0.01")
        after.rows["activities"][-1]["session_date"] = day.day
        source = after.source()
        source.tables["fills"][0]["side"] = "hold"
        assert load_session(store, source).status == "incomplete"
    return location


@pytest.mark.thorough
def test_every_row_of_every_table_comes_back_exactly(filled: Path, tmp_path: Path) -> None:
    counts = export(filled, tmp_path / "books")
    assert (counts["fills"], counts["quarantine"], counts["discrepancies"]) == (6, 1, 0)
    with duckdb.connect(str(filled), read_only=True) as stored:
        for name in [*TABLES, "quarantine"]:
            columns = ", ".join(f'"{c}"' for c in stored.table(name).columns if c not in JSON)
            there = f"read_parquet('{tmp_path}/books/{name}/**/*.parquet', hive_partitioning=true)"
            if name == "discrepancies":
                assert duckdb.sql(f"SELECT count(*) FROM {there}").fetchall() == [(0,)]
                continue
            back = stored.sql(f"SELECT {columns} FROM {there}")
            told = stored.sql(f"SELECT {columns} FROM {name}")
            assert sorted(map(repr, back.fetchall())) == sorted(map(repr, told.fetchall())), name


@pytest.mark.thorough
def test_the_folders_say_account_mode_and_date(filled: Path, tmp_path: Path) -> None:
    export(filled, tmp_path / "books")
    days = sorted(
        str(p.relative_to(tmp_path / "books")) for p in tmp_path.glob("books/orders/*/*/*")
    )
    assert days == [
        "orders/account=PA1/mode=simulated/session_date=2026-03-17",
        "orders/account=PA1/mode=simulated/session_date=2026-03-18",
    ]
    assert all(path.stat().st_mode & 0o077 == 0 for path in (tmp_path / "books").rglob("*"))


@pytest.mark.thorough
def test_an_export_replaces_an_earlier_one_and_nothing_else(filled: Path, tmp_path: Path) -> None:
    export(filled, tmp_path / "books")
    old = tmp_path / "books" / "fills" / "old.parquet"
    old.touch()
    export(filled, tmp_path / "books")
    assert not old.exists()
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "letter.txt").write_text("dear")
    with pytest.raises(ExportRefused, match="was left alone"):
        export(filled, mine)
    assert [path.name for path in mine.iterdir()] == ["letter.txt"]
    assert not [*tmp_path.glob("books.*"), *tmp_path.glob("mine.*")]


def test_an_export_leaves_a_neighbouring_folder_alone(filled: Path, tmp_path: Path) -> None:
    neighbour = tmp_path / "books.partial"
    neighbour.mkdir()
    (neighbour / "letter.txt").write_text("dear")
    export(filled, tmp_path / "books")
    assert [path.name for path in neighbour.iterdir()] == ["letter.txt"]


def test_a_warehouse_that_is_not_there_leaves_no_export(tmp_path: Path) -> None:
    with pytest.raises(WarehouseMissing):
        export(tmp_path / "none.duckdb", tmp_path / "books")
    assert not (tmp_path / "books" / MANIFEST).exists()
