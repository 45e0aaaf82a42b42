"""A shadow beside a session over real sockets: its own backtest, and nothing to the broker."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from coordinator.bootstrap import session_sources
from coordinator.readers import marked
from simulator.server import Simulator
from tests.backtest.recording import TUESDAY, backtest, strategy, write_recording
from tests.coordinator.test_shadow import compared
from tests.e2e.running import run_here, simulator_options
from tests.e2e.test_control import OPEN

LIVE = strategy("Live", "SPY")
SHADOW = strategy("Twin", "SPY", "QQQ", kind="rsi", mode="shadow")


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_shadow_over_sockets_is_its_own_backtest_and_changes_nothing_of_the_live_one(
    tmp_path: Path,
) -> None:
    bars = write_recording(tmp_path / "b.parquet", ["SPY", "QQQ"], date(2026, 3, 16), TUESDAY)
    config: dict[str, Any] = {"strategies": [LIVE, SHADOW]}
    (tmp_path / "alone").mkdir()
    with Simulator(simulator_options(bars=bars, date=TUESDAY)) as venue:
        outcome = run_here(venue, config, tmp_path)
    with Simulator(simulator_options(bars=bars, date=TUESDAY)) as venue:
        run_here(venue, {"strategies": [LIVE]}, tmp_path / "alone")
    assert (outcome.status, outcome.discrepancies) == ("Completed", 0)
    assert "[Twin (shadow)]" in outcome.summary
    live, shadow = (source.rows() for source in session_sources(tmp_path))
    [alone] = (source.rows() for source in session_sources(tmp_path / "alone"))
    [played] = backtest(tmp_path, {"strategies": [SHADOW]}, bars, start=TUESDAY).play()

    assert len(shadow["fills"]) > 20
    for table in ("orders", "fills", "positions"):
        assert compared(shadow)[table] == compared(marked(played.rows()))[table], table
        assert compared(live)[table] == compared(alone)[table], table


def test_a_shadow_on_a_ticker_that_nobody_trades_is_brought_its_bars(tmp_path: Path) -> None:
    with Simulator(simulator_options()) as venue:
        outcome = run_here(
            venue,
            {"strategies": [LIVE, strategy("Twin", "MSFT", kind="rsi", mode="shadow")]},
            tmp_path,
            until=OPEN + timedelta(minutes=25),
        )
    assert outcome.discrepancies == 0
    assert [view.name for view in outcome.strategies] == ["Live"]
    assert [view.name for view in outcome.shadows] == ["Twin"]
    _, shadow = (source.rows() for source in session_sources(tmp_path))
    assert {row["symbol"] for row in shadow["fills"]} == {"MSFT"}
