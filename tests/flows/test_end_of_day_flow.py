"""What the end of day says: its state, and the day's Markdown read back from a real warehouse."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Collection
from datetime import date
from decimal import Decimal
from functools import partial
from pathlib import Path
from uuid import UUID

import pytest
from prefect import State, Task
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import StateType
from prefect.logging import disable_run_logger
from prefect.states import Completed, Failed
from prefect.testing.utilities import prefect_test_harness

from coordinator.bootstrap import RunOptions, run_configured
from coordinator.config import parse_config
from coordinator.errors import BrokerRejected, BrokerUnavailable, OperatorError
from coordinator.readers import running_sessions
from flows.end_of_day import (
    cause_of,
    end_of_day,
    is_news,
    loaded_state,
    missing_state,
    newest_first,
)
from flows.settled import alone, run_id_of, wait_for_end
from tasks.digest import read_day
from tasks.repeats import may_pass
from tasks.report import DAY_KEY, publish_day, write_page
from tasks.session import journaled_sessions
from tasks.warehouse import load_warehouse
from tests.coordinator.test_readers import keep
from tests.coordinator.test_statement import a_day
from tests.warehouse.builder import Day
from warehouse import (
    LoadResult,
    LoadStatus,
    Store,
    WarehouseLocked,
    load_session,
    load_sessions,
)


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


def test_the_day_begins_with_the_newest_session_however_old_the_others_are() -> None:
    ids = ["2026-03-16.a.PA1", "2026-03-17.a.PA1", "2026-03-16.b.PA2", "2026-03-17.a+shadow.PA1"]
    shown = newest_first(result(LoadStatus.LOADED, one) for one in ids)
    assert [one.session_id for one in shown] == [ids[1], ids[3], ids[0], ids[2]]


def test_the_day_shows_every_strategy_and_its_profit(tmp_path: Path) -> None:
    day = Day()
    day.buy("Alpha", "SPY", "10", "100")
    day.sell("Alpha", "SPY", "10", "101.25")
    page = tmp_path / "s1.html"
    with Store.open(tmp_path / "books.duckdb") as store:
        loaded = load_session(store, day.source())
    day_text = read_day(tmp_path / "books.duckdb", [loaded], [page], "After a run.")
    text = day_text.text
    assert day_text.headline == "s1: 12.50 dollars."
    assert text.startswith("After a run.\n\n## s1")
    assert "| Alpha | 10,000.00 | 10,012.50 | 12.50 | 0.00 | 2 |" in text
    assert "| UNASSIGNED | 10,000.00 | 10,000.00 | 0.00 | 0.00 | 0 |" in text
    assert "discrepanc" not in text
    assert f"- [s1.html](file://{page}) at `{page}`" in text
    assert text.index("### P&L") < text.index("![equity](data:image/svg+xml;base64,")
    assert "| --- | ---: | ---: | ---: | ---: | ---: |" in text


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
    day_text = read_day(tmp_path / "books.duckdb", [loaded], [])
    text = day_text.text
    assert day_text.headline.startswith("s1: 1 discrepancy, ")
    assert "### 1 discrepancy\n" in text
    assert "| 10.00000001 | 11 |" in text
    assert "one \\| share more than we know of |" in text
    assert text.index("1 discrepancy") < text.index("### P&L")


def test_a_day_of_which_no_row_was_accepted_has_its_table_of_profit_all_the_same(
    tmp_path: Path,
) -> None:
    Store.open(tmp_path / "books.duckdb").close()
    told = read_day(tmp_path / "books.duckdb", [result(LoadStatus.INCOMPLETE)], [])
    assert told.headline == "s1: 0.00 dollars."
    assert told.text == (
        "## s1\n\ns1: incomplete.\n\n### P&L\n\n"
        "| Strategy | Start equity | End equity | Net P&L | Fees | Fills |\n"
        "| --- | --- | --- | --- | --- | --- |"
    )


def test_a_day_without_sessions_says_so(tmp_path: Path) -> None:
    assert read_day(tmp_path / "none.duckdb", [], []).text == "The journals hold nothing new."


RUN = UUID("4ec304d2-256f-4f33-ba74-826018db79f9")


@pytest.mark.parametrize(
    ("resource", "run_id"),
    [(f"prefect.flow-run.{RUN}", RUN), (str(RUN), RUN), ("prefect.flow-run.x", None), (None, None)],
)
def test_a_trigger_names_the_run_that_ended(resource: str | None, run_id: UUID | None) -> None:
    assert run_id_of(resource) == run_id


def test_the_day_says_what_it_followed_and_what_it_left_for_later() -> None:
    said = cause_of(RUN, "prefect.flow-run.Cancelled", {"s2": "B"})
    assert said.startswith(f"After [this coordinator's run](/runs/flow-run/{RUN}): **Cancelled**.")
    assert said.endswith("Still traded, and loaded later: s2.")
    assert cause_of(None, None) == ""
    assert loaded_state([], {"s2": "B"}).message == "0 loaded, 0 unchanged. Still traded: s2."


@pytest.mark.parametrize(
    ("answers", "asked"),
    [
        pytest.param([{}], 1, id="it ended"),
        pytest.param([{"s1": "A"}, {"s1": "A"}, {}], 3, id="it is ending"),
        pytest.param([{"s2": "B"}], 1, id="somebody else trades"),
    ],
)
def test_only_the_writer_of_the_session_that_ended_is_waited_for(
    answers: list[dict[str, str]], asked: int
) -> None:
    left = list(answers)
    assert wait_for_end("A", lambda: left.pop(0), poll_s=0.0) == answers[-1]
    assert len(answers) - len(left) == asked


def test_a_writer_that_does_not_end_is_not_waited_for_for_ever() -> None:
    assert wait_for_end("A", lambda: {"s1": "A"}, patience_s=0.0) == {"s1": "A"}


def test_one_load_at_a_time(tmp_path: Path) -> None:
    order: list[str] = []

    def second() -> None:
        with alone(tmp_path / "lock"):
            order.append("second")

    with alone(tmp_path / "lock"):
        other = threading.Thread(target=second)
        other.start()
        other.join(0.05)
        order.append("first")
    other.join(10)
    assert order == ["first", "second"]


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


@pytest.mark.parametrize("step", [load_warehouse, write_page, publish_day])
def test_a_step_that_finds_the_warehouse_in_use_is_repeated(step: Task[..., object]) -> None:
    # The next end of day finds the session loaded, and would neither write its page nor show it.
    assert (step.retries, step.retry_condition_fn) == (3, may_pass)


def test_a_session_that_still_trades_is_left_for_the_load_after_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MULTI_TRADER_HOME", str(tmp_path))
    leases, seen = tmp_path / "leases", list[tuple[dict[str, str], int]]()

    def loadable() -> tuple[dict[str, str], int]:
        running = running_sessions(tmp_path, leases)
        return running, len(journaled_sessions.fn(None, running=list(running)).sources)

    @contextlib.asynccontextmanager
    async def look(session: object) -> AsyncIterator[None]:
        seen.append(loadable())
        stop.set()
        yield
        seen.append(loadable())  # its loop has ended, its end is not in the journal yet

    stop = asyncio.Event()
    one = {"name": "A", "strategy_type": "momentum", "tickers": ["SPY"], "min_warmup_bars": 5}
    options = RunOptions(simulate=True, date=date(2026, 3, 17), home=tmp_path)
    outcome = asyncio.run(
        run_configured(
            parse_config({"strategies": [one]}, "one"),
            options,
            {},
            stop=stop,
            leases_folder=leases,
            observers=[look],
        )
    )
    assert outcome.session_id is not None
    assert seen == [({outcome.session_id: "one"}, 0)] * 2
    assert loadable() == ({}, 1)


@pytest.mark.thorough
def test_an_account_whose_journal_is_damaged_makes_the_end_of_day_red_after_all_others_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MULTI_TRADER_HOME", str(tmp_path))
    keep(tmp_path, a_day(), "PA1")
    damaged = tmp_path / "PA0" / "journal.db"
    damaged.parent.mkdir()
    damaged.write_bytes(b"something else" * 100)
    with disable_run_logger():
        found = journaled_sessions.fn(None, running=list(running_sessions(tmp_path)))
    with Store.open(tmp_path / "books.duckdb") as store:
        results = load_sessions(store, found.sources)
    state = loaded_state(results, (), found.kept_out)
    assert (state.type, state.name) == (StateType.FAILED, "Incomplete")
    said = state.message or ""
    assert said.startswith(f"Not loaded: {damaged} cannot be used as a journal")
    assert said.endswith("1 loaded (2026-03-17.bench.PA1), 0 unchanged.")
    assert f"**Not loaded:** {damaged}" in cause_of(None, None, (), found.kept_out)


@pytest.mark.parametrize(
    ("session", "running", "message"),
    [
        (None, (), None),
        ("2026-03-17.bench.PA1", (), None),
        ("2026-03-18.bench.PA1", {"2026-03-18.bench.PA1"}, None),  # left for the load after its end
        (
            "2026-03-18.bench.PA1",
            (),
            "No journal under {} holds a session '2026-03-18.bench.PA1'."
            " Those there are: 2026-03-17.bench.PA1.",
        ),
    ],
)
def test_the_end_of_a_day_that_nobody_traded_is_red_and_says_which_there_are(
    session: str | None,
    running: Collection[str],
    message: str | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MULTI_TRADER_HOME", str(tmp_path))
    keep(tmp_path, a_day(), "PA1")
    with disable_run_logger():
        found = journaled_sessions.fn(session, running=running)
    state = missing_state(tmp_path, session, running, found)
    said = (state.type, state.message) if state else None
    assert said == (message and (StateType.FAILED, message.format(tmp_path)))


@pytest.mark.slow
def test_a_repeat_that_loads_nothing_leaves_the_day_to_be_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MULTI_TRADER_HOME", str(tmp_path))
    keep(tmp_path, a_day(), "PA1")
    again = partial(end_of_day, coordinator_run_id=str(UUID(int=1)), return_state=True)
    with (
        prefect_test_harness(server_startup_timeout=120),
        get_client(sync_client=True) as client,
    ):
        assert [again().message, again().message] == [
            "1 loaded (2026-03-17.bench.PA1), 0 unchanged.",
            "0 loaded, 1 unchanged.",
        ]
        days = [str(one.description) for one in client.read_artifacts() if one.key == DAY_KEY]
    assert [day.partition(":")[0] for day in days] == ["2026-03-17.bench.PA1"]
