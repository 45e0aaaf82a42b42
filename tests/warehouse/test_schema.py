"""The schema is CONTRACT section 7, word for word, and explains itself."""

from __future__ import annotations

import pytest

from tests.warehouse.conftest import Rows
from warehouse.kinds import Kind
from warehouse.schemas import TABLES, model

CONTRACT = {
    "sessions": "session_id* coordinator account mode session_date opened_at closed_at status "
    "config_hash",
    "strategies": "session_id* strategy* strategy_type params tickers initial_cash",
    "bars": "account* feed* symbol* ts* open high low close volume trade_count vwap origin",
    "orders": "client_order_id* session_id* broker_order_id strategy symbol side qty filled_qty "
    "filled_avg_price status reason decision_price decided_at submitted_at closed_at",
    "fills": "execution_id* session_id* client_order_id session_date strategy symbol side qty "
    "price fee filled_at",
    "activities": "activity_id* session_id* session_date strategy* kind symbol qty amount "
    "allocated_by",
    "positions": "session_id* strategy* symbol* qty avg_price mark_price market_value "
    "unrealized_pnl",
    "pnl_daily": "session_date session_id* strategy* start_equity end_equity transfers "
    "realized_pnl unrealized_change fees net_pnl return_pct fills max_drawdown",
    "equity": "session_id* strategy* ts* cash market_value equity",
    "discrepancies": "session_id found_at kind symbol strategy ours brokers note",
    "quarantine": "session_id table_name reason row quarantined_at",
}
BESIDE = {"activities": ["booked_at"]}
"""Columns of ours, behind the contract's."""
VIEWS = ["v_pnl_history", "v_performance", "v_round_trips", "v_slippage", "v_equity", "v_exposure"]
TYPES = {
    Kind.TEXT: "VARCHAR",
    Kind.MONEY: "DECIMAL(38,18)",
    Kind.TIME: "TIMESTAMP WITH TIME ZONE",
    Kind.DATE: "DATE",
    Kind.FRACTION: "DOUBLE",
    Kind.COUNT: "BIGINT",
    Kind.JSON: "JSON",
    Kind.LIST: "VARCHAR[]",
}


@pytest.mark.parametrize("table", CONTRACT)
def test_tables_have_exactly_the_contracts_columns_and_keys(rows: Rows, table: str) -> None:
    found = rows(
        "SELECT column_name FROM duckdb_columns() WHERE table_name = ? ORDER BY column_index", table
    )
    wanted_names = CONTRACT[table].replace("*", "").split() + BESIDE.get(table, [])
    assert [name for (name,) in found] == wanted_names
    key = rows(
        "SELECT unnest(constraint_column_names) FROM duckdb_constraints() "
        "WHERE table_name = ? AND constraint_type = 'PRIMARY KEY'",
        table,
    )
    wanted = {word[:-1] for word in CONTRACT[table].split() if word.endswith("*")}
    assert {name for (name,) in key} == wanted


@pytest.mark.parametrize("table", TABLES)
def test_the_model_the_frame_and_the_table_have_the_same_columns(rows: Rows, table: str) -> None:
    found = rows(
        "SELECT column_name, data_type, NOT is_nullable FROM duckdb_columns() "
        "WHERE table_name = ? ORDER BY column_index",
        table,
    )
    columns = TABLES[table].columns
    assert found == [(c.name, TYPES[c.kind], c.required) for c in columns]
    assert list(model(TABLES[table]).columns) == [c.name for c in columns]
    assert model(TABLES[table]).strict


def test_every_view_of_the_contract_is_there_and_empty_before_the_first_session(rows: Rows) -> None:
    for view in VIEWS:
        assert rows(f"SELECT * FROM {view}") == []


def test_every_table_view_and_column_is_explained(rows: Rows) -> None:
    silent = rows(
        "SELECT table_name FROM duckdb_tables() WHERE NOT temporary AND comment IS NULL UNION ALL "
        "SELECT view_name FROM duckdb_views() WHERE NOT internal AND NOT temporary "
        "AND comment IS NULL UNION ALL "
        "SELECT table_name || '.' || column_name FROM duckdb_columns() WHERE NOT internal "
        "AND comment IS NULL AND database_name <> 'temp'"
    )
    assert silent == []


def test_every_view_tells_accounts_and_modes_apart(rows: Rows) -> None:
    without = rows(
        "SELECT view_name FROM duckdb_views() WHERE NOT internal AND NOT temporary "
        "AND view_name NOT IN ("
        "SELECT table_name FROM duckdb_columns() WHERE column_name IN ('account', 'mode') "
        "GROUP BY table_name HAVING count(*) = 2)"
    )
    assert without == []


def test_a_view_over_many_sessions_explains_each_column_in_its_own_words(rows: Rows) -> None:
    borrowed = rows(
        "SELECT DISTINCT v.table_name, v.column_name FROM duckdb_columns() AS v "
        "JOIN duckdb_columns() AS t USING (column_name, comment) "
        "JOIN duckdb_tables() AS b ON b.table_name = t.table_name "
        "WHERE v.table_name IN ('v_performance', 'v_sweep') AND NOT b.temporary "
        "AND b.table_name <> 'variants' ORDER BY ALL"
    )
    assert borrowed == [
        ("v_performance", "account"),
        ("v_performance", "mode"),
        ("v_performance", "strategy"),
        ("v_sweep", "account"),
        ("v_sweep", "mode"),
    ]


@pytest.mark.parametrize(
    ("column", "words"),
    [
        ("stg_days.status", "Status of the session"),  # and not of an order
        ("stg_fills.qty", "before a fee taken in coin."),  # and no bust
        ("v_equity.market_value", "All its positions"),
        ("v_exposure.equity", "Cash and all positions"),
        ("v_pnl_history.net_pnl", "of the day"),
    ],
)
def test_a_column_that_means_something_else_than_the_tables_says_so(
    rows: Rows, column: str, words: str
) -> None:
    ((comment,),) = rows(
        "SELECT comment FROM duckdb_columns() WHERE table_name || '.' || column_name = ?", column
    )
    assert words in comment
