"""What the end of day says: its state, and the day's Markdown read back from a real warehouse."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path

import pytest
from prefect import State
from prefect.client.schemas.objects import StateType
from prefect.states import Completed, Failed

from coordinator.errors import BrokerRejected, BrokerUnavailable, OperatorError
from flows.end_of_day import is_news, loaded_state
from tasks.digest import day_markdown
from tasks.repeats import may_pass
from tests.warehouse.builder import Day
from warehouse import LoadResult, LoadStatus, Store, WarehouseLocked, load_session


def result(status: LoadStatus, session: str = "s1") -> LoadResult:
    return LoadResult(session, status, {}, 0, False, f"{session}: {status.value}.")


@pytest.mark.parametrize(
    ("statuses", "type_", "name", "message"),
    [
        ([], StateType.COMPLETED, "Completed", "0 loaded, 0 unchanged."),
        ([LoadStatus.LOADED], StateType.COMPLETED, "Completed", "1 loaded (s0), 0 unchanged."),
        (
            [LoadStatus.UNCHANGED, LoadStatus.LOADED, LoadStatus.UNCHANGED],
            StateType.COMPLETED,
            "Completed",
            "1 loaded (s1), 2 unchanged.",
        ),
        (
            [LoadStatus.LOADED, LoadStatus.INCOMPLETE],
            StateType.FAILED,
            "Incomplete",
            "s1: incomplete.",
        ),
    ],
)
def test_the_end_of_day_is_red_only_while_rows_are_in_quarantine(
    statuses: list[LoadStatus], type_: StateType, name: str, message: str
) -> None:
    state = loaded_state([result(one, f"s{number}") for number, one in enumerate(statuses)])
    assert (state.type, state.name, state.message) == (type_, name, message)


def test_a_session_that_did_not_change_is_no_news() -> None:
    assert [is_news(result(status)) for status in LoadStatus] == [True, False, True]


def test_the_day_shows_every_strategy_and_its_profit(tmp_path: Path) -> None:
    day = Day()
    day.buy("Alpha", "SPY", "10", "100")
    day.sell("Alpha", "SPY", "10", "101.25")
    page = tmp_path / "s1.html"
    with Store.open(tmp_path / "books.duckdb") as store:
        loaded = load_session(store, day.source())
    text = day_markdown(tmp_path / "books.duckdb", [loaded], [page])
    assert "| Alpha | 10,000.00 | 10,012.50 | 12.50 | 0.00 | 2 |" in text
    assert "| UNASSIGNED | 10,000.00 | 10,000.00 | 0.00 | 0.00 | 0 |" in text
    assert "discrepanc" not in text
    assert f"- `{page}`" in text


def test_discrepancies_stand_before_the_profit(tmp_path: Path) -> None:
    day = Day()
    day.buy("Alpha", "SPY", "10", "100")
    source = day.source()
    source.tables["discrepancies"].append(
        {
            "session_id": day.session_id,
            "found_at": day.at,
            "kind": "position",
            "symbol": "SPY",
            "strategy": None,
            "ours": Decimal("10.00000001"),
            "brokers": Decimal(11),
            "note": "one | share more\nthan we know of",
        }
    )
    with Store.open(tmp_path / "books.duckdb") as store:
        loaded = load_session(store, source)
    text = day_markdown(tmp_path / "books.duckdb", [loaded], [])
    assert "### 1 discrepancies" in text
    assert "| 10.00000001 | 11 |" in text
    assert "one \\| share more than we know of |" in text
    assert text.index("discrepancies") < text.index("### P&L")


def test_a_day_without_sessions_says_so(tmp_path: Path) -> None:
    assert day_markdown(tmp_path / "none.duckdb", [], []) == "The journals hold nothing new."


@pytest.mark.parametrize(
    ("state", "again"),
    [
        (Failed(data=BrokerUnavailable("timed out")), True),
        (Failed(data=WarehouseLocked("held")), True),
        (Failed(data=ConnectionResetError()), True),
        (Failed(data=BrokerRejected(403, None, "forbidden")), False),
        (Failed(data=OperatorError("no such file")), False),
        (Failed(data=ZeroDivisionError()), False),
        (Completed(data=1), False),
    ],
)
def test_only_what_time_may_heal_is_tried_again(state: State[object], again: bool) -> None:
    assert asyncio.run(may_pass(None, None, state)) is again
