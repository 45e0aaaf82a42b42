"""Messages that Alpaca really sent, or documents, are understood: nothing of ours is in them."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from coordinator.core.orders import OrderStatus
from coordinator.core.values import Side
from coordinator.shell import wire
from coordinator.shell.fields import parse_time

GOLDEN = Path(__file__).parents[2] / "../shared/data/golden"
pytestmark = [
    pytest.mark.recorded,
    pytest.mark.skipif(not GOLDEN.is_dir(), reason="the recorded messages are not here"),
]
D = Decimal


def lines(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (GOLDEN / name).read_text().splitlines()]


def bodies() -> list[Any]:
    """Every REST body of the recorded tests."""
    return [
        line["body"]
        for name in ("rest_alpaca_py_tests.jsonl", "rest_alpaca_go_tests.jsonl")
        for line in lines(name)
    ]


def found(body: Any, *keys: str) -> list[dict[str, Any]]:
    """Every object within a body that has all these keys."""
    if isinstance(body, list):
        return [one for part in body for one in found(part, *keys)]
    if not isinstance(body, dict):
        return []
    inner = [one for part in body.values() for one in found(part, *keys)]
    return [body, *inner] if set(keys) <= set(body) else inner


def test_a_recorded_crypto_order_is_followed_to_its_fill() -> None:
    updates = [
        wire.parse_trade_update(line["msg"])
        for line in lines("trade_updates_crypto_2026-09-18.jsonl")
        if line["dir"] == "server" and line["msg"]["stream"] == "trade_updates"
    ]
    assert [u.status for u in updates][-1] is OrderStatus.FILLED
    assert {(u.symbol, u.side, u.qty) for u in updates} == {("DOGE/USD", Side.SELL, D("129.7"))}
    executions = [u.execution for u in updates if u.execution]
    assert sum(e.qty for e in executions) == updates[-1].filled_qty == D("129.7")


def test_a_recorded_stock_fill_is_read() -> None:
    raw = json.loads((GOLDEN / "trade_updates_equity_fill_2024-11-19.json").read_text())
    update = wire.parse_trade_update(raw)
    assert (update.symbol, update.side, update.status) == ("GNL", Side.SELL, OrderStatus.FILLED)
    assert update.execution is not None
    assert (update.execution.qty, update.execution.price) == (D(4), D("7.1831"))
    assert update.execution.execution_id == "d93c6c67-e216-4053-acfa-7967692a1a34"


def test_documented_bars_of_the_streams_are_read() -> None:
    raw = [
        part
        for line in lines("data_stream_documented.jsonl")
        if isinstance(line["msg"], list)
        for part in line["msg"]
        if part.get("T") in ("b", "u", "d")
    ]
    bars = [wire.parse_bar(part) for part in raw]
    assert {"SPY", "BTC/USD"} <= {bar.symbol for bar in bars}
    assert all(bar.low <= bar.close <= bar.high for bar in bars)


def test_recorded_bars_of_rest_are_read() -> None:
    raw = [one for body in bodies() for one in found(body, "t", "o", "h", "l", "c", "v")]
    recorded = json.loads((GOLDEN / "rest_ccxt_recorded.json").read_text())
    raw += recorded["GET /v1beta3/crypto/us/bars (1Min)"]["bars"]["BTC/USD"]
    read = 0
    for one in raw:
        if one["t"].endswith(":00Z"):
            assert wire.parse_bar(one, "SPY").volume == D(str(one["v"]))
            read += 1
    assert read > 5


def test_recorded_orders_of_rest_are_read() -> None:
    raw = [one for body in bodies() for one in found(body, "client_order_id", "side", "status")]
    assert len(raw) > 5
    for one in raw:
        update = wire.parse_order(one)
        assert (update.broker_order_id, update.side.value) == (one["id"], one["side"])


def test_recorded_positions_of_rest_are_read() -> None:
    raw = [one for body in bodies() for one in found(body, "avg_entry_price", "qty", "side")]
    assert raw
    for one in raw:
        assert abs(wire.parse_position(one).qty) == abs(D(one["qty"]))


def test_a_recorded_asset_and_clock_are_read() -> None:
    recorded = json.loads((GOLDEN / "rest_ccxt_recorded.json").read_text())
    aave = wire.parse_asset(recorded["GET /v2/assets?asset_class=crypto [0]"], "AAVE/USD")
    assert (aave.increment, aave.min_qty) == (D("1e-9"), D("0.010186515"))
    now = parse_time(recorded["GET /v2/clock"]["timestamp"])
    assert (now.hour, now.microsecond) == (8, 389152)
