"""The leases that a run takes, so that no other process trades the same things beside it.

The API key's leases are taken before any request to the broker; those of the account, the
coordinator and its strategies once the broker has answered which account the key belongs to. Live
trading also requires that the operator has given this account's number; without any, nothing is
asked of the broker.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from coordinator.config import Mode
from coordinator.errors import SafetyRefusal
from coordinator.settings import Settings, one_host
from coordinator.shell.lease import Leases
from coordinator.shell.pace import Budgets


@dataclass(frozen=True, slots=True)
class Claims:
    """The leases of a run: its coordinator, markets and strategies."""

    coordinator: str
    mode: Mode
    markets: Sequence[str]
    strategies: Sequence[str]
    settings: Settings
    leases: Leases
    budgets: Budgets

    def take_key(self) -> None:
        """Take the leases of the API key at its host, one for each market.

        Raises:
            SafetyRefusal: it would trade real money, and no account is allowed to.
            LeaseHeld: another process trades one of the markets with this key.
        """
        if self.mode is Mode.LIVE and not self.settings.allow_live:
            raise SafetyRefusal(
                "live trading is not armed: MULTI_TRADER_ALLOW_LIVE is not set to the account's"
                " number."
            )
        host = one_host(self.settings.trading_url)
        self.leases.take_for_key(host, self.settings.key_id, self.markets)

    def take_account(self, account: str) -> None:
        """Take the leases of this account; requests count towards its rate limit from now on.

        Raises:
            SafetyRefusal: the account is not armed for live trading, or its lease is held.
        """
        if self.mode is Mode.LIVE and self.settings.allow_live != account:
            raise SafetyRefusal(
                "live trading is not armed: MULTI_TRADER_ALLOW_LIVE must equal the account's"
                f" number {account}, and is {self.settings.allow_live}."
            )
        host = self.settings.account_host
        self.budgets.on_account(account, host=host)
        self.leases.take_for_account(account, self.markets, host=host)
        self.leases.take_for_coordinator(account, self.coordinator, host=host)
        self.leases.take_for_strategies(account, self.strategies, host=host)
