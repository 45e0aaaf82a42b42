"""A shadow beside a session over real sockets: its own backtest, and nothing to the broker."""

from __future__ import annotations

import json
import threading
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from coordinator.bootstrap import session_sources
from coordinator.core.statement import Rows
from coordinator.readers import as_shadows
from coordinator.shell.control_protocol import Reply
from simulator.server import Simulator
from tests.backtest.recording import TUESDAY, backtest, strategy, write_recording
from tests.coordinator.test_shadow import compared
from tests.e2e.running import run_here, simulator_options, wait_until
from tests.e2e.test_control import OPEN
from tests.e2e.test_reload import reload

LIVE = strategy("Live", "SPY")
SHADOW = strategy("Twin", "SPY", "QQQ", kind="rsi", mode="shadow")


def before(rows: Rows, end: datetime) -> Rows:
    """What had been decided and filled by then."""
    orders = [row for row in rows["orders"] if row["decided_at"] < end]
    known = {row["client_order_id"] for row in orders}
    fills = [row for row in rows["fills"] if row["client_order_id"] in known]
    return {**rows, "orders": orders, "fills": fills}


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_shadow_over_sockets_is_its_own_backtest_and_changes_nothing_of_the_live_one(
    tmp_path: Path,
) -> None:
    bars = write_recording(tmp_path / "b.parquet", ["SPY", "QQQ"], date(2026, 3, 16), TUESDAY)
    config: dict[str, Any] = {"strategies": [LIVE, SHADOW]}
    (tmp_path / "alone").mkdir()
    end = OPEN + timedelta(minutes=60)
    with Simulator(simulator_options(bars=bars, date=TUESDAY)) as venue:
        outcome = run_here(venue, config, tmp_path, until=end)
    with Simulator(simulator_options(bars=bars, date=TUESDAY)) as venue:
        run_here(venue, {"strategies": [LIVE]}, tmp_path / "alone", until=end)
    assert outcome.discrepancies == 0
    assert "[Twin (shadow)]" in outcome.summary
    live, shadow = (before(source.rows(), end) for source in session_sources(tmp_path))
    [alone] = (before(source.rows(), end) for source in session_sources(tmp_path / "alone"))
    [played] = backtest(tmp_path, {"strategies": [SHADOW]}, bars, start=TUESDAY).play()
    tested = as_shadows(before(played.rows(), end))

    assert len(shadow["fills"]) > 10
    assert compared(shadow)["fills"] == compared(tested)["fills"]
    assert compared(live)["fills"] == compared(alone)["fills"]


@pytest.mark.thorough
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


@pytest.mark.slow
def test_an_edited_mode_promotes_a_shadow_and_another_takes_its_place(short_path: Path) -> None:
    file = short_path / "edited.json"
    promoted = {**SHADOW, "mode": "live"}
    another = strategy("Third", "MSFT", kind="rsi", mode="shadow")
    said: list[Reply] = []

    def story() -> None:
        wait_until(venue, OPEN + timedelta(minutes=6), lambda: False)
        file.write_text(json.dumps({"name": "test", "strategies": [LIVE, promoted, another]}))
        said.append(reload(short_path, file))
        said.append(reload(short_path, file, said[0].token))

    with Simulator(simulator_options()) as venue:
        outside = threading.Thread(target=story)
        outside.start()
        config = {"strategies": [LIVE, SHADOW]}
        outcome = run_here(venue, config, short_path, until=OPEN + timedelta(minutes=35))
        outside.join()
    assert [reply.done for reply in said] == [True, True], said
    assert "- Twin (shadow): trades on the account now; its simulated book ends" in said[0].changes
    assert any(
        line.startswith("+ Twin: rsi on SPY, QQQ, begins with $") for line in said[0].changes
    )
    assert any(line.startswith("+ Third (shadow): rsi on MSFT") for line in said[0].changes)
    assert outcome.discrepancies == 0
    live, shadow = (source.rows() for source in session_sources(short_path))
    decided = [row["decided_at"] for row in live["orders"] if row["strategy"] == "Twin"]
    watched = [r["decided_at"] for r in shadow["orders"] if r["strategy"] == "Twin (shadow)"]
    assert decided
    assert max(watched, default=min(decided)) <= min(decided)
    assert "Third (shadow)" in {row["strategy"] for row in shadow["fills"]}
    assert {view.name for view in outcome.strategies} == {"Live", "Twin"}
