"""What goes wrong on the wire leaves the books true: the simulator plays its script of faults."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from simulator.server import Simulator
from tests.e2e.running import run_here, session_rows, simulator_options
from tests.oracle import configs

OPEN = datetime(2026, 3, 17, 13, 30, tzinfo=UTC)
SCRIPTS: dict[str, list[dict[str, Any]]] = {
    "fills that the stream never tells of": [
        {"at": "09:35", "kind": "lose_trade_update", "event": "fill", "times": 3}
    ],
    "every update told twice": [
        {"at": "09:30", "kind": "duplicate_trade_update", "event": "fill", "times": 50}
    ],
    "an order accepted behind a 504": [
        {"at": "09:35", "kind": "http_500_after_accept", "times": 2, "status": 504}
    ],
    "an order refused by a 503": [
        {"at": "09:35", "kind": "http_error", "method": "POST", "path": "/v2/orders", "times": 2,
         "status": 503}
    ],
    "the order stream dropped": [{"at": "09:40", "kind": "drop_orders"}],
    "the bar stream dropped": [{"at": "09:40", "kind": "drop_data", "path": "/v2/iex"}],
}  # fmt: skip


SHORT = {"fills that the stream never tells of", "an order accepted behind a 504"}
CASES = [pytest.param(name, marks=() if name in SHORT else pytest.mark.slow) for name in SCRIPTS]


@pytest.mark.thorough
@pytest.mark.parametrize("fault", CASES)
def test_the_books_sum_to_the_account_after(fault: str, tmp_path: Path) -> None:
    script = tmp_path / "faults.json"
    script.write_text(json.dumps(SCRIPTS[fault]))
    with Simulator(simulator_options(faults=script, clock_speed=2000)) as venue:
        outcome = run_here(
            venue, configs.twenty_six(), tmp_path, until=OPEN + timedelta(minutes=45)
        )
        account = venue.snapshot()
    rows = session_rows(tmp_path)

    assert outcome.discrepancies == 0
    cash = {row["strategy"]: row["cash"] for row in rows["equity"]}
    assert sum(cash.values(), Decimal(0)) == account.cash
    assert held(rows) == account.positions
    booked = {fill["execution_id"] for fill in rows["fills"]}
    assert len(booked) == len(rows["fills"]) == len(account.executions) > 20
    assert not [row for row in rows["orders"] if row["status"] == "unknown"]


@pytest.mark.slow
def test_bars_missed_while_the_stream_was_down_are_fetched_once_and_in_order(
    tmp_path: Path,
) -> None:
    script = tmp_path / "faults.json"
    script.write_text(json.dumps([{"at": "09:45", "kind": "drop_data", "path": "/v2/iex"}]))
    options = simulator_options(faults=script, clock_speed=120, free_running=True)
    with Simulator(options) as venue:
        run_here(venue, configs.single("rsi"), tmp_path, until=OPEN + timedelta(minutes=24))
    bars = [bar for bar in session_rows(tmp_path)["bars"] if bar["ts"] >= OPEN]

    starts = [bar["ts"] for bar in bars]
    assert starts == [OPEN + timedelta(minutes=n) for n in range(len(starts))]
    assert len(starts) >= 23
    late = [bar["ts"] for bar in bars if bar["origin"] == "backfill"]
    assert late, "the clock went on while the connection was down, so something was missed"
    assert min(late) >= OPEN + timedelta(minutes=14)


def held(rows: dict[str, list[dict[str, Any]]]) -> dict[str, Decimal]:
    total: dict[str, Decimal] = {}
    for position in rows["positions"]:
        total[position["symbol"]] = total.get(position["symbol"], Decimal(0)) + position["qty"]
    return {symbol: qty for symbol, qty in total.items() if qty}


@pytest.mark.slow
def test_a_coordinator_that_gets_no_order_stream_learns_every_fill_from_rest(
    tmp_path: Path,
) -> None:
    with Simulator(simulator_options(order_connections=0, clock_speed=2000)) as venue:
        outcome = run_here(
            venue, configs.twenty_six(), tmp_path, until=OPEN + timedelta(minutes=20)
        )
        account = venue.snapshot()
    rows = session_rows(tmp_path)
    assert outcome.discrepancies == 0
    assert account.most_connections["/stream"] == 0
    assert held(rows) == account.positions
    assert len(rows["fills"]) == len(account.executions) > 20
