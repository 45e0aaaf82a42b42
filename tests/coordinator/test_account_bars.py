"""An account whose orders Alpaca refuses says so: a start tells it, and goes on."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import pytest

from coordinator.shell.account import Bars, parse_account
from coordinator.shell.broker import Broker
from coordinator.shell.look import Looks
from coordinator.shell.rest import Api
from coordinator.shell.watchdog import Depth
from tests.coordinator.bench import Bench, spec
from tests.coordinator.test_look import Lists

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
    Bars(told=()).tell(parse_account(IN_ORDER | told), tickers)
    assert said in caplog.text
    assert bool(said) == bool(caplog.records)


def test_a_session_tells_once_of_each_change_and_not_again_of_what_its_start_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "coordinator")
    fine = parse_account(IN_ORDER)
    suspended = parse_account(IN_ORDER | {"trade_suspended_by_user": True})
    bars = Bars()
    for account in (suspended, suspended, fine, fine, suspended, suspended):
        bars.tell(account, STOCKS)
    lifted, again = caplog.messages
    assert lifted == "Alpaca takes the account's orders again"
    assert "will refuse orders" in again


def test_looks_of_a_session_that_trades_coins_tell_that_alpaca_takes_none_any_more(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Account(Lists):
        status = "ACTIVE"

        def get(self, api: Api, path: str, query: Mapping[str, Any]) -> Any:
            if path == "/account":
                return IN_ORDER | {"crypto_status": self.status}
            return super().get(api, path, query)

    bench = Bench(spec("A", {("BTC/USD", 9): 1}))
    bench.minute(0, {"BTC/USD": "50000"})
    account = Account(bench.now.isoformat(), [], None)
    looks = Looks(Broker(account, feed="iex"), bench.books, bench.now)
    for account.status in ("ACTIVE", "SUSPENDED", "SUSPENDED"):
        looks.take(0, Depth.ACCOUNT)
    [line] = [line for line in caplog.messages if "will refuse orders" in line]
    assert "its crypto_status is SUSPENDED" in line
