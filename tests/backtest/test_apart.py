"""Strategies apart: each trades among many as it does alone, and a split changes nothing."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from coordinator.backtest import Backtest, BacktestOptions, PlayedSession
from coordinator.core.order_rows import Row
from tests.backtest.recording import MONDAY, TUESDAY, strategy, write_config, write_recording

TINY = "participation:0.0002"
"""So little of each bar may be bought that orders rest over many minutes."""


def momentum(name: str, lookback: int, *tickers: str, **more: Any) -> dict[str, Any]:
    params = {"lookback_period": lookback, "momentum_threshold": 0.0005}
    return strategy(name, *tickers, **more) | {"strategy_params": params}


CONFIG = {
    "controls": {"max_symbol_notional": 12_000},
    "strategies": [
        momentum("Three", 3, "SPY"),
        momentum("Five", 5, "SPY", initial_cash=200_000.0, risk_config={"max_position_size": 0.05}),
        momentum("Eight", 8, "SPY", "QQQ", risk_config={"max_daily_trades": 6}),
        strategy("Against", "SPY", kind="rsi"),
        strategy("Guarded", "QQQ", kind="rsi", risk_config={"stop_loss_pct": 0.001}),
        momentum("Coins", 3, "BTC/USD"),
        momentum("Both", 4, "BTC/USD", "QQQ"),
    ],
}
NAMES = [str(one["name"]) for one in CONFIG["strategies"]]  # type: ignore[index]


@pytest.fixture(scope="session")
def bars(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("apart") / "bars.parquet"
    return write_recording(path, ["SPY", "QQQ", "BTC/USD"], MONDAY, TUESDAY)


@pytest.fixture(scope="session")
def options(tmp_path_factory: pytest.TempPathFactory, bars: Path) -> BacktestOptions:
    config = write_config(tmp_path_factory.mktemp("apart") / "many.json", CONFIG)
    return BacktestOptions(config, bars, fill_model=TINY)


@pytest.fixture(scope="session")
def together(options: BacktestOptions) -> list[PlayedSession]:
    return list(Backtest(options, apart=True).play())


def rows_of(sessions: list[PlayedSession], name: str) -> list[tuple[date, str, Row]]:
    """Everything that was written of a strategy, but for the session's and the broker's ids."""
    ids = ("session_id", "broker_order_id", "execution_id", "activity_id")
    return [
        (session.session_date, table, {k: v for k, v in row.items() if k not in ids})
        for session in sessions
        for table, rows in session.rows().items()
        for row in rows
        if row.get("strategy") == name
    ]


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["Three", "Five", "Eight", "Against", "Guarded"])
def test_a_strategy_does_among_others_what_it_does_alone(
    tmp_path: Path, bars: Path, together: list[PlayedSession], name: str
) -> None:
    mine = [one for one in CONFIG["strategies"] if one["name"] == name]  # type: ignore[index]
    # A coin beside it, which it does not trade, gives the day the same hours.
    config = write_config(
        tmp_path / "alone.json",
        CONFIG | {"strategies": [*mine, momentum("Clock", 99_999, "BTC/USD")]},
    )
    alone = list(Backtest(BacktestOptions(config, bars, fill_model=TINY)).play())
    assert len(alone) == len(together) == 2
    assert rows_of(together, name) == rows_of(alone, name)
    assert sum(len(s.rows()["fills"]) for s in alone) > 5


@pytest.mark.thorough
def test_on_one_account_they_would_have_waited_for_each_other(
    options: BacktestOptions, together: list[PlayedSession]
) -> None:
    shared = list(Backtest(options).play())
    assert any(rows_of(shared, name) != rows_of(together, name) for name in NAMES)
    waited = [row for s in shared for row in s.rows()["orders"] if row["reason"] == "stale"]
    assert waited
    assert not [row for s in together for row in s.rows()["orders"] if row["reason"] == "stale"]


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
@pytest.mark.slow
def test_however_they_are_split_each_has_the_same_rows(
    options: BacktestOptions, together: list[PlayedSession], data: st.DataObject
) -> None:
    part_of = {name: data.draw(st.integers(0, 2), label=name) for name in NAMES}
    parts = [{n for n in NAMES if part_of[n] == part} for part in range(3)]
    for part in filter(None, parts):
        played = list(Backtest(options, apart=True, only=part).play())
        for name in part:
            assert rows_of(played, name) == rows_of(together, name)
        assert [s.session_id for s in played] == [s.session_id for s in together]


@pytest.mark.thorough
def test_each_has_an_account_of_its_own_and_the_books_hold_all_of_them(
    together: list[PlayedSession],
) -> None:
    unassigned = [
        row
        for session in together
        for row in session.rows()["pnl_daily"]
        if row["strategy"] == "UNASSIGNED"
    ]
    # Six accounts of 100,000, of which each strategy's is 10,000; and one of 1.1 x 200,000.
    assert {row["end_equity"] for row in unassigned} == {6 * Decimal(90_000) + 20_000}
