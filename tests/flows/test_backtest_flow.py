"""A backtest from Prefect: how its run ends, what its page shows, and that it is the command's."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, get_args

import duckdb
import httpx
import pytest
from prefect import State
from prefect.client.schemas.objects import StateType
from prefect.exceptions import ParameterTypeError, SignatureMismatchError

from coordinator.backtest import BacktestOptions, Sweep, play_part
from coordinator.bootstrap import RunOptions
from flows.backtest import Measure, backtest, played_state
from flows.coordinator import name_of
from flows.server.demo import market_of
from flows.stopping import Stop
from flows.sweeping import Split
from tests.backtest.recording import MONDAY, TUESDAY, strategy, write_recording
from tests.coordinator.own_strategies import CROSSING, document, write_folder
from warehouse import MEASURES, Store, add_details, load_session, ranked

TABLES = ("sessions", "strategies", "bars", "orders", "fills", "activities", "positions")
TABLES += ("pnl_daily", "equity", "discrepancies", "variants", "quarantine")
CONFIG = {"strategies": [strategy("Fast", "SPY"), strategy("Slow", "SPY", kind="rsi")]}


@dataclass
class Page:
    """What a run's page shows, or why it cannot."""

    away: bool = False
    percents: list[float] = field(default_factory=list)
    table: Sequence[Mapping[str, str]] = ()
    text: str = ""

    async def show_progress(self, percent: float, text: str) -> None:
        if self.away:
            raise httpx.ConnectError("no server")
        self.percents.append(percent)
        self.text = text

    async def show_table(self, rows: Sequence[Mapping[str, str]], text: str) -> None:
        self.table = rows


@pytest.fixture(scope="session")
def bars(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recording") / "bars.parquet"
    return write_recording(path, ["SPY"], MONDAY, TUESDAY)


@pytest.fixture
def options(tmp_path: Path, bars: Path) -> BacktestOptions:
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(CONFIG))
    return BacktestOptions(path, bars)


GRID = {"Fast": {"lookback_period": {"from": 2, "to": 4, "step": 1}, "tickers": ["SPY"]}}


@dataclass
class Here:
    """A part that was played in this process."""

    played: int

    def result(self, timeout: float | None = None) -> int:
        return self.played


def here(options: BacktestOptions, part: int, parts: int, folder: Path) -> Here:
    return Here(play_part(options, part, parts, folder))


def run(
    options: BacktestOptions,
    place: Path,
    page: Page | None = None,
    *,
    split: Split | None = None,
    stopped: bool = False,
    state: StateType = StateType.RUNNING,
) -> State[Any]:
    async def play(sessions: Callable[[], None]) -> None:
        await asyncio.to_thread(sessions)

    async def read_state() -> StateType:
        return state

    async def flow() -> State[Any]:
        stop = Stop()
        if stopped:
            stop.fire("SIGTERM")
        return await played_state(
            options,
            place,
            stop,
            play=play,
            split=split,
            board=page or Page(),
            read_state=read_state,
        )

    return asyncio.run(flow())


@pytest.mark.thorough
def test_a_finished_backtest_is_completed_and_its_page_shows_the_pnl_by_strategy(
    tmp_path: Path, options: BacktestOptions
) -> None:
    page, place = Page(), tmp_path / "w.duckdb"
    state = run(options, place, page)

    assert (state.type, state.name) == (StateType.COMPLETED, "Completed")
    assert state.message == page.text
    assert page.text.startswith("2 of 2 sessions, 2026-03-16 to 2026-03-17: P&L **")
    assert page.percents[-1] == 100.0
    assert [row["Strategy"] for row in page.table] == ["Fast", "Slow"]
    with duckdb.connect(str(place), read_only=True) as books:
        query = "SELECT sum(fills) FROM pnl_daily GROUP BY strategy HAVING sum(fills) > 0 ORDER BY "
        held = [f"{fills:,}" for (fills,) in books.execute(query + "strategy").fetchall()]
    assert [row["Fills"] for row in page.table] == held


@pytest.mark.parametrize(
    ("state", "type_", "name"),
    [
        (StateType.RUNNING, StateType.COMPLETED, "StoppedEarly"),
        (StateType.CANCELLING, StateType.CANCELLED, "Cancelled"),
    ],
)
def test_a_stopped_backtest_says_so_and_what_it_kept(
    tmp_path: Path, options: BacktestOptions, state: StateType, type_: StateType, name: str
) -> None:
    ended = run(options, tmp_path / "w.duckdb", stopped=True, state=state)
    assert (ended.type, ended.name) == (type_, name)
    assert str(ended.message).startswith("0 of 2 sessions")


