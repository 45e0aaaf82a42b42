"""A session in machine code says, row by row, what the same session says bar by bar."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordinator.backtest import Backtest, BacktestOptions, Means
from tests.backtest.test_instant import (
    DAYS,
    FEW,
    MINUTES,
    Tape,
    configurations,
    moody_is_known,
    said,
    tapes,
)

__all__ = ["moody_is_known"]
MODELS = st.sampled_from(["close", "spread", "slippage:20", "spread:0.3333"])


@pytest.mark.thorough
@FEW
@given(st.data(), tapes(), MODELS)
def test_machine_code_says_what_is_said_at_once(
    data: st.DataObject, tape: Tape, model: str
) -> None:
    same_rows(data, tape, model, Means.AT_ONCE)


@pytest.mark.slow
@FEW
@given(st.data(), tapes(), MODELS)
def test_machine_code_says_what_is_said_by_message(
    data: st.DataObject, tape: Tape, model: str
) -> None:
    same_rows(data, tape, model, Means.BY_MESSAGE)


def same_rows(data: st.DataObject, tape: Tape, model: str, other: Means) -> None:
    with TemporaryDirectory() as folder:
        bars = tape.write(Path(folder) / "bars.parquet")
        config = data.draw(configurations(tape.market))
        apart = data.draw(st.booleans())
        path = Path(folder) / "test.json"
        path.write_text(json.dumps(config))
        options = BacktestOptions(path, bars, fill_model=model)
        compiled, slower = (
            list(Backtest(options, apart=apart).play(means=means))
            for means in (Means.COMPILED, other)
        )
    for one, two in zip(compiled, slower, strict=True):
        for table, rows in two.rows().items():
            assert list(one.rows()[table]) == list(rows), table
        assert said(one) == said(two)
    raises = any(one["strategy_params"].get("raises_at") for one in config["strategies"])
    fits = model != "spread:0.3333"  # with fills to nine decimals two million dollars do not
    if tape.market == "stocks" and fits and not raises:
        assert {one.means for one in compiled} == {Means.COMPILED}


@pytest.mark.thorough
def test_a_session_that_is_not_for_machine_code_is_played_slower_and_the_next_is_not(
    tmp_path: Path,
) -> None:
    closes: dict[tuple[str, date], list[int | None]] = {
        ("SPY", day): [10_000 + (at % 5) * 9 for at in range(MINUTES)] for day in DAYS
    }
    closes["SPY", DAYS[1]][7] = 90_000  # it leaps, which freezes it
    bars = Tape("stocks", closes).write(tmp_path / "bars.parquet")
    params = {"lookback_period": 1, "momentum_threshold": 0.0001}
    one = {"strategy_type": "momentum", "strategy_params": params, "min_warmup_bars": 0}
    config = {"strategies": [one | {"name": name, "tickers": ["SPY"]} for name in "AB"]}
    path = tmp_path / "test.json"
    path.write_text(json.dumps(config))
    options = BacktestOptions(path, bars)
    compiled, by_message = (
        list(Backtest(options).play(means=means)) for means in (Means.COMPILED, Means.BY_MESSAGE)
    )
    assert [said(one) for one in compiled] == [said(one) for one in by_message]
    assert compiled[0].means is Means.COMPILED
    assert compiled[1].means is Means.BY_MESSAGE
    assert all(one.rows()["fills"] for one in compiled)


@pytest.mark.thorough
@pytest.mark.parametrize("means", Means)
def test_a_price_that_doubled_in_months_without_bars_keeps_nobody_from_trading_behind_them(
    means: Means, tmp_path: Path
) -> None:
    days = date(2026, 3, 16), date(2026, 6, 16), date(2026, 6, 17)
    closes: dict[tuple[str, date], list[int | None]] = {
        ("SPY", day): [(10_000 if day == days[0] else 21_000) + (at % 5) * 20 for at in range(24)]
        for day in days
    }
    bars = Tape("stocks", closes).write(tmp_path / "bars.parquet")
    params = {"lookback_period": 1, "momentum_threshold": 0.0001}
    one = {"strategy_type": "momentum", "strategy_params": params, "min_warmup_bars": 0}
    path = tmp_path / "test.json"
    path.write_text(json.dumps({"strategies": [one | {"name": "A", "tickers": ["SPY"]}]}))
    played = [session.rows() for session in Backtest(BacktestOptions(path, bars)).play(means=means)]
    assert [len(rows["discrepancies"]) for rows in played] == [0, 0, 0]
    assert len(played[1]["fills"]) > 2
