"""Loading a session: exact, repeatable, all or nothing."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from tests.warehouse.builder import Day, Row, Source, d
from tests.warehouse.conftest import DERIVED, Load, Rows
from warehouse import (
    LoadFault,
    LoadStatus,
    SourceRefused,
    Store,
    WarehouseUnreadable,
    load_session,
    load_sessions,
)
from warehouse.schemas import TABLES

CONTENT = [*TABLES, "quarantine", *DERIVED]


def content(store: Store) -> dict[str, list[str]]:
    """Every table's rows, as sorted text."""
    return {name: sorted(map(repr, store.connection.table(name).fetchall())) for name in CONTENT}


def test_every_row_arrives_with_every_digit(day: Day, load: Load, store: Store) -> None:
    day.buy("Alpha", "SPY", "0.000000000000000001", "999.123456789012345678")
    source = day.source()
    result = load(source)
    assert (result.status, result.quarantined) == (LoadStatus.LOADED, 0), result.message
    for name, table in TABLES.items():
        answer = store.connection.table(name).fetchall()
        stored = [dict(zip(table.names, row, strict=True)) for row in answer]
        for row in stored:
            if name == "strategies":
                row["params"] = json.loads(row["params"])
        assert by_key(name, stored) == by_key(name, source.tables[name])
        assert result.rows[name] == len(stored)


def by_key(table: str, rows: list[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: str([row[column] for column in TABLES[table].key]))


def test_the_same_session_loaded_again_changes_nothing(day: Day, load: Load, store: Store) -> None:
    load(day.source("m1"))
    before = content(store)
    assert load(day.source("m1")).status == LoadStatus.UNCHANGED
    again = load(day.source("m2"))
    assert (again.status, again.restated) == (LoadStatus.LOADED, False)
    assert content(store) == before


def test_the_order_of_the_rows_is_no_restatement(day: Day, load: Load) -> None:
    load(day.source("m1"))
    source = day.source("m2")
    source.tables = {name: rows[::-1] for name, rows in source.tables.items()}
    assert not load(source).restated


def test_a_late_fill_restates_the_day_and_says_so(day: Day, load: Load, rows: Rows) -> None:
    load(day.source("m1"))
    day.buy("Alpha", "SPY", "2", "449")
    result = load(day.source("m2"))
    assert result.restated
    assert "fills 6 -> 7" in result.message
    assert rows("SELECT restatements FROM loads") == [(1,)]
    assert rows("SELECT count(*) FROM fills") == [(7,)]


def test_a_session_that_lost_rows_loses_them_in_the_warehouse_too(
    day: Day, load: Load, rows: Rows
) -> None:
    day.rows["discrepancies"].append(discrepancy(day))
    load(day.source("m1"))
    day.rows["discrepancies"].clear()
    load(day.source("m2"))
    assert rows("SELECT count(*) FROM discrepancies") == [(0,)]


def discrepancy(day: Day) -> dict[str, Any]:
    return {
        "session_id": day.session_id,
        "found_at": day.at,
        "kind": "position",
        "symbol": "SPY",
        "strategy": None,
        "ours": d("6"),
        "brokers": d("7"),
        "note": "by hand",
    }


def test_only_sessions_that_are_new_or_changed_are_loaded(day: Day, store: Store) -> None:
    first = day.source("m1")
    second = day.next_day("s2").source("m1")
    assert [r.status for r in load_sessions(store, [first])] == ["loaded"]
    results = load_sessions(store, [first, second])
    assert [(r.session_id, r.status.value) for r in results] == [
        ("s1", "unchanged"),
        ("s2", "loaded"),
    ]


def test_rows_of_an_unchanged_session_are_not_even_read(day: Day, load: Load) -> None:
    source = day.source()
    load(source)

    class Unread(Source):
        def rows(self) -> Any:
            raise AssertionError("was read")

    assert load(Unread(source.session_id, source.mark, {})).status == "unchanged"


BARS = [
    # stored first, then        close stays
    ("backfill", "live", "2"),
    ("backfill", "corrected", "2"),
    ("live", "corrected", "2"),
    ("live", "backfill", "1"),
    ("corrected", "live", "1"),
    ("corrected", "backfill", "1"),
]


@pytest.mark.thorough
@pytest.mark.parametrize(("first", "second", "close"), BARS)
@pytest.mark.parametrize("loads", [1, 2])
def test_a_corrected_bar_beats_a_live_one_beats_a_backfilled_one(
    load: Load, rows: Rows, first: str, second: str, close: str, loads: int
) -> None:
    day = Day()
    day.bar("SPY", "1", first)
    if loads == 2:
        load(day.source("m1"))
        day.rows["bars"].clear()
    day.bar("SPY", "2", second)
    assert load(day.source("m2")).quarantined == 0
    assert rows("SELECT close FROM bars") == [(d(close),)]


def test_of_two_live_bars_the_later_load_counts(load: Load, rows: Rows) -> None:
    day = Day()
    for mark in ("1", "2"):
        day.rows["bars"].clear()
        day.bar("SPY", mark)
        load(day.source(mark))
    assert rows("SELECT close FROM bars") == [(d("2"),)]


def test_a_source_may_hand_over_arrow_tables(day: Day, load: Load, store: Store) -> None:
    source = day.source("m1")
    load(source)
    before = content(store)
    arrow = dict(source.tables)
    for name in ("fills", "orders", "equity", "bars"):
        arrow[name] = pa.Table.from_pylist(source.tables[name], schema=TABLES[name].arrow_schema)
    assert not load(Source("s1", "m2", arrow)).restated
    assert content(store) == before


def test_an_arrow_table_of_floats_is_refused_row_by_row(day: Day, load: Load) -> None:
    source = day.source()
    floats = [{**row, "qty": float(row["qty"])} for row in source.tables["fills"]]
    source.tables["fills"] = pa.Table.from_pylist(floats)
    result = load(source)
    assert result.rows["fills"] == 0
    assert "fills.qty row 1: 10.0 is a float" in result.message


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: t.drop_columns(["fee"]), "fills is empty, and has no fee"),
        (lambda t: t.append_column("note", pa.array([], pa.string())), "has note, which is unknow"),
        (
            lambda t: t.set_column(7, "qty", pa.array([], pa.float64())),
            r"has qty of type double instead of decimal128\(38, 18\)",
        ),
    ],
)
def test_an_empty_table_of_other_columns_is_refused_since_no_row_of_it_could_be(
    day: Day, load: Load, rows: Rows, change: Any, words: str
) -> None:
    source = day.source()
    source.tables["fills"] = change(TABLES["fills"].arrow_schema.empty_table())
    with pytest.raises(SourceRefused, match=words):
        load(source)
    assert rows("SELECT count(*) FROM loads") == [(0,)]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: t.pop("fills"), "no table fills"),
        (lambda t: t.update(trades=[]), "an unknown table trades"),
        (lambda t: t["sessions"].clear(), "0 rows for `sessions`"),
        (lambda t: t["sessions"].append(t["sessions"][0]), "2 rows for `sessions`"),
    ],
)
def test_what_is_no_session_is_refused_whole(
    day: Day, load: Load, rows: Rows, change: Any, words: str
) -> None:
    load(day.source("m1"))
    source = day.source("m2")
    source.tables = dict(source.tables)
    change(source.tables)
    with pytest.raises(SourceRefused, match=words):
        load(source)
    assert rows("SELECT mark FROM loads") == [("m1",)]


