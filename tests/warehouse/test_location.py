"""Where a warehouse may lie, and what is said of any other place."""

from __future__ import annotations

from pathlib import Path

import pytest

from coordinator.settings import warehouse_path
from warehouse import Store, WarehouseUnsupported
from warehouse.location import is_file, refuse_unsupported

REFUSED = [
    ("ducklake:books.ducklake", "DuckLake keeps no primary keys"),
    ("ducklake:postgres:dbname=books", "DuckLake keeps no primary keys"),
    ("postgres:dbname=books", "neither DuckDB's decimals of 38 digits nor its macros"),
    ("sqlite:books.db", "neither DuckDB's decimals of 38 digits nor its macros"),
    ("s3://bucket/books.duckdb", "can be read and not written"),
    ("https://example.com/books.duckdb", "can be read and not written"),
    ("nonsense:books", "no such kind of place is known"),
]


@pytest.mark.parametrize(("location", "why"), REFUSED)
def test_a_place_that_cannot_hold_a_warehouse_is_refused_before_anything_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, location: str, why: str
) -> None:
    monkeypatch.chdir(tmp_path)
    for opens in (Store.open, Store.open_read_only):
        with pytest.raises(WarehouseUnsupported, match=why) as refused:
            opens(location)
        assert "MULTI_TRADER_WAREHOUSE" in str(refused.value)
        assert "md:<database>" in str(refused.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("location", ["state/warehouse.duckdb", "/a/b:c.duckdb", "C:books"])
def test_a_path_is_a_file_whatever_letters_it_has(location: str) -> None:
    assert is_file(location)
    refuse_unsupported(location)


@pytest.mark.parametrize("location", ["md:books", "motherduck:books", ":memory:"])
def test_what_duckdb_itself_serves_is_handed_to_it(location: str) -> None:
    assert not is_file(location)
    if location != ":memory:":
        refuse_unsupported(location)


@pytest.mark.parametrize("location", [place for place, _ in REFUSED])
def test_the_environment_may_name_no_such_place_by_a_path_of_that_name(location: str) -> None:
    assert warehouse_path({"MULTI_TRADER_WAREHOUSE": location}) == location
    assert warehouse_path({"MULTI_TRADER_WAREHOUSE": "books.duckdb"}) == Path("books.duckdb")