@pytest.mark.thorough
@pytest.mark.parametrize("parts", [1, 2, 9])
def test_a_sweep_from_the_form_is_split_ranked_and_the_best_kept_in_detail(
    tmp_path: Path, options: BacktestOptions, parts: int
) -> None:
    page, place = Page(), tmp_path / "w.duckdb"
    swept = replace(options, grid=GRID)
    state = run(swept, place, page, split=Split(parts, 2, "net-pnl", here))

    assert (state.type, state.name) == (StateType.COMPLETED, "Completed"), state.message
    assert page.text.startswith("2 of 2 sessions of 4 variants. Best by net-pnl: **")
    assert "Of fewer than 20 sessions the best is mostly luck: sweep more days" in page.text
    assert page.percents[-1] == 100.0
    assert [row["Details"] for row in page.table] == ["kept", "kept", "", ""]
    assert {row["Variant"] for row in page.table} == {
        *("Fast-lp2-SPY", "Fast-lp3-SPY", "Fast-lp4-SPY", "Slow")
    }
    assert stored(place) == stored(by_command(tmp_path, swept))


def by_command(folder: Path, options: BacktestOptions) -> Path:
    """The same sweep in one process."""
    place, sweep = folder / "one.duckdb", Sweep(options)
    with Store.open(place) as store:
        sessions = [load_session(store, session) for session in sweep.play()]
        best = [str(one["strategy"]) for one in ranked(store, sweep.test.account, "net-pnl")[:2]]
        for session in sweep.in_detail(best, len(sessions)):
            add_details(store, session.session_id, best, session.rows())
    return place


def stored(place: Path) -> list[list[tuple[Any, ...]]]:
    with duckdb.connect(str(place), read_only=True) as books:
        books.execute("SET TimeZone = 'UTC'")
        return [books.execute(f"SELECT * FROM {t} ORDER BY ALL").fetchall() for t in TABLES]


@pytest.mark.thorough
def test_a_sweep_that_is_cancelled_keeps_what_all_parts_have_played(
    tmp_path: Path, options: BacktestOptions
) -> None:
    def half(options: BacktestOptions, part: int, parts: int, folder: Path) -> Here:
        played = here(options, part, parts, folder)
        if part == 1:  # it was ended before its second session
            (folder / "1-1.session").unlink()
        return played

    split = Split(2, 1, "net-pnl", half)
    place = tmp_path / "w.duckdb"
    state = run(replace(options, grid=GRID), place, split=split, state=StateType.CANCELLING)
    assert (state.type, state.name) == (StateType.CANCELLED, "Cancelled")
    assert str(state.message).startswith("1 of 2 sessions of 4 variants.")
    with duckdb.connect(str(place), read_only=True) as books:
        assert books.execute("SELECT count(*) FROM sessions").fetchone() == (1,)
        assert books.execute("SELECT count(*) FROM variants").fetchone() == (4,)


def test_a_sweep_of_a_strategy_that_there_is_not_fails_with_its_reason(
    tmp_path: Path, options: BacktestOptions
) -> None:
    state = run(replace(options, grid={"Fats": {"lookback_period": [2]}}), tmp_path / "w.duckdb")
    assert state.type is StateType.FAILED
    assert "did you mean 'Fast'?" in str(state.message)


def test_prefect_away_disturbs_no_backtest(tmp_path: Path, options: BacktestOptions) -> None:
    state = run(options, tmp_path / "w.duckdb", Page(away=True))
    assert (state.type, state.name) == (StateType.COMPLETED, "Completed")


@pytest.mark.thorough
def test_a_strategy_of_ones_own_is_found_beside_its_configuration(
    tmp_path: Path, bars: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    place = tmp_path / "configs"
    place.mkdir(mode=0o700)
    write_folder(place / "own", crossing=CROSSING)
    (place / "mine.json").write_text(json.dumps(document("crossing")))
    config = Path("configs/mine.json")
    page = Page()
    state = run(BacktestOptions(config, bars), tmp_path / "w.duckdb", page)
    assert (state.type, state.name) == (StateType.COMPLETED, "Completed")
    assert [row["Strategy"] for row in page.table] == ["Own"]
    assert int(str(page.table[0]["Fills"])) > 0
    assert name_of(RunOptions(config=config)) == "mine"
    assert market_of(config) == "stocks"


def test_the_form_offers_every_measure_that_a_sweep_may_be_ranked_by() -> None:
    literal, _ = get_args(Measure)
    assert get_args(literal) == MEASURES


def test_what_cannot_be_fails_with_its_reason(tmp_path: Path, bars: Path) -> None:
    state = run(BacktestOptions(tmp_path / "none.json", bars), tmp_path / "w.duckdb")
    assert state.type is StateType.FAILED
    assert "give the path of a JSON file" in str(state.message)


@pytest.mark.parametrize(
    "wrong",
    [
        {"bars": ""},
        {"bars": "b.csv", "config": "mine.yaml"},
        {"bars": "b.csv", "start": "2026-02-30"},
        {"bars": "b.csv", "fill_model": "close; drop"},
        {"bars": "b.csv", "api_key": "x"},
        {},
    ],
)
def test_a_wrong_parameter_is_refused_before_the_run_does_anything(wrong: dict[str, Any]) -> None:
    with pytest.raises((ParameterTypeError, SignatureMismatchError)):
        backtest.validate_parameters(wrong)