def test_a_load_that_fails_leaves_the_old_state(day: Day, load: Load, store: Store) -> None:
    load(day.source("m1"))
    before = content(store)
    day.buy("Alpha", "SPY", "2", "449")
    failing = Failing(store.connection, "INSERT INTO equity")
    with pytest.raises(WarehouseUnreadable, match=r"The load was undone.* or the backtest\."):
        load_session(Store(failing, ":memory:"), day.source("m2"))  # type: ignore[arg-type]
    assert content(store) == before


@pytest.mark.thorough
def test_a_load_that_stored_too_little_is_undone_and_reported(
    day: Day, load: Load, store: Store
) -> None:
    load(day.source("m1"))
    before = content(store)
    failing = Failing(store.connection, "INSERT INTO equity", raises=False)
    with pytest.raises(LoadFault, match=r"equity holds 0 rows and refused 0, but .* has \d+"):
        load_session(Store(failing, ":memory:"), day.source("m2"))  # type: ignore[arg-type]
    assert content(store) == before


def test_a_load_that_lost_a_bar_is_undone_and_reported(load: Load, store: Store) -> None:
    day = Day()
    day.bar("SPY", "1")
    failing = Failing(store.connection, "\n    INSERT INTO bars", raises=False)
    with pytest.raises(LoadFault, match="bars holds 0 rows and refused 0, but the journal has 1"):
        load_session(Store(failing, ":memory:"), day.source())  # type: ignore[arg-type]


def test_a_load_that_stored_a_bar_otherwise_is_undone_and_reported(
    load: Load, store: Store
) -> None:
    day = Day()
    day.bar("SPY", "1")
    load(day.source("m1"))
    day.rows["bars"][0]["vwap"] = d("0.5")
    failing = Failing(store.connection, "\n    INSERT INTO bars", raises=False)
    with pytest.raises(LoadFault, match="bars holds 0 rows"):
        load_session(Store(failing, ":memory:"), day.source("m2"))  # type: ignore[arg-type]


class Failing:
    """A connection on which one statement fails, or does nothing."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, at: str, raises: bool = True) -> None:
        self._connection, self._at, self._raises = connection, at, raises

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def execute(self, sql: str, *parameters: Any) -> Any:
        if sql.startswith(self._at):
            if self._raises:
                raise duckdb.IOException("planted")
            return self._connection.execute("SELECT 0")  # as many rows as it stored
        return self._connection.execute(sql, *parameters)


def test_times_of_other_zones_are_stored_as_the_same_instant(load: Load, rows: Rows) -> None:
    from zoneinfo import ZoneInfo

    day = Day()
    source = day.source()
    source.tables["sessions"][0]["closed_at"] = datetime(
        2026, 3, 17, 16, 0, tzinfo=ZoneInfo("America/New_York")
    )
    load(source)
    assert rows("SELECT closed_at FROM sessions") == [(datetime(2026, 3, 17, 20, 0, tzinfo=UTC),)]


def test_the_answer_is_exact_where_floats_would_not_be(load: Load, rows: Rows) -> None:
    day = Day()
    for _ in range(3):
        day.activity("Alpha", "dividend", "0.1")
    load(day.source())
    assert rows("SELECT net_pnl FROM v_pnl_history WHERE strategy = 'Alpha'") == [(Decimal("0.3"),)]
