"""Whole messages of Alpaca, for tests to change one thing in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

BAR: dict[str, Any] = {
    "T": "b",
    "S": "SPY",
    "o": 388.985,
    "h": 389.13,
    "l": 388.975,
    "c": 389.12,
    "v": 49378,
    "t": "2021-02-22T19:15:00Z",
    "n": 461,
    "vw": 389.06,
}
ORDER: dict[str, Any] = {
    "id": "7b08df51",
    "client_order_id": "A.2026-03-17.1",
    "symbol": "AAPL",
    "asset_class": "us_equity",
    "side": "buy",
    "status": "accepted",
    "qty": "2",
    "filled_qty": "0",
    "filled_avg_price": None,
    "created_at": "2026-03-17T14:30:00.124668464Z",
    "updated_at": "2026-03-17T14:30:00.624668464Z",
    "submitted_at": "2026-03-17T14:30:00.577215743Z",
}
FILL: dict[str, Any] = {
    "stream": "trade_updates",
    "data": {
        "event": "partial_fill",
        "event_id": "01M2TB1W",
        "execution_id": "2f63ea93",
        "price": "190.10",
        "qty": "1.5",
        "position_qty": "5",
        "timestamp": "2026-03-17T14:30:01.123456789Z",
        "order": ORDER
        | {"status": "partially_filled", "filled_qty": "1.5", "filled_avg_price": "190.10"},
    },
}
ACTIVITY: dict[str, Any] = {
    "id": "20220202135509981::2d7be4ff",
    "activity_type": "FILL",
    "type": "fill",
    "transaction_time": "2022-02-02T18:55:09.981482Z",
    "symbol": "AAPL",
    "side": "buy",
    "qty": "2",
    "price": "174.78",
    "leaves_qty": "0",
    "cum_qty": "2",
    "order_id": "b5abe576",
    "order_status": "filled",
}


def without(raw: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in raw.items() if name not in names}


def fill(**changes: Any) -> dict[str, Any]:
    return {"stream": "trade_updates", "data": FILL["data"] | changes}
