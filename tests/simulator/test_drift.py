"""An account that changes without a reason, begins anew, or counts its cash in cents."""

import asyncio
from collections.abc import Callable
from decimal import Decimal

import pytest

from simulator.back_office import next_number
from simulator.server import Simulator
from tests.simulator.plays import get, market, order, updates

Start = Callable[..., Simulator]


def test_cash_and_positions_drift_and_nothing_says_why(scripted: Start) -> None:
    simulator = scripted(
        {"at": "10:01", "kind": "cash_drift", "amount": -12.34},
        {"at": "10:01", "kind": "position_drift", "symbol": "SPY", "qty": 2},
        {"at": "10:02", "kind": "position_drift", "symbol": "BTC/USD", "qty": "0.5"},
        {"at": "10:03", "kind": "position_drift", "symbol": "SPY", "qty": -3},
    )
    order(simulator, "a")
    before = simulator.snapshot()
    assert asyncio.run(updates(simulator, 3)) == []
    seen = simulator.snapshot()
    assert seen.cash == before.cash - Decimal("12.34")
    assert seen.positions == {"BTC/USD": Decimal("0.5")}
    assert (seen.executions, seen.orders, seen.activities) == (before.executions, before.orders, ())
    assert len(get(simulator, "/v2/account/activities")) == 1  # the fill
    (held,) = get(simulator, "/v2/positions")
    assert Decimal(held["avg_entry_price"]) > 0


def test_a_reset_account_has_another_number_and_nothing_of_before(scripted: Start) -> None:
    simulator = scripted(
        {"at": "10:01", "kind": "activity", "type": "FEE", "net_amount": -1},
        {"at": "10:02", "kind": "reset_account"},
        {"kind": "late_accept", "times": 1, "delay_s": 300},
    )
    order(simulator, "late")
    order(simulator, "a", qty=5)
    order(simulator, "b", symbol="QQQ", type="limit", limit_price="1")
    old = get(simulator, "/v2/account")
    asyncio.run(market(simulator, 6))
    new = get(simulator, "/v2/account")
    assert (old["account_number"], new["account_number"]) == ("PA3SIM000001", "PA3SIM000002")
    assert old["id"] != new["id"]
    assert (new["cash"], new["equity"], new["last_equity"]) == ("100000",) * 3
    for path in ("/v2/orders?status=all", "/v2/positions", "/v2/account/activities"):
        assert get(simulator, path) == []
    seen = simulator.snapshot()
    assert (seen.account_number, seen.orders, seen.activities) == ("PA3SIM000002", (), ())
    assert order(simulator, "a").status_code == 200  # the name is free again


@pytest.mark.parametrize(
    ("number", "after"),
    [("PA3SIM000001", "PA3SIM000002"), ("PA9", "PA10"), ("SIM0099", "SIM0100"), ("LIVE", "LIVE2")],
)
def test_a_new_account_number_has_the_form_of_the_old(number: str, after: str) -> None:
    assert next_number(number) == after


@pytest.mark.parametrize(
    ("decimals", "cash"),
    [(None, "99899.9949"), (2, "99899.99"), (0, "99900")],
)
def test_each_movement_of_cash_is_rounded_to_the_accounts_decimals(
    scripted: Start, decimals: int | None, cash: str
) -> None:
    simulator = scripted(
        {"at": "10:01", "kind": "cash_drift", "amount": "-100.005"},  # -100.00, half-even
        {"at": "10:02", "kind": "cash_drift", "amount": "-0.015"},  # -0.02
        {"at": "10:03", "kind": "cash_drift", "amount": "0.0149"},  # 0.01
        cash_decimals=decimals,
    )
    asyncio.run(market(simulator, 3))
    assert get(simulator, "/v2/account")["cash"] == cash
