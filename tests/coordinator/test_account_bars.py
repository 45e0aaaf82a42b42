"""An account whose orders Alpaca refuses says so: a start tells it, and goes on."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from coordinator.shell.account import Bars, parse_account

IN_ORDER = {
    "account_number": "PA1",
    "cash": "100",
    "status": "ACTIVE",
    "crypto_status": "ACTIVE",
    "account_blocked": False,
    "trading_blocked": False,
    "trade_suspended_by_user": False,
    "transfers_blocked": True,
}
STOCKS, MIXED = ("SPY",), ("SPY", "BTC/USD")
CASES: list[tuple[dict[str, Any], tuple[str, ...], str]] = [
    ({}, MIXED, ""),  # that no money can be moved bars no order
    ({"status": None, "crypto_status": None}, MIXED, ""),  # not told
    ({"trading_blocked": True}, STOCKS, "blocked the account's trading"),
    ({"account_blocked": True}, STOCKS, "blocked the account: ask"),
    ({"trade_suspended_by_user": True}, STOCKS, "its user has suspended trading"),
    ({"trading_blocked": "no"}, STOCKS, ""),
    ({"status": "ACCOUNT_UPDATED"}, STOCKS, "its status is ACCOUNT_UPDATED, not ACTIVE"),
    ({"crypto_status": "INACTIVE"}, MIXED, "its crypto_status is INACTIVE, not ACTIVE"),
    ({"crypto_status": "INACTIVE"}, STOCKS, ""),  # nobody trades coins
    ({"pattern_day_trader": True, "equity": "2000"}, STOCKS, ""),  # FINRA's rule ended in 2026
]


@pytest.mark.parametrize(("told", "tickers", "said"), CASES)
def test_what_bars_an_account_is_told_at_a_start(
    told: dict[str, Any], tickers: tuple[str, ...], said: str, caplog: pytest.LogCaptureFixture
) -> None:
    Bars(tickers, told=()).tell(parse_account(IN_ORDER | told))
    assert said in caplog.text
    assert bool(said) == bool(caplog.records)


def test_a_session_tells_once_of_each_change_and_not_again_of_what_its_start_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "coordinator")
    fine = parse_account(IN_ORDER)
    suspended = parse_account(IN_ORDER | {"trade_suspended_by_user": True})
    bars = Bars(STOCKS)
    for account in (suspended, suspended, fine, fine, suspended, suspended):
        bars.tell(account)
    lifted, again = caplog.messages
    assert lifted == "Alpaca takes the account's orders again"
    assert "will refuse orders" in again
