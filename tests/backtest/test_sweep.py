"""A sweep: the same rows whatever the split, and details that are those of the variants' days."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from coordinator.backtest import Backtest, BacktestOptions, PlayedSession, Sweep, play_part
from coordinator.backtest.parts import STOP, read, written
from tests.backtest.recording import MONDAY, TUESDAY, write_config, write_recording
from warehouse import LoadStatus, Store, add_details, load_session, ranked
from warehouse.queries import ask

GRID: dict[str, Any] = {
    "controls": {"price_collar": 0.003},
    "strategies": [
        {
            "name": "M",
            "strategy_type": "momentum",
            "min_warmup_bars": 5,
            "sweep": {
                "lookback_period": {"from": 2, "to": 4, "step": 1},
                "momentum_threshold": [0.0005, 0.001],
                "tickers": ["SPY", "BTC/USD"],
            },
        },
        {"name": "Beside", "strategy_type": "rsi", "tickers": ["QQQ"]},
    ],
}


@pytest.fixture(scope="session")
def options(tmp_path_factory: pytest.TempPathFactory) -> BacktestOptions:
    folder = tmp_path_factory.mktemp("sweep")
    bars = write_recording(folder / "bars.parquet", ["SPY", "QQQ", "BTC/USD"], MONDAY, TUESDAY)
    return BacktestOptions(write_config(folder / "grid.json", GRID), bars)


@pytest.fixture(scope="session")
def whole(options: BacktestOptions) -> list[PlayedSession]:
    return list(Sweep(options).play())


@pytest.mark.thorough
@pytest.mark.parametrize("parts", [1, 2, 3, 7])
def test_any_split_gives_the_same_rows(
    options: BacktestOptions, whole: list[PlayedSession], parts: int
) -> None:
    pieces = [Sweep(options, part=part, parts=parts) for part in range(parts)]
    played = [list(piece.play()) for piece in pieces]
    joined = [pieces[0].joined(list(of_one)) for of_one in zip(*played, strict=True)]
    assert [one.rows() for one in joined] == [one.rows() for one in whole]
    assert [one.mark for one in joined] == [one.mark for one in whole]
    assert all(one.rows()["discrepancies"] for one in joined)  # leaps, which each part sees


def test_a_session_that_a_process_left_is_read_as_it_was(whole: list[PlayedSession]) -> None:
    assert [read(written(one)).rows() for one in whole] == [one.rows() for one in whole]


def test_a_part_ends_where_the_file_that_stops_it_stands(
    options: BacktestOptions, tmp_path: Path
) -> None:
    (tmp_path / STOP).touch()
    assert play_part(options, 0, 2, tmp_path) == 0
    assert [one.name for one in tmp_path.iterdir()] == [STOP]


def test_every_variant_has_a_day_and_its_sums_and_nothing_else(whole: list[PlayedSession]) -> None:
    for session in whole:
        rows = session.rows()
        days = {row["strategy"]: row for row in rows["pnl_daily"]}
        assert len(days) == 3 * 2 * 2 + 1 + 1  # the strategy beside it, and UNASSIGNED
        assert set(days) == {row["strategy"] for row in rows["variants"]} | {"UNASSIGNED"}
        for row in rows["variants"]:
            assert (row["turnover"] > 0) is (days[row["strategy"]]["fills"] > 0)  # type: ignore[operator]
        for table in ("orders", "fills", "positions", "bars"):
            assert rows[table] == []
        assert {row["strategy"] for row in rows["equity"]} == {"UNASSIGNED"}


def test_unassigned_is_what_is_left_of_an_account_for_each(whole: list[PlayedSession]) -> None:
    days = [r for s in whole for r in s.rows()["pnl_daily"] if r["strategy"] == "UNASSIGNED"]
    assert {row["end_equity"] for row in days} == {13 * Decimal(90_000)}


def test_the_best_are_played_again_and_come_to_the_days_that_they_had(
    options: BacktestOptions, whole: list[PlayedSession]
) -> None:
    sweep = Sweep(options)
    with Store.open(":memory:") as store:
        for session in whole:
            assert load_session(store, session).status is LoadStatus.LOADED
        best = [str(one["strategy"]) for one in ranked(store, sweep.test.account, "net-pnl")[:3]]
        before = ask(store, "SELECT * FROM pnl_daily ORDER BY ALL").rows
        for session in sweep.in_detail(best, len(whole)):
            result = add_details(store, session.session_id, best, session.rows())
            assert result.status is LoadStatus.LOADED, result.message
        assert ask(store, "SELECT * FROM pnl_daily ORDER BY ALL").rows == before
        for table in ("orders", "fills", "equity"):
            names = {row[0] for row in ask(store, f"SELECT DISTINCT strategy FROM {table}").rows}
            assert names - {"UNASSIGNED"} == set(best), table
        told = ranked(store, sweep.test.account, "net-pnl")
        assert [one["days_in_detail"] for one in told] == [2] * 3 + [0] * 10
        assert [one["strategy"] for one in told[:3]] == best
        assert ask(store, "SELECT count(*) FROM v_round_trips").rows[0][0]


def test_a_plain_backtest_of_a_sweep_has_the_same_days(
    options: BacktestOptions, whole: list[PlayedSession]
) -> None:
    in_full = list(Backtest(options).play())
    for full, thin in zip(in_full, whole, strict=True):
        assert full.rows()["pnl_daily"] == thin.rows()["pnl_daily"]


@pytest.mark.parametrize(("sessions", "is_said"), [(1, True), (19, True), (20, False)])
def test_that_few_sessions_rank_luck_is_said_of_less_than_a_month(
    sessions: int, is_said: bool
) -> None:
    assert bool(Sweep.caution(sessions)) is is_said
