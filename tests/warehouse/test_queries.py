"""Reading: anything that is not one query is refused; answers are plain, exact and show NULL."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from tests.warehouse.builder import Day
from warehouse import QueryFailed, QueryRefused, Store, load_session
from warehouse.queries import QueryResult, query
from warehouse.render import render_csv, render_json, render_table

REFUSED = [
    "INSERT INTO sessions SELECT * FROM sessions",
    "UPDATE sessions SET status = 'closed'",
    "DELETE FROM fills",
    "TRUNCATE fills",
    "DROP TABLE fills",
    "DROP VIEW v_equity",
    "ALTER TABLE fills ADD COLUMN x INT",
    "CREATE TABLE t (a INT)",
    "CREATE TEMP TABLE t AS SELECT 1",
    "CREATE OR REPLACE VIEW v_equity AS SELECT 1",
    "CREATE MACRO m() AS 1",
    "CREATE SECRET s (TYPE s3)",
    "COMMENT ON TABLE fills IS 'x'",
    "ATTACH 'other.duckdb'",
    "DETACH warehouse",
    "USE memory",
    "COPY fills TO 'fills.csv'",
    "COPY (SELECT 1) TO 'one.parquet'",
    "EXPORT DATABASE 'folder'",
    "IMPORT DATABASE 'folder'",
    "INSTALL httpfs",
    "LOAD httpfs",
    "SET enable_external_access = true",
    "RESET lock_configuration",
    "PRAGMA enable_profiling",
    "CALL pragma_version()",
    "CHECKPOINT",
    "VACUUM",
    "BEGIN",
    "PREPARE p AS SELECT 1",
    "SELECT 1; DELETE FROM fills",
    "",
    "-- nothing",
    "SELECT * FROM read_text('/etc/hostname')",
    "SELECT * FROM read_csv('/etc/hostname')",
    "SELECT * FROM glob('/*')",
    "EXPLAIN ANALYZE DELETE FROM fills",
    "CREATE TABLE t AS PIVOT fills ON symbol USING sum(qty)",
    "CREATE TEMP TABLE t AS PIVOT fills ON symbol USING sum(qty)",
    "INSERT INTO fills FROM (PIVOT fills ON symbol USING sum(qty))",
    "WITH p AS (PIVOT fills ON symbol USING sum(qty)) INSERT INTO loads (mark) SELECT 'x' FROM p",
    "COPY (PIVOT fills ON symbol USING sum(qty)) TO 'pivot.csv'",
    "SET VARIABLE x = (SELECT count(*) FROM (PIVOT fills ON symbol USING sum(qty)))",
]


@pytest.fixture
def warehouse(location: Path, day: Day) -> Path:
    with Store.open(location) as store:
        load_session(store, day.source())
    return location


@pytest.mark.thorough
def test_anything_but_one_query_is_refused_and_changes_nothing(
    warehouse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(warehouse.parent)
    before = warehouse.read_bytes()
    for sql in REFUSED:
        with pytest.raises((QueryRefused, QueryFailed)) as refused:
            query(warehouse, sql)
        if not sql.startswith("EXPLAIN"):
            assert isinstance(refused.value, QueryRefused), (sql, refused.value)
    assert warehouse.read_bytes() == before
    assert [path.name for path in warehouse.parent.iterdir()] == ["warehouse.duckdb"]


@pytest.mark.thorough
@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM v_performance",
        "FROM fills",
        "WITH f AS (FROM fills) SELECT count(*) FROM f",
        "DESCRIBE fills",
        "SHOW TABLES",
        "SUMMARIZE fills",
        "EXPLAIN SELECT 1",
        "VALUES (1)",
        "SELECT 1;",
        "TABLE fills",
        "SUMMARIZE SELECT strategy, qty FROM fills",
        "DESCRIBE SELECT * FROM v_performance",
        "PIVOT v_pnl_history ON strategy USING sum(net_pnl) GROUP BY session_date",
        "-- by strategy\n(PIVOT fills ON strategy USING sum(qty));",
        "FROM (PIVOT fills ON symbol USING count(*))",
        "WITH p AS (PIVOT fills ON symbol USING count(*)) SELECT * FROM p",
        "SELECT * FROM fills PIVOT (sum(qty) FOR side IN ('buy', 'sell') GROUP BY strategy)",
        "UNPIVOT (SELECT session_date, net_pnl, fees FROM v_pnl_history) ON net_pnl, fees",
    ],
)
def test_every_kind_of_query_is_answered(warehouse: Path, sql: str) -> None:
    assert query(warehouse, sql).rows


@pytest.mark.thorough
def test_a_pivot_has_a_column_for_each_value(warehouse: Path) -> None:
    answer = query(warehouse, "PIVOT fills ON strategy USING count(*) GROUP BY session_date")
    assert answer == QueryResult(("session_date", "Alpha", "Beta"), ((date(2026, 3, 17), 4, 2),))


@pytest.mark.thorough
def test_a_file_beside_it_or_a_variable_of_the_program_is_no_table(
    warehouse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(warehouse.parent)
    (warehouse.parent / "x.csv").write_text("a\n1\n")
    day = Day()  # noqa: F841 a name that a replacement scan would find
    for sql in ("SELECT * FROM 'x.csv'", "SELECT * FROM day"):
        with pytest.raises((QueryRefused, QueryFailed), match=r"disabled|does not exist"):
            query(warehouse, sql)


@pytest.mark.thorough
def test_a_wrong_query_is_answered_with_what_is_wrong(warehouse: Path) -> None:
    with pytest.raises(QueryFailed, match="net_profit"):
        query(warehouse, "SELECT net_profit FROM pnl_daily")


@pytest.mark.thorough
def test_values_are_handed_over_apart_from_the_text(warehouse: Path) -> None:
    sql = "SELECT count(*) FROM fills WHERE strategy = ?"
    assert query(warehouse, sql, parameters=["Alpha' OR 1 = 1 --"]).rows == ((0,),)
    assert query(warehouse, sql, parameters=["Alpha"]).rows == ((4,),)


ANSWER = QueryResult(
    ("symbol", "qty", "at", "day", "ok", "share", "tickers"),
    (
        (
            "SPY",
            Decimal("10.500000000000000000"),
            datetime(2026, 3, 17, 13, 30, tzinfo=UTC),
            date(2026, 3, 17),
            True,
            0.025,
            ["SPY", "QQQ"],
        ),
        ('a,"b"', Decimal("-1E+3"), None, None, None, float("nan"), None),
        ("", Decimal("0E-18"), None, None, False, None, []),
        ("NULL", Decimal("12345678901234567890.000000000000000001"), None, None, None, 1.0, None),
    ),
)


def test_a_table_is_aligned_plain_and_shows_null() -> None:
    wide = "12345678901234567890.000000000000000001"
    assert render_table(ANSWER).splitlines() == [
        f"symbol  {'qty':>39}  at                    day         ok     share  tickers",
        f"------  {'-' * 39}  --------------------  ----------  -----  -----  --------------",
        f'SPY     {"10.5":>39}  2026-03-17 13:30:00Z  2026-03-17  true   0.025  ["SPY", "QQQ"]',
        f'a,"b"   {"-1000":>39}  NULL                  NULL        NULL     nan  NULL',
        f"        {'0':>39}  NULL                  NULL        false   NULL  []",
        f"NULL    {wide}  NULL                  NULL        NULL     1.0  NULL",
        "(4 rows)",
    ]


@pytest.mark.thorough
def test_a_column_that_was_rounded_shows_the_places_it_was_rounded_to(warehouse: Path) -> None:
    sql = """
        SELECT a::DECIMAL(18, 2) AS a, round(a, 1) AS b, a AS c, a::DECIMAL(9, 0) AS d
        FROM (VALUES (196.8::DECIMAL(38, 18)), (0), (NULL)) AS t(a)
    """
    assert render_table(query(warehouse, sql)).splitlines() == [
        "     a      b      c     d",
        "------  -----  -----  ----",
        "196.80  196.8  196.8   197",
        "  0.00    0.0      0     0",
        "  NULL   NULL   NULL  NULL",
        "(3 rows)",
    ]
    assert json.loads(render_json(query(warehouse, sql)))[0]["a"] == 196.8


def test_json_keeps_every_digit_and_null() -> None:
    answer = json.loads(render_json(ANSWER), parse_float=Decimal)
    assert answer[0] == {
        "symbol": "SPY",
        "qty": Decimal("10.5"),
        "at": "2026-03-17T13:30:00Z",
        "day": "2026-03-17",
        "ok": True,
        "share": Decimal("0.025"),
        "tickers": ["SPY", "QQQ"],
    }
    assert answer[1] == {
        "symbol": 'a,"b"',
        "qty": -1000,
        "at": None,
        "day": None,
        "ok": None,
        "share": "nan",
        "tickers": None,
    }
    assert answer[3]["qty"] == Decimal("12345678901234567890.000000000000000001")
    assert json.loads(render_json(QueryResult(("a",), ()))) == []


def test_csv_is_read_back_and_null_differs_from_a_text_that_reads_so() -> None:
    text = render_csv(ANSWER)
    read = list(csv.reader(io.StringIO(text)))
    assert read[1][:4] == ["SPY", "10.5", "2026-03-17 13:30:00Z", "2026-03-17"]
    assert read[2][0] == 'a,"b"'
    assert text.splitlines()[2].split(",")[-1] == "NULL"
    assert text.splitlines()[4].startswith('"NULL",12345678901234567890.000000000000000001,NULL')


def test_a_file_that_a_query_may_not_read_and_an_unknown_function_are_told_as_what_they_are(
    warehouse: Path,
) -> None:
    with pytest.raises(QueryRefused, match=r"^A query reads the warehouse and nothing else: "):
        query(warehouse, "SELECT * FROM read_csv('/etc/hostname')")
    with pytest.raises(QueryFailed, match="nope does not exist") as unknown:
        query(warehouse, "SELECT nope(1)")
    assert "SHOW TABLES" not in str(unknown.value)


@pytest.mark.thorough
def test_no_rows_are_said_to_be_none(warehouse: Path) -> None:
    answer = query(warehouse, "SELECT strategy FROM fills WHERE false")
    assert render_table(answer) == "strategy\n--------\n(0 rows)"
    assert render_csv(answer) == "strategy"


def test_an_unknown_table_or_column_is_told_with_what_lists_those_there_are(
    warehouse: Path,
) -> None:
    with pytest.raises(QueryFailed, match="SHOW TABLES"):
        query(warehouse, "SELECT * FROM fill")
