"""A day over real sockets and the same day in a backtest: the same orders, fills, books and P&L."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from coordinator.core.order_rows import Row
from coordinator.core.statement import Rows
from simulator.server import Simulator
from tests.backtest.recording import TUESDAY, backtest, strategy, write_recording
from tests.e2e.running import run_here, session_rows, simulator_options

COMPARED = {
    "orders": (
        *("client_order_id", "symbol", "side", "qty", "filled_qty", "filled_avg_price", "status"),
        *("reason", "decision_price", "decided_at"),
    ),
    "fills": ("client_order_id", "strategy", "symbol", "side", "qty", "price", "fee"),
    "bars": ("symbol", "ts", "open", "high", "low", "close", "volume"),
    "positions": ("strategy", "symbol", "qty", "avg_price", "mark_price", "market_value"),
    "pnl_daily": (
        *("strategy", "start_equity", "end_equity", "realized_pnl", "unrealized_change", "fees"),
        *("net_pnl", "return_pct", "fills", "max_drawdown"),
    ),
    "equity": ("strategy", "ts", "cash", "market_value", "equity"),
}
SMALL = {
    "strategies": [
        strategy("Fast", "SPY", "QQQ", risk_config={"max_daily_trades": 12}),
        strategy("Slow", "SPY", kind="rsi", risk_config={"stop_loss_pct": 0.001}),
    ]
}


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("model", ["spread", "slippage:20"])
def test_a_generated_day_is_the_same_over_sockets_and_in_a_backtest(
    tmp_path: Path, model: str
) -> None:
    bars = write_recording(tmp_path / "b.parquet", ["SPY", "QQQ"], date(2026, 3, 16), TUESDAY)
    same_day(SMALL, bars, TUESDAY, tmp_path, fill_model=model)


def same_day(config: dict[str, Any], bars: Path, day: date, folder: Path, **options: Any) -> None:
    """Play a day over sockets, and compare it with its backtest."""
    with Simulator(simulator_options(bars=bars, date=day, **options)) as venue:
        outcome = run_here(venue, config, folder)
    assert (outcome.status, outcome.discrepancies) == ("Completed", 0)
    is_its_backtest(session_rows(folder), config, bars, day, folder, options.get("fill_model"))


def is_its_backtest(
    rows: Rows,
    config: dict[str, Any],
    bars: Path,
    day: date,
    folder: Path,
    fill_model: str | None = None,
) -> None:
    """A whole day over sockets, which left these rows, against the same day in a backtest."""
    [played] = backtest(folder, config, bars, start=day, end=day, fill_model=fill_model).play()

    memory = played.rows()
    socket = until(memory["sessions"][0]["closed_at"], rows)
    assert len(memory["fills"]) > 50
    for table, names in COMPARED.items():
        assert told(socket, table, names) == told(memory, table, names), table


def until(end: Any, rows: Rows) -> Rows:
    """The rows with each book's last point at the session's end, not where that was noticed."""
    points = {(row["strategy"], min(row["ts"], end)): row for row in rows["equity"]}
    rows["equity"] = [row | {"ts": ts} for (_, ts), row in points.items()]
    return rows


def told(
    rows: Mapping[str, Sequence[Row]], table: str, names: tuple[str, ...]
) -> list[tuple[object, ...]]:
    """What a table says of the strategies; the accounts hold different amounts beside them."""
    found = [
        tuple(row[name] for name in names)
        for row in rows[table]
        if row.get("strategy") != "UNASSIGNED"
    ]
    return sorted(found, key=lambda row: [str(value) for value in row[:2]])
